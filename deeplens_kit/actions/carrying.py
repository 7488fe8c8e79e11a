"""Carrying out one operation between its two lines of the journal, and taking back those of a step.

Takes an act, gives how it ended; nothing happens that is not written before. Where a storage raises in the middle it is
looked at: what happened is told, not what was hoped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deeplens_kit.actions.act_values import Doubt, SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.history import BY_HAND, NOTHING_LEFT
from deeplens_kit.actions.operations.base import INTERRUPTED, failed, skipped
from deeplens_kit.actions.operations.quarantine import MISSING
from deeplens_kit.actions.operations.registry import UNDO, operation_named
from deeplens_kit.errors import (
    DeepLensError,
    LimitExceededError,
    LocationError,
    LocationReadOnlyError,
    ObjectChangedError,
    ObjectError,
    ObjectExistsError,
    ObjectGoneError,
    StoreFullError,
)
from deeplens_kit.ledger.act_values import JournalPhase, QuarantineState
from deeplens_kit.telemetry import redact

__all__ = ["STORAGE_ERRORS", "Carried", "Unsettled", "carry_out", "take_back"]

STORAGE_ERRORS = (ObjectError, LocationError, StoreFullError)
"""What a storage raises."""


_INTO_QUARANTINE = ("quarantine", "keep_copy")
"""Operations whose new name is ours alone: what has it is a copy that was left half done."""


class _Taken(Exception):
    """The name that an operation was to give is taken."""


class Unsettled(Exception):
    """A storage failed in the middle of an operation and cannot be looked at: the operation stays open.

    Args:
        cause: What the storage said.
    """

    def __init__(self, cause: DeepLensError) -> None:
        self.cause = cause
        super().__init__(str(cause))


@dataclass(frozen=True, slots=True)
class Carried:
    """How an operation ended.

    Attributes:
        act: With all that is known of it now.
        ended: As in the journal.
        full: What the storage said, where it has no space left.
    """

    act: Act
    ended: Ended
    full: StoreFullError | None = None

    @property
    def done(self) -> bool:
        """Whether it was done, and nothing is amiss."""
        return self.ended.phase is JournalPhase.DONE and not self.ended.code


def carry_out(ground: Ground, act: Act) -> Carried:
    """Do one operation.

    Raises:
        JournalUnwritable: Nothing more may happen.
        Unsettled: The operation stays open, for `settle_open`.
    """
    operation, error = operation_named(act.operation), None
    ground.begin(act)
    try:
        ended = operation.perform(ground, act)
    except Doubt as doubt:
        ended = skipped(doubt.code, doubt.message)
    except STORAGE_ERRORS as raised:
        error = raised
        try:
            if isinstance(raised, ObjectExistsError) and act.operation not in _INTO_QUARANTINE:
                # Whatever has the name is not ours, even where it holds the same: it must never be taken for ours.
                raise _Taken from raised
            ended = _told(act, operation.settle(ground, act), raised)
        except _Taken:
            ended = skipped(SkipCode.TAKEN, "Something else has the name that it was to get.")
        except STORAGE_ERRORS as worse:
            raise Unsettled(worse) from raised
    ground.end(act, ended)
    known = Act(act.step, act.operation, {**act.facts, **ended.facts})
    return Carried(known, ended, error if isinstance(error, StoreFullError) else None)


def take_back(ground: Ground, acts: Sequence[Act], *, by_hand: bool = False) -> list[Carried]:
    """Undo the operations of one step, the last first; ends at the first that cannot be undone.

    What took the place of a file stays where the file itself cannot come back.

    Args:
        ground: What they stand on.
        acts: The operations that stand.
        by_hand: Whether a person asked for it.

    Raises:
        JournalUnwritable: Nothing more may happen.
        Unsettled: An operation stays open, for `settle_open`.
    """
    undone = [Act(act.step, UNDO + act.operation, {**act.facts, BY_HAND: by_hand}) for act in acts]
    for act in undone[:-1]:
        hindered = _hindered(ground, act) if act.operation == f"{UNDO}quarantine" else None
        if hindered is not None and hindered.code == "in_place":
            # What is at its place is what took it: the file itself is gone from quarantine.
            changed = dict.fromkeys(hindered.changed, QuarantineState.MISSING)
            message = "It is not in quarantine now: its disk or share may be away, or somebody took it."
            hindered = Ended(JournalPhase.SKIPPED, MISSING, message, changed=changed)
        if hindered is not None and hindered.code not in (*NOTHING_LEFT, SkipCode.TAKEN):
            ground.end(act, hindered)
            return [Carried(act, hindered)]
    came = []
    for act in reversed(undone):
        came.append(_take_one_back(ground, act))
        if came[-1].ended.phase is not JournalPhase.DONE and came[-1].ended.code not in NOTHING_LEFT:
            break
    return came


def _take_one_back(ground: Ground, act: Act) -> Carried:
    operation, hindered = operation_named(act.operation), _hindered(ground, act)
    if hindered is not None:
        ground.end(act, hindered)
        return Carried(act, hindered)
    ground.begin(act)
    try:
        ended = operation.take_back(ground, act)
    except ObjectExistsError:
        ended = skipped(SkipCode.TAKEN, "Something else has its name now; it was left where it is.")
    except STORAGE_ERRORS as raised:
        try:
            ended = _told(act, operation.settle_back(ground, act), raised)
        except STORAGE_ERRORS as worse:
            raise Unsettled(worse) from raised
    ground.end(act, ended)
    return Carried(act, ended)


def _hindered(ground: Ground, act: Act) -> Ended | None:
    try:
        return operation_named(act.operation).hinders(ground, act)
    except Doubt as doubt:
        return skipped(doubt.code, doubt.message)
    except STORAGE_ERRORS as raised:
        # Nothing was begun, so nothing is open; it can be tried again.
        return failed(raised.code, redact(str(raised)))


def _told(act: Act, ended: Ended, error: DeepLensError) -> Ended:
    """How an operation ended that raised: what was found, with the storage's reason where it did not happen."""
    if isinstance(error, ObjectGoneError) and ended.code == MISSING and act.operation == "quarantine":
        return skipped(SkipCode.VICTIM_GONE, "It is no longer there.")
    if ended.code != INTERRUPTED:
        return ended
    keeps = act.operation.endswith("place")
    match error:
        case ObjectChangedError():
            code = SkipCode.KEEPER_CHANGED if keeps else SkipCode.VICTIM_CHANGED
            return skipped(code, "Its keeper changed." if keeps else "It changed just before.")
        case ObjectGoneError():
            code = SkipCode.KEEPER_GONE if keeps else SkipCode.VICTIM_GONE
            return skipped(code, "Its keeper is no longer there." if keeps else "It is no longer there.")
        case ObjectExistsError():
            return skipped(SkipCode.TAKEN, "Something else has the name that it was to get.")
        case LocationReadOnlyError():
            return skipped(SkipCode.CANNOT, redact(str(error)))
        case LimitExceededError():
            return skipped(SkipCode.TOO_LARGE, redact(str(error)))
    return failed(error.code, redact(str(error)))
