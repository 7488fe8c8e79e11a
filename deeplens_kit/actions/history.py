"""What the journal says of each step: the operations that stand, and how it ended.

Takes lines of one application in order, gives a history per step; must not look at a storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deeplens_kit.actions.ground import Act
from deeplens_kit.actions.operations.registry import UNDO
from deeplens_kit.ledger.act_values import JournalEntry, JournalPhase
from deeplens_kit.schemas import ActionKind

__all__ = ["BY_HAND", "CHECK", "NOTHING_LEFT", "RECIPES", "StepHistory", "history_of"]

CHECK = "check"
"""The operation of a line that says why a step did not act at all."""

_EMPTY = "empty"

BY_HAND = "by_hand"
"""Among the facts of a taking back that a person asked for; others are those of a step that could not be done."""

NOTHING_LEFT = frozenset({"in_place", "restored"})
"""Codes of takings back that had nothing left to do."""

RECIPES: Mapping[ActionKind, tuple[str, ...]] = {
    ActionKind.REMOVE: ("quarantine",),
    ActionKind.HARDLINK: ("quarantine", "place"),
    ActionKind.SYMLINK: ("quarantine", "place"),
    ActionKind.REFLINK: ("quarantine", "place"),
    ActionKind.REDIRECT: ("quarantine", "place"),
    ActionKind.MOVE: ("create", "quarantine"),
    ActionKind.STORAGE_CLASS: ("set_class",),
    ActionKind.CREATE: ("create",),
    ActionKind.REWRITE: ("keep_copy", "replace"),
    ActionKind.RELINK: ("relink",),
}
"""The operations of each action, in the order in which they are done."""


@dataclass(slots=True)
class StepHistory:
    """What the journal says of one step.

    Attributes:
        done: The operations that stand, in the order in which they were done, with all their facts.
        ended: The last line that told of a skip or failure; None where none did, or where it was done after.
        amiss: The line of an operation that stands though it should not; None where none does.
        emptied: Whether its file was removed from quarantine for good.
        restored: Whether a person took it back; it is not done again.
    """

    done: list[Act] = field(default_factory=list)
    ended: JournalEntry | None = None
    amiss: JournalEntry | None = None
    emptied: bool = False
    restored: bool = False

    def is_finished(self, action: ActionKind) -> bool:
        """Whether all its operations stand."""
        return tuple(act.operation for act in self.done) == RECIPES[action]


def history_of(lines: Iterable[JournalEntry]) -> dict[int, StepHistory]:
    """Histories by step; open operations are left out (`settle_open` ends them first)."""
    found: dict[int, StepHistory] = {}
    begun: dict[tuple[int, str], Mapping[str, Any]] = {}
    for line in lines:
        history = found.setdefault(line.step, StepHistory())
        key = line.step, line.operation
        if line.phase is JournalPhase.BEGUN:
            begun[key] = line.facts
            continue
        facts = {**begun.pop(key, {}), **line.facts}
        if line.operation == _EMPTY:
            # Its step stands as it did; only its quarantine is empty.
            history.emptied |= line.phase is JournalPhase.DONE
            continue
        if line.operation.startswith(UNDO):
            _undone(history, line, by_hand=bool(facts.get(BY_HAND)))
        elif line.phase is JournalPhase.DONE:
            history.done.append(Act(line.step, line.operation, facts))
            history.ended, history.amiss = None, line if line.code else history.amiss
        else:
            history.ended = line
    return found


def _undone(history: StepHistory, line: JournalEntry, *, by_hand: bool) -> None:
    if line.phase is not JournalPhase.DONE and line.code not in NOTHING_LEFT:
        history.ended = line
        return
    name = line.operation.removeprefix(UNDO)
    history.done = [act for act in history.done if act.operation != name]
    history.restored |= by_hand
    history.amiss = None
