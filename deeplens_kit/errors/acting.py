"""Plans that are not carried out, and records of acts that do not hold.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

from deeplens_kit.errors.base import DeepLensError

__all__ = [
    "ActionsHaltedError",
    "AuditBrokenError",
    "PlanError",
    "PlanNotApprovedError",
    "PlanStaleError",
    "PlanStateError",
    "WorkflowPausedError",
]


class PlanError(DeepLensError):
    """A plan cannot be used as it is; nothing was touched."""

    code = "plan"
    exit_code = 7


class PlanNotApprovedError(PlanError):
    """Nobody who may approved the plan as it stands, or somebody refused it."""

    code = "plan_not_approved"


class PlanStaleError(PlanError):
    """A plan is too old, or what it speaks of changed since: make it anew with `deeplens plan refresh`."""

    code = "plan_stale"


class PlanStateError(PlanError):
    """A plan is applied already or is being applied, or there is nothing to resume or undo."""

    code = "plan_state"


class WorkflowPausedError(PlanError):
    """A workflow is paused, by a person or by itself: it does nothing until somebody resumes it."""

    code = "workflow_paused"


class ActionsHaltedError(DeepLensError):
    """Applying a plan stopped before its end: too many failures or skips. What was done stands and can be undone."""

    code = "actions_halted"
    exit_code = 8


class AuditBrokenError(DeepLensError):
    """A line of the audit trail was altered, or is missing."""

    code = "audit_broken"
    exit_code = 9
