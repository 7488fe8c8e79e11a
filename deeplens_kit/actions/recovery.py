"""After a crash: operations that were begun and have no end are looked for at their storages, and ended.

Takes the journal, gives how each open operation ended; what was half done is finished or made as it was. Nothing else
is done: the remaining steps are `Acting`'s, and undoing is `undo_steps`'.
"""

from __future__ import annotations

from collections.abc import Collection

from deeplens_kit.actions.act_values import Doubt
from deeplens_kit.actions.carrying import STORAGE_ERRORS, Unsettled
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.registry import UNDO, operation_named
from deeplens_kit.errors import LocationUnavailableError

__all__ = ["settle_open"]


def settle_open(ground: Ground, away: Collection[str] = ()) -> list[tuple[Act, Ended]]:
    """End every open operation of the application, the oldest first.

    Args:
        ground: What it stands on.
        away: Locations by id; operations there stay open.

    Raises:
        Unsettled: A storage cannot be looked at; the operation stays open.
        JournalUnwritable: The same.
    """
    came = []
    for line in ground.ledger.open_operations(ground.application_id):
        if {line.facts.get("location_id"), (line.facts.get("source") or {}).get("location_id")} & set(away):
            continue
        act = Act(line.step, line.operation, line.facts)
        operation = operation_named(line.operation)
        settle = operation.settle_back if line.operation.startswith(UNDO) else operation.settle
        try:
            ended = settle(ground, act)
        except STORAGE_ERRORS as error:
            raise Unsettled(error) from error
        except Doubt as doubt:
            name = str(line.facts.get("location_id", ""))
            raise Unsettled(LocationUnavailableError(name, doubt.message)) from doubt
        ground.end(act, ended)
        came.append((act, ended))
    return came
