"""What people and jobs did: the relational tables, and the only code that writes them.

Takes names, settings and figures and gives frozen values; must not read users' files or know what is in the
catalog. Small and precious: it cannot be rebuilt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.ledger.holder import current_holder
    from deeplens_kit.ledger.lease import Lease
    from deeplens_kit.ledger.ledger import Ledger
    from deeplens_kit.ledger.locations import refuse_secrets
    from deeplens_kit.ledger.schema import SCHEMA_REVISION
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

__all__ = [
    "SCHEMA_REVISION",
    "AuditEntry",
    "Collection",
    "DecisionAct",
    "LabelCounts",
    "LabelSample",
    "Lease",
    "Ledger",
    "Location",
    "NoteChange",
    "ObjectNote",
    "OutboxEvent",
    "Run",
    "RunState",
    "SavedRule",
    "SavedSearch",
    "SearchRecord",
    "current_holder",
    "refuse_secrets",
]

_HOMES = {
    "SCHEMA_REVISION": "schema",
    "AuditEntry": "values",
    "Collection": "values",
    "DecisionAct": "values",
    "LabelCounts": "values",
    "LabelSample": "values",
    "Lease": "lease",
    "Ledger": "ledger",
    "Location": "values",
    "NoteChange": "values",
    "ObjectNote": "values",
    "OutboxEvent": "values",
    "Run": "values",
    "RunState": "values",
    "SavedRule": "values",
    "SavedSearch": "values",
    "SearchRecord": "values",
    "current_holder": "holder",
    "refuse_secrets": "locations",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
