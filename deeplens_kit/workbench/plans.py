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
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.schemas import ActionKind, Tier

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
