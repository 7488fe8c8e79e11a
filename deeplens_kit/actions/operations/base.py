"""The interface of an operation, and what all of them share.

Takes an act, touches one storage, gives how it ended; must not write to the journal, and must not remove a file whose
content is not proved to be elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from deeplens_kit.actions.act_values import Doubt, SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.errors import LocationReadOnlyError, ObjectError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.storage import QUARANTINE_FOLDER, LocationKind, ObjectStat

__all__ = [
    "INTERRUPTED",
    "Operation",
    "about_facts",
    "failed",
    "kind_at",
    "not_done",
    "put_aside",
    "remove_unfinished",
    "skipped",
    "state_facts",
    "state_of",
    "times_back",
]

INTERRUPTED = "interrupted"
"""Code of an operation that did not happen because something broke off; it may be tried again."""

_SAME_TIME = timedelta(seconds=2)
"""What file systems round times of modification to at most (FAT); inclusive."""


class Operation(Protocol):
    """One kind of act on a storage."""

    name: str

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Do it. Whatever it raises leaves open what the storage holds: `settle` looks."""
        ...

    def settle(self, ground: Ground, act: Act) -> Ended:
        """After a crash or an error: look what the storage holds, and finish it or make it as it was.

        Raises:
            LocationUnavailableError: That cannot be told now; the operation stays open.
            ObjectError: The same.
        """
        ...

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Why what was done cannot be taken back; None where it can. Changes nothing."""
        ...

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Make the storage as it was before; raises as `perform`."""
        ...

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """As `settle`, of a taking back."""
        ...


def kind_at(ground: Ground, location_id: str) -> LocationKind:
    """An opened location.

    Raises:
        Doubt: It is left out, or cannot be opened.
    """
    kind = ground.kinds.get(location_id)
    if kind is None:
        raise Doubt(SkipCode.NO_LOCATION, "Its location is left out, or cannot be opened.")
    return kind


def state_facts(state: ObjectStat) -> dict[str, Any]:
    """A state as JSON can hold it."""
    return {
        "size_bytes": state.size_bytes,
        "token": state.change_token,
        "modified_at": None if state.modified_at is None else state.modified_at.isoformat(),
        "link_id": state.link_id,
        "link_count": state.link_count,
        "checksum": state.checksum,
        "storage_class": state.storage_class,
    }


def about_facts(kind: LocationKind, path: str, state: ObjectStat) -> dict[str, Any]:
    """What a file has beside its bytes, as JSON can hold it; it goes with the file, and is kept besides."""
    kept: dict[str, Any] = {"modified_at": state_facts(state)["modified_at"], "storage_class": state.storage_class}
    try:
        facts = kind.about(path)
    except ObjectError:
        return kept
    return kept | {
        "metadata": dict(facts.metadata),
        "tags": dict(facts.tags),
        "headers": dict(facts.headers),
        "content_type": facts.content_type,
        "mode": facts.mode,
        "owner": facts.owner,
    }


def state_of(facts: Mapping[str, Any]) -> ObjectStat:
    """The state that `state_facts` wrote."""
    modified = facts.get("modified_at")
    return ObjectStat(
        size_bytes=facts["size_bytes"],
        change_token=facts["token"],
        modified_at=None if modified is None else datetime.fromisoformat(modified),
        link_id=facts.get("link_id"),
        link_count=facts.get("link_count", 1),
        checksum=facts.get("checksum"),
        storage_class=facts.get("storage_class"),
    )


def times_back(ground: Ground, act: Act, kind: LocationKind, path: str, before: Mapping[str, Any]) -> bool:
    """Set the time of modification that a file had in a state, as `state_facts` wrote it; whether it has it."""
    wanted, was = before.get("modified_at"), before.get("token")
    if wanted is None:
        return True
    state, time = kind.stat(path), datetime.fromisoformat(wanted)
    if state.modified_at == time:
        return True
    with suppress(ObjectError, LocationReadOnlyError):
        # A time is never worth an operation that stays open.
        if kind.may_change and ground.touch(act, "times", lambda: kind.set_times(path, time, expected=state, was=was)):
            return True
    if not kind.keeps_times_on_move or state.modified_at is None:
        return False
    # A storage that counts in seconds gives back the nearest that it has.
    return abs(state.modified_at - time) <= _SAME_TIME


def put_aside(ground: Ground, act: Act) -> str:
    """Where a file is put before it is removed."""
    return f"{QUARANTINE_FOLDER}/{ground.application_id}.taken-back/{act.step}"


def remove_unfinished(kind: LocationKind, path: str) -> None:
    """Remove what a process of ours that is gone left beside a path, where it is ours to remove."""
    with suppress(ObjectError, LocationReadOnlyError):
        kind.remove_unfinished(path)


def not_done(message: str = "It was broken off and did not happen.") -> Ended:
    """The storage is as it was before the operation."""
    return Ended(JournalPhase.FAILED, INTERRUPTED, message)


def skipped(code: str, message: str) -> Ended:
    """Nothing was done, or all was made as it was."""
    return Ended(JournalPhase.SKIPPED, str(code), message)


def failed(code: str, message: str) -> Ended:
    """It went wrong, as the message says."""
    return Ended(JournalPhase.FAILED, code, message)
