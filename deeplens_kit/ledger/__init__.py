"""What people and jobs did: the relational tables, and the only code that writes them.

Takes names, settings and figures and gives frozen values; must not read users' files or know what is in the
catalog. Small and precious: it cannot be rebuilt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.ledger.act_values import (
        Application,
        ApplicationState,
        AuditVerdict,
        Hold,
        JournalEntry,
        JournalPhase,
        PlanApproval,
        PlanRecord,
        PlanState,
        QuarantinedFile,
        QuarantineState,
    )
    from deeplens_kit.ledger.copies import restore_ledger
    from deeplens_kit.ledger.holder import current_holder
    from deeplens_kit.ledger.lease import Lease
    from deeplens_kit.ledger.ledger import Ledger
    from deeplens_kit.ledger.locations import refuse_secrets
    from deeplens_kit.ledger.report_values import ReportRun, ReportRunState
    from deeplens_kit.ledger.schema import REVISIONS, SCHEMA_REVISION
    from deeplens_kit.ledger.traces import Trace
    from deeplens_kit.ledger.values import (
        AuditEntry,
        Collection,
        DecisionAct,
        LabelCounts,
        LabelSample,
        Location,
        NoteChange,
        ObjectNote,
        OutboxEvent,
        Run,
        RunState,
        SavedRule,
        SavedSearch,
        SearchRecord,
    )
    from deeplens_kit.ledger.workflow_values import (
        AUTO_APPROVED,
        Workflow,
        WorkflowRun,
        WorkflowRunState,
        WorkflowState,
    )

__all__ = [
    "AUTO_APPROVED",
    "REVISIONS",
    "SCHEMA_REVISION",
    "Application",
    "ApplicationState",
    "AuditEntry",
    "AuditVerdict",
    "Collection",
    "DecisionAct",
    "Hold",
    "JournalEntry",
    "JournalPhase",
    "LabelCounts",
    "LabelSample",
    "Lease",
    "Ledger",
    "Location",
    "NoteChange",
    "ObjectNote",
    "OutboxEvent",
    "PlanApproval",
    "PlanRecord",
    "PlanState",
    "QuarantineState",
    "QuarantinedFile",
    "ReportRun",
    "ReportRunState",
    "Run",
    "RunState",
    "SavedRule",
    "SavedSearch",
    "SearchRecord",
    "Trace",
    "Workflow",
    "WorkflowRun",
    "WorkflowRunState",
    "WorkflowState",
    "current_holder",
    "refuse_secrets",
    "restore_ledger",
]

_HOMES = {
    "AUTO_APPROVED": "workflow_values",
    "REVISIONS": "schema",
    "SCHEMA_REVISION": "schema",
    "Application": "act_values",
    "ApplicationState": "act_values",
    "AuditEntry": "values",
    "AuditVerdict": "act_values",
    "Collection": "values",
    "DecisionAct": "values",
    "Hold": "act_values",
    "JournalEntry": "act_values",
    "JournalPhase": "act_values",
    "LabelCounts": "values",
    "LabelSample": "values",
    "Lease": "lease",
    "Ledger": "ledger",
    "Location": "values",
    "NoteChange": "values",
    "ObjectNote": "values",
    "OutboxEvent": "values",
    "PlanApproval": "act_values",
    "PlanRecord": "act_values",
    "PlanState": "act_values",
    "QuarantineState": "act_values",
    "QuarantinedFile": "act_values",
    "ReportRun": "report_values",
    "ReportRunState": "report_values",
    "Run": "values",
    "RunState": "values",
    "SavedRule": "values",
    "SavedSearch": "values",
    "SearchRecord": "values",
    "Workflow": "workflow_values",
    "WorkflowRun": "workflow_values",
    "WorkflowRunState": "workflow_values",
    "WorkflowState": "workflow_values",
    "Trace": "traces",
    "current_holder": "holder",
    "refuse_secrets": "locations",
    "restore_ledger": "copies",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
