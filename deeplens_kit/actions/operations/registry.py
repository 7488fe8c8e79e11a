"""The operations by the names that journals have them under.

Takes a name, gives the operation; must not do anything.
"""

from __future__ import annotations

from deeplens_kit.actions.operations.base import Operation
from deeplens_kit.actions.operations.create import CreateOperation
from deeplens_kit.actions.operations.empty import EmptyOperation
from deeplens_kit.actions.operations.place import PlaceOperation
from deeplens_kit.actions.operations.quarantine import QuarantineOperation
from deeplens_kit.actions.operations.relink import RelinkOperation
from deeplens_kit.actions.operations.rewrite import KeepCopyOperation, ReplaceOperation
from deeplens_kit.actions.operations.storage_class import StorageClassOperation

__all__ = ["UNDO", "operation_named"]

UNDO = "undo."
"""Before the name of an operation: its taking back."""

_OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        QuarantineOperation(),
        PlaceOperation(),
        CreateOperation(),
        StorageClassOperation(),
        KeepCopyOperation(),
        ReplaceOperation(),
        RelinkOperation(),
        EmptyOperation(),
    )
}


def operation_named(name: str) -> Operation:
    """The operation of a name, with or without "undo." before it."""
    return _OPERATIONS[name.removeprefix(UNDO)]
