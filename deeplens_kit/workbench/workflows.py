"""What the workbench does with standing workflows: add, bound, look at, run, pause, resume, remove.

Takes an open workspace, gives frames and frozen values; must not compute anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.workbench.acting import WorkbenchActing

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Workflow
    from deeplens_kit.matching import KeepPolicy
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds
    from deeplens_kit.pipeline.workflow_running import WorkflowOutcome
    from deeplens_kit.pipeline.workflows import WorkflowPreview
    from deeplens_kit.schemas import ActionKind, Tier

__all__ = ["WorkbenchWorkflows"]


class WorkbenchWorkflows(WorkbenchActing):
    """The part of the workbench that is about clean-ups that recur."""

    def add_workflow(
        self,
        name: str,
        *,
        every: str,
        timezone: str = "UTC",
        tiers: Iterable[Tier | str] | None = None,
        action: ActionKind | str = "remove",
        rule: RuleLike = None,
        policy: KeepPolicy | str | Path | None = None,
        locations: Sequence[str] = (),
        limit: int | None = None,
        notify: Sequence[str] = (),
        bounds: WorkflowBounds | None = None,
    ) -> Workflow:
        """Add a workflow with rule and keep policy as they are now; nothing is done before it is run.

        Args:
            name: Of the workflow.
            every: When it should run, as cron says it; a scheduler does that.
            timezone: Of these times.
            tiers: Evidence that is strong enough; None for bytes and pixels.
            action: As for `make_plan`.
            rule: When a pair is a copy; None for the rule in use.
            policy: Which copy stays; None for the one in use.
            locations: Names; files elsewhere are passed over. Empty for all.
            limit: Steps of a run at most.
            notify: Addresses that are told, with references in the place of credentials.
            bounds: Within which its plans count as approved by you; None: each waits for a person.

        Raises:
            SettingsError: A value is not allowed.

        Example:
            >>> workbench.add_workflow("nightly", every="0 3 * * *", locations=["laptop"]).state.value
            'active'
            >>> gone = workbench.remove_workflow("nightly")
        """
        from deeplens_kit.pipeline.workflows import add_workflow
        from deeplens_kit.reporting.cron import parse_cron
        from deeplens_kit.reporting.schedule import check_zone

        choice = pipeline.plan_choice(
            self.workspace,
            tiers=tiers,
            action=action,
            rule=chosen_rule(self.workspace, rule),
            policy=policy,
            locations=locations,
            limit=limit,
        )
        return add_workflow(
            self.workspace,
            name,
            choice,
            every=parse_cron(every).text,
            timezone=check_zone(timezone),
            notify=notify,
            bounds=bounds,
        )

    def set_workflow_bounds(self, name: str, bounds: WorkflowBounds | None) -> Workflow:
        """Say within which bounds the plans of a workflow count as approved by you; None takes them away.

        Example:
            >>> from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds
            >>> added = workbench.add_workflow("nightly", every="@daily")
            >>> workbench.set_workflow_bounds("nightly", WorkflowBounds(500, 5_000_000_000, 0.05)).bounds["max_objects"]
            500
            >>> gone = workbench.remove_workflow("nightly")
        """
        from deeplens_kit.pipeline.workflows import set_workflow_bounds

        return set_workflow_bounds(self.workspace, name, bounds)

    def workflows(self, *, removed: bool = False) -> pl.DataFrame:
        """Workflows by name, with how they stand and why; also those that were removed.

        Example:
            >>> workbench.workflows().columns[1:3]
            ['workflow', 'state']
        """
        from deeplens_kit.pipeline.workflows import list_workflows

        return list_workflows(self.workspace, removed=removed)

    def preview_workflow(self, name: str) -> WorkflowPreview:
        """What a workflow would plan now, and why a person would have to approve that; nothing is saved.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> added = workbench.add_workflow("nightly", every="@daily", tiers=["copy"], limit=2)
            >>> found = workbench.preview_workflow("nightly")
            >>> found.size.objects, found.waits
            (2, ('nobody set bounds',))
            >>> gone = workbench.remove_workflow("nightly")
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        from deeplens_kit.pipeline.workflows import preview_workflow

        return preview_workflow(self.workspace, name)

    def run_workflow(self, name: str, *, index_first: bool = False) -> WorkflowOutcome:
        """Run a workflow once: plan, approve within bounds or wait, quarantine, certify, tell.

        Raises:
            WorkflowPausedError: It is paused.
            PlanStateError: It runs already.

        Example:
            >>> added = workbench.add_workflow("nightly", every="@daily")
            >>> workbench.run_workflow("nightly").run.state.value  # no location is opened for changes
            'nothing'
            >>> gone = workbench.remove_workflow("nightly")
        """
        from deeplens_kit.pipeline.workflow_running import run_workflow

        return run_workflow(self.workspace, name, index_first=index_first)

    def workflow_history(self, name: str | None = None) -> pl.DataFrame:
        """Runs, the latest first, with what came of each: of one workflow, or of all.

        Example:
            >>> workbench.workflow_history().columns[:3]
            ['run_id', 'workflow', 'state']
        """
        from deeplens_kit.pipeline.workflows import workflow_history

        return workflow_history(self.workspace, name)

    def pause_workflow(self, name: str, why: str = "a person paused it.") -> Workflow:
        """Pause a workflow: it does nothing until it is resumed.

        Example:
            >>> added = workbench.add_workflow("nightly", every="@daily")
            >>> workbench.pause_workflow("nightly", "the share moves").code
            'by_hand'
            >>> gone = workbench.remove_workflow("nightly")
        """
        return self.workspace.ledger.pause_workflow(name, why)

    def resume_workflow(self, name: str, note: str = "") -> Workflow:
        """Let a paused workflow run again.

        Example:
            >>> added = workbench.add_workflow("nightly", every="@daily")
            >>> paused = workbench.pause_workflow("nightly")
            >>> workbench.resume_workflow("nightly", "looked at it").state.value
            'active'
            >>> gone = workbench.remove_workflow("nightly")
        """
        return self.workspace.ledger.resume_workflow(name, note)

    def remove_workflow(self, name: str) -> Workflow:
        """Remove a workflow; what it did stays on record.

        Example:
            >>> added = workbench.add_workflow("nightly", every="@daily")
            >>> workbench.remove_workflow("nightly").state.value
            'removed'
        """
        return self.workspace.ledger.remove_workflow(name)
