"""The quarantine: files are removed from it for good, one by one, each after its keeper was read.

Takes files in quarantine, gives what became of each; the only way by which bytes end. Any doubt: the file stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deeplens_kit.actions.act_values import FileAt
from deeplens_kit.actions.carrying import STORAGE_ERRORS, carry_out
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import failed, skipped, state_facts
from deeplens_kit.actions.operations.empty import empty_facts
from deeplens_kit.actions.proof import digest_of
from deeplens_kit.errors import ObjectGoneError
from deeplens_kit.ledger.act_values import JournalPhase, QuarantinedFile, QuarantineState
from deeplens_kit.storage import ObjectStat
from deeplens_kit.telemetry import redact

__all__ = ["Emptied", "empty_items"]


@dataclass(frozen=True, slots=True)
class Emptied:
    """What became of a file in quarantine that was to be removed.

    Attributes:
        item: The file.
        done: Whether it was removed.
        code: Why not, stable; empty where it was.
        message: The same in a sentence.
        freed_bytes: As the storage reports it.
        notes: What the storage keeps of it all the same.
    """

    item: QuarantinedFile
    done: bool
    code: str = ""
    message: str = ""
    freed_bytes: int = 0
    notes: tuple[str, ...] = ()


def empty_items(
    grounds: Callable[[str], Ground],
    items: Iterable[QuarantinedFile],
    held: Callable[[FileAt, str | None], str | None],
    *,
    ends: Callable[[], bool] = lambda: False,
) -> Iterable[Emptied]:
    """Remove files from quarantine, one after the other.

    Args:
        grounds: What an application stands on, by its id.
        items: The files.
        held: Why a hold covers a file now; None where none does.
        ends: Asked before each: whether to stop.

    Raises:
        JournalUnwritable: Nothing more may happen.
        Unsettled: An operation stays open.
    """
    for item in items:
        if ends():
            return
        yield _empty_one(grounds(item.application_id), item, held)


def _empty_one(ground: Ground, item: QuarantinedFile, held: Callable[[FileAt, str | None], str | None]) -> Emptied:
    act = Act(item.step, "empty", _facts(item, None))
    doubt = _doubt(ground, item, held)
    if doubt is None or not isinstance(doubt, Ended):
        act = Act(item.step, "empty", _facts(item, doubt))
        doubt = None
        try:
            facts = empty_facts(ground.kinds[item.location_id], dict(act.facts))
        except STORAGE_ERRORS as error:
            doubt = failed(error.code, redact(str(error)))
        else:
            if isinstance(facts, Ended):
                doubt = facts
            else:
                act = Act(item.step, "empty", facts)
    if doubt is not None:
        ground.end(act, doubt)
        return Emptied(item, False, doubt.code, doubt.message)
    carried = carry_out(ground, act)
    ended = carried.ended
    if ended.phase is not JournalPhase.DONE:
        return Emptied(item, False, ended.code, ended.message)
    freed, notes = int(ended.facts["freed_bytes"]), tuple(str(note) for note in ended.facts["notes"])
    return Emptied(item, True, freed_bytes=freed, notes=notes)


def _doubt(
    ground: Ground, item: QuarantinedFile, held: Callable[[FileAt, str | None], str | None]
) -> Ended | ObjectStat | None:
    """Why a file stays in quarantine, beside what it holds itself; else the state in which its keeper was read."""
    state = ground.ledger.quarantined_file(item.item_id).state
    if state not in (QuarantineState.HELD, QuarantineState.MISSING):
        return skipped(str(state), f"It is not held in quarantine any more: it is {state}.")
    if (why := held(FileAt(item.location_id, item.path), item.digest)) is not None:
        return skipped("hold", why)
    kind = ground.kinds.get(item.location_id)
    if kind is None or not kind.may_change:
        return skipped("not_opened", "Its location is not opened for changes, or another disk stands there now.")
    if item.keeper_location_id is None or item.keeper_path is None:
        if item.kept.get("rewritten"):
            return None
        return skipped("no_keeper", "No copy of it stays; the last copy of a picture is never removed.")
    return _keeper_doubt(ground, item, FileAt(item.keeper_location_id, item.keeper_path))


def _keeper_doubt(ground: Ground, item: QuarantinedFile, keeper: FileAt) -> Ended | ObjectStat | None:
    """Read the keeper whole, whatever its token says, and make sure that it is another file."""
    kind, own = ground.kinds.get(keeper.location_id), ground.kinds[item.location_id]
    if kind is None:
        return skipped("no_location", "The location of its keeper cannot be opened, or another disk stands there.")
    try:
        state = kind.stat(keeper.path)
        if digest_of(kind, keeper.path, state) != item.keeper_digest:
            return skipped("keeper_changed", "Its keeper holds something else now.")
        mine = own.stat(item.quarantine_path)
        if mine.link_id is not None and mine.link_id == state.link_id and mine.link_count < 2:
            return skipped("same_file", "It and its keeper are one file under two names.")
        if own.place + item.quarantine_path == kind.place + keeper.path:
            return skipped("same_file", "It and its keeper are one file under two names.")
        if own.identity(item.quarantine_path) == kind.identity(keeper.path) and mine.link_count < 2:
            return skipped("same_file", "It and its keeper are one file under two names.")
    except ObjectGoneError:
        if _is_missing(ground, item):
            return None  # told of by what comes next
        return skipped("keeper_gone", "Its keeper is not there any more.")
    except STORAGE_ERRORS as error:
        return failed("keeper_unreadable", f"Its keeper cannot be read: {redact(str(error))}")
    return state


def _is_missing(ground: Ground, item: QuarantinedFile) -> bool:
    try:
        ground.kinds[item.location_id].stat(item.quarantine_path)
    except ObjectGoneError:
        return True
    return False


def _facts(item: QuarantinedFile, read: ObjectStat | None) -> dict[str, object]:
    keeper: dict[str, object] | None = None
    if item.keeper_location_id is not None:
        keeper = {"location_id": item.keeper_location_id, "path": item.keeper_path, "digest": item.keeper_digest}
        keeper |= {"state": None if read is None else state_facts(read)}
    return {
        "item_id": item.item_id,
        "location_id": item.location_id,
        "path": item.path,
        "quarantine_path": item.quarantine_path,
        "digest": item.digest,
        "keeper": keeper,
    }
