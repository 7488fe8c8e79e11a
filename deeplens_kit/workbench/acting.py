"""What the workbench does by plans: rehearse, apply, undo, look into the quarantine, certify.

Takes an open workspace, gives frames and frozen values; must not compute anything itself. It asks nobody: what a
command would ask is said by an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError
from deeplens_kit.workbench.plans import WorkbenchPlans

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.act_report import ApplyReport
    from deeplens_kit.pipeline.certifying import Certificate
    from deeplens_kit.pipeline.plan_proposal import PlanProposal
    from deeplens_kit.pipeline.quarantining import EmptyReport, Restored
    from deeplens_kit.pipeline.undoing import Undone
    from deeplens_kit.views.plan_page import RehearsalPage

__all__ = ["WorkbenchActing"]


class WorkbenchActing(WorkbenchPlans):
    """The part of the workbench that acts on files."""

    def rehearse(self, plan_id: str, *, quick: bool = False) -> ApplyReport:
        """Look what a plan would do to each file now, proof included; changes nothing. `quick` reads no file.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> plan = workbench.make_plan(tiers=["copy"], limit=2)
            >>> workbench.rehearse(plan.plan_id).figures["possible"]
            2
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        from deeplens_kit.pipeline.applying import rehearse

        return rehearse(self.workspace, plan_id, quick=quick)

    def show_rehearsal(self, plan: PlanProposal, *, quick: bool = True) -> RehearsalPage:
        """Rehearse what was proposed, for a notebook; what was not saved has nothing to rehearse, and says so.

        Args:
            plan: As `propose_plan` gave it.
            quick: Read no file: sizes and states are looked at, digests are not proved.

        Example:
            >>> workbench.show_rehearsal(workbench.propose_plan(tiers=["copy"], limit=1))
            No plan was saved, so there is nothing to rehearse.
        """
        from deeplens_kit.pipeline.applying import rehearse
        from deeplens_kit.reporting.plan_reading import rehearsal_outcomes, rehearsal_words
        from deeplens_kit.views.plan_page import RehearsalPage

        if not plan.is_saved:
            return RehearsalPage(["No plan was saved, so there is nothing to rehearse."], None)
        report = rehearse(self.workspace, plan.plan_id, quick=quick)
        return RehearsalPage(rehearsal_words(report), rehearsal_outcomes(report))

    def apply_plan(self, plan_id: str) -> ApplyReport:
        """Apply an approved plan: every file goes to quarantine first, and `undo` takes it all back.

        Raises:
            PlanNotApprovedError: Nobody approved it as it stands.
            PlanStaleError: It has to be made anew.
            ActionsHaltedError: It stopped before its end; what was done stands.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> plan = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.apply_plan(plan.plan_id)
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.acting.PlanNotApprovedError: Plan ... is draft: nobody approved it as it stands. ...
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        from deeplens_kit.pipeline.applying import apply

        return apply(self.workspace, plan_id)

    def applications(self, plan_id: str | None = None) -> pl.DataFrame:
        """What was applied, the latest first: of one plan, or all.

        Example:
            >>> workbench.applications().columns[:3]
            ['application_id', 'plan_id', 'state']
        """
        import polars as pl

        texts = dict.fromkeys(("application_id", "plan_id", "state", "who"), pl.String())
        times = dict.fromkeys(("started_at", "finished_at"), pl.Datetime("us", "UTC"))
        rows = [
            (
                item.application_id,
                item.plan_id,
                str(item.state),
                item.who,
                item.started_at,
                item.finished_at,
                item.message,
            )
            for item in self.workspace.ledger.applications(plan_id)
        ]
        return pl.DataFrame(rows, schema={**texts, **times, "message": pl.String()}, orient="row")

    def resume(self, application_id: str) -> ApplyReport:
        """Go on with an application that was paused, halted or whose process ended; raises as `apply_plan`.

        Example:
            >>> workbench.resume("00000000")
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no application named '00000000'; ...
        """
        from deeplens_kit.pipeline.applying import resume

        return resume(self.workspace, application_id)

    def undo(self, application_id: str) -> Undone:
        """Make all that an application did as it was; `troubles` of what it gives tells what could not be, and why.

        Raises:
            PlanStateError: It is undone already.

        Example:
            >>> workbench.undo("00000000")
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no application named '00000000'; ...
        """
        from deeplens_kit.pipeline.undoing import undo

        return undo(self.workspace, application_id)

    def quarantine(self, application_id: str | None = None, *, every: bool = False) -> pl.DataFrame:
        """Files in quarantine with the copy that stays of each; `every`: also those that are not held there any more.

        Example:
            >>> workbench.quarantine().height
            0
        """
        from deeplens_kit.pipeline.quarantining import list_quarantine

        return list_quarantine(self.workspace, application_id, every=every)

    def restore(self, item_ids: Sequence[str]) -> Restored:
        """Move files back from quarantine, with what belongs to them, by their ids.

        Example:
            >>> workbench.restore(["0000000000000000"])
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no ... named '0000000000000000'; ...
        """
        from deeplens_kit.pipeline.quarantining import restore_quarantined

        return restore_quarantined(self.workspace, item_ids)

    def empty_quarantine(
        self, yes_empty: Collection[str], *, item_ids: Collection[str] = (), expired_only: bool = True
    ) -> EmptyReport:
        """Remove files from quarantine for good, after the keeper of each was read. This cannot be undone.

        Args:
            yes_empty: The whole ids of the applications whose files may go.
            item_ids: These files alone, expired or not.
            expired_only: Those alone that have expired.

        Raises:
            SettingsError: A file of another application is named.

        Example:
            >>> workbench.empty_quarantine([]).removed
            0
        """
        from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine

        chosen = chosen_items(self.workspace, item_ids=item_ids, expired_only=expired_only)
        if item_ids and (other := sorted({item.application_id for item in chosen} - set(yes_empty))):
            raise SettingsError(f"A file of application {other[0]} is named, which `yes_empty` does not hold.")
        return empty_quarantine(self.workspace, [item for item in chosen if item.application_id in yes_empty])

    def certificate(self, application_id: str) -> Certificate:
        """What an application did and proved, what was skipped and why, and what emptying freed.

        Example:
            >>> workbench.certificate("00000000")
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no application named '00000000'; ...
        """
        from deeplens_kit.pipeline.certifying import certificate

        return certificate(self.workspace, application_id)
