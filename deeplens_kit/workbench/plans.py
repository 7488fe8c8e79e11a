"""What the workbench does with plans: make, look at, trim, approve, refuse, make anew, and write to files.

Takes an open workspace, gives frames and frozen values; must not compute anything itself. `acting` applies them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.workbench.decisions import WorkbenchDecisions

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import PlanRecord
    from deeplens_kit.matching import KeepPolicy
    from deeplens_kit.pipeline.plan_proposal import PlanProposal
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.schemas import ActionKind, Tier
    from deeplens_kit.views.plan_page import PlanPage

__all__ = ["WorkbenchPlans"]


class WorkbenchPlans(WorkbenchDecisions):
    """The part of the workbench that is about plans."""

    def make_plan(
        self,
        *,
        tiers: Iterable[Tier | str] | None = None,
        action: ActionKind | str = "remove",
        rule: RuleLike = None,
        policy: KeepPolicy | str | Path | None = None,
        locations: Sequence[str] = (),
        limit: int | None = None,
        to: str = "",
        storage_class: str = "",
        merge_metadata: bool = False,
    ) -> PlanRecord:
        """Make a plan of what is done with copies, and save it as a draft; nothing is done.

        Args:
            tiers: Evidence that is strong enough; None for bytes and pixels.
            action: "remove", "hardlink", "symlink", "reflink", "redirect", "move" or "storage_class".
            rule: When a pair is a copy; None for the rule in use.
            policy: Which copy stays; None for the one in use.
            locations: Names; files elsewhere are passed over. Empty for all.
            limit: Steps at most; None for all.
            to: With "move": "LOCATION" or "LOCATION/folder".
            storage_class: With the action of that name.
            merge_metadata: Keep what only files that go tell in a sidecar beside the keeper.

        Raises:
            PlanError: There is nothing that it could do, for example because no location is opened for changes.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> plan = workbench.make_plan(tiers=["bytes", "pixels", "copy"], limit=3)
            >>> plan.state.value, plan.steps
            ('draft', 3)
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.make_plan(
            self.workspace,
            tiers=tiers,
            action=action,
            rule=chosen_rule(self.workspace, rule),
            policy=policy,
            locations=locations,
            limit=limit,
            to=to,
            storage_class=storage_class,
            merge_metadata=merge_metadata,
        )

    def propose_plan(
        self,
        *,
        tiers: Iterable[Tier | str] | None = None,
        action: ActionKind | str = "remove",
        rule: RuleLike = None,
        policy: KeepPolicy | str | Path | None = None,
        locations: Sequence[str] = (),
        limit: int | None = None,
    ) -> PlanProposal:
        """Make a plan as `make_plan` does; where no location is opened for changes, tell what it would be.

        The arguments are those of `make_plan`. What is not saved has no `plan_id`, and `closed` names the locations.

        Example:
            >>> proposal = workbench.propose_plan(tiers=["copy"], limit=2)
            >>> proposal.is_saved, proposal.steps.height, proposal.closed
            (False, 2, ('laptop', 'share'))
        """
        from deeplens_kit.pipeline.planning import plan_choice, propose_plan

        judged = chosen_rule(self.workspace, rule)
        choice = plan_choice(
            self.workspace, tiers=tiers, action=action, rule=judged, policy=policy, locations=locations, limit=limit
        )
        return propose_plan(self.workspace, choice)

    def show_plan(self, plan: PlanProposal | PlanRecord | str, *, steps: int = 20) -> PlanPage:
        """A plan with its files side by side, for a notebook: by its id, its record, or as `propose_plan` gave it.

        Args:
            plan: The plan.
            steps: Steps that show, those that free most; each has two pictures.

        Example:
            >>> workbench.show_plan(workbench.propose_plan(limit=1)).words[1]
            'This is what a plan would be if they were: 1 step, ...'
        """
        from deeplens_kit.pipeline.plan_proposal import PlanProposal
        from deeplens_kit.reporting.plan_reading import proposal_words, read_plan
        from deeplens_kit.reporting.plan_words import plan_lines
        from deeplens_kit.views.plan_page import PlanPage

        if isinstance(plan, PlanProposal):
            words, record, rows = proposal_words(plan), plan.record, plan.steps
        else:
            record = self.plan(plan) if isinstance(plan, str) else plan
            words, rows = plan_lines(record), pipeline.load_steps(self.workspace, record)
        view = read_plan(self.workspace, record, rows, max_steps=steps) if rows.height else None
        return PlanPage(words, view, lambda digest: pipeline.thumbnail(self.workspace, digest))

    def scenarios(
        self,
        likelihoods: Sequence[float] = (0.8, 0.95, 0.99),
        policies: Sequence[KeepPolicy | str | Path] = (),
        *,
        tiers: Iterable[Tier | str] | None = None,
        policy: KeepPolicy | str | Path | None = None,
    ) -> pl.DataFrame:
        """What other likelihoods and keep policies would come to, beside the rule and the policy in use.

        Args:
            likelihoods: Least likelihoods of a copy, 0 to 1.
            policies: Keep policies; none for all known ones, where that is soon told.
            tiers: Tiers to propose from; None for all.
            policy: Compared with; None for the policy in use.

        Example:
            >>> found = workbench.scenarios([1.0])
            >>> found["in_use"][0], found.filter("in_use").height
            (True, 1)
            >>> found["realisable_bytes"][0] == workbench.savings()["realisable_bytes"].sum()
            True
        """
        from deeplens_kit.pipeline.scenarios import compare_scenarios

        chosen = None if tiers is None else list(tiers)
        return compare_scenarios(self.workspace, likelihoods, policies, tiers=chosen, policy=policy)

    def plans(self, *, superseded: bool = False) -> pl.DataFrame:
        """Plans, the latest first, with how they stand and who approved them; also those that others replaced.

        Example:
            >>> workbench.plans().columns[:3]
            ['plan_id', 'kind', 'state']
        """
        return pipeline.list_plans(self.workspace, superseded=superseded)

    def plan(self, plan_id: str) -> PlanRecord:
        """A plan by its id, or by how that begins: how it stands, what it was made from, what it comes to.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.plan(made.plan_id).document["totals"]["steps"]
            1
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return self.workspace.ledger.plan(plan_id)

    def plan_steps(self, plan_id: str) -> pl.DataFrame:
        """The steps of a plan, in the order of acting.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=2)
            >>> workbench.plan_steps(made.plan_id)["action"].to_list()
            ['remove', 'remove']
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.load_steps(self.workspace, self.plan(plan_id))

    def diff_plans(self, new: str, old: str | None = None) -> pl.DataFrame:
        """What changed from one plan to another: files that came, went, or have another keeper, tier or size.

        Args:
            new: Id of the later plan.
            old: Id of the earlier one; None for the one before it of its kind.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> two, one = (workbench.make_plan(tiers=["copy"], limit=most) for most in (2, 1))
            >>> workbench.diff_plans(one.plan_id, two.plan_id)["change"].to_list()
            ['gone']
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.diff_plans(self.workspace, old, new)

    def trim_plan(
        self,
        plan_id: str,
        *,
        drop: Collection[int] = (),
        drop_groups: Collection[str] = (),
        only_locations: Sequence[str] = (),
        keep: Collection[int] | None = None,
    ) -> PlanRecord:
        """Take steps out of a plan: a new plan takes its place, to be approved anew.

        Args:
            plan_id: The plan.
            drop: Numbers of steps.
            drop_groups: Ids of groups, or how they begin.
            only_locations: Names of locations; steps on files elsewhere go.
            keep: Numbers of the steps that alone may stay; None for all.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=2)
            >>> workbench.trim_plan(made.plan_id, drop=[0]).steps
            1
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.trim_plan(
            self.workspace, plan_id, drop=drop, drop_groups=drop_groups, only_locations=only_locations, keep=keep
        )

    def approve_plan(self, plan_id: str, note: str = "") -> PlanRecord:
        """Approve a plan as it stands, as the person who runs this; refused where it is stale.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.approve_plan(made.plan_id, "looked at it").state.value
            'approved'
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.approve_plan(self.workspace, plan_id, note)

    def refuse_plan(self, plan_id: str, why: str = "") -> PlanRecord:
        """Refuse a plan, also one that was approved: it is not applied any more.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.refuse_plan(made.plan_id, "not these").state.value
            'refused'
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.refuse_plan(self.workspace, plan_id, why)

    def refresh_plan(self, plan_id: str) -> PlanRecord:
        """Make a plan anew from what it was made from, in its place; `diff_plans` says what changed.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.refresh_plan(made.plan_id).replaces == made.plan_id
            True
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        return pipeline.refresh_plan(self.workspace, plan_id)[0]

    def export_plan(self, plan_id: str, file: Path | str) -> Path:
        """Write a plan to a file: its name ends in .csv, .parquet, or .json for a manifest that the workspace signs.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> made = workbench.make_plan(tiers=["copy"], limit=1)
            >>> workbench.export_plan(made.plan_id, folder / "plan.csv").name
            'plan.csv'
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        from deeplens_kit.reporting.files import check_target, write_atomically

        target = Path(file)
        check_target(target, pipeline.PLAN_ENDINGS)
        write_atomically(target, pipeline.export_plan(self.workspace, plan_id, target.suffix))
        return target
