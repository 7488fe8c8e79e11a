"""Undoing what an application did: its operations backwards, the last step first.

Takes the journal, makes the storages as they were before; what cannot be restored is told, one line each with the
reason, and stays where it is. What is moved back is read first: nobody looked after it in quarantine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deeplens_kit.actions.act_values import FileAt
from deeplens_kit.actions.carrying import Carried, take_back
from deeplens_kit.actions.ground import Act, Ground
from deeplens_kit.actions.history import NOTHING_LEFT, StepHistory
from deeplens_kit.actions.operations.base import state_of
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.storage import ObjectStat

__all__ = ["UndoReport", "UndoTrouble", "undo_steps"]


_MAKING = ("undo.create", "undo.place")
"""What takes away a file that an application made."""


@dataclass(frozen=True, slots=True)
class UndoTrouble:
    """What could not be restored, or not wholly.

    Attributes:
        step: Of the plan.
        operation: What stands still.
        file: Which file.
        code: Why, stable; "times_kept": only its time of modification could not be set.
        message: Why, in a sentence.
        kept: What it had beside its bytes, where that could not be set.
    """

    step: int
    operation: str
    file: FileAt
    code: str
    message: str
    kept: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What came of undoing.

    Attributes:
        undone: Files that are as they were, by step.
        troubles: What is not.
        stopped: Whether somebody asked it to stop before its end.
        back: Files that were moved back, each with the digest that was read just before and the state in which it is.
        removed: Files that had been made and are gone again.
    """

    undone: Mapping[int, FileAt]
    troubles: tuple[UndoTrouble, ...]
    stopped: bool = False
    back: tuple[tuple[FileAt, str, ObjectStat], ...] = ()
    removed: tuple[FileAt, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all is as it was before, but for times that a storage cannot set."""
        return not self.stopped and all(trouble.code == "times_kept" for trouble in self.troubles)


def undo_steps(
    ground: Ground,
    histories: Mapping[int, StepHistory],
    *,
    stop: threading.Event | None = None,
    told: Callable[[int], object] | None = None,
) -> UndoReport:
    """Undo everything that stands; `settle_open` comes first.

    Args:
        ground: What it stands on.
        histories: What the journal says of each step.
        stop: Set it to end after the step that is being undone.
        told: Told of each step.

    Raises:
        JournalUnwritable: Nothing more may happen.
        Unsettled: An operation stays open.
    """
    undone: dict[int, FileAt] = {}
    troubles: list[UndoTrouble] = []
    back: list[tuple[FileAt, str, ObjectStat]] = []
    removed: list[FileAt] = []
    stopped = False
    for number in sorted(histories, reverse=True):
        if not histories[number].done:
            continue
        if stop is not None and stop.is_set():
            stopped = True
            break
        came = take_back(ground, histories[number].done, by_hand=True)
        found = [trouble for carried in came for trouble in _troubles(ground, carried)]
        troubles += found
        for act, facts in ((carried.act, carried.ended.facts) for carried in came if carried.done):
            if "state_back" in facts:
                back.append((_file(act), str(act.facts["digest"]), state_of(facts["state_back"])))
            if act.operation in _MAKING:
                removed.append(_file(act))
        if all(trouble.code == "times_kept" for trouble in found):
            undone[number] = _file(came[-1].act)
        if told is not None:
            told(number)
    return UndoReport(undone, tuple(troubles), stopped, tuple(back), tuple(removed))


def _troubles(ground: Ground, carried: Carried) -> list[UndoTrouble]:
    act, ended = carried.act, carried.ended
    operation, item_id = act.operation.partition(".")[2], act.facts.get("item_id")
    kept = ground.ledger.quarantined_file(str(item_id)).kept if item_id else {}
    if ended.phase is JournalPhase.DONE:
        if ended.facts.get("times", True):
            return []
        when = act.facts["state"].get("modified_at")
        message = f"Its time of modification, {when}, cannot be set there; it is kept in the journal."
        return [UndoTrouble(act.step, operation, _file(act), "times_kept", message, kept)]
    if ended.code in NOTHING_LEFT:
        return []
    return [UndoTrouble(act.step, operation, _file(act), ended.code, ended.message, kept)]


def _file(act: Act) -> FileAt:
    return FileAt(act.facts["location_id"], act.facts["path"])
