"""Proving at the moment of acting what a file holds.

Takes an opened location and a path, gives its state and its digest, by an unchanged strong token where that proves it
and by reading all of it otherwise; must not change anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deeplens_kit.errors import LimitExceededError, ObjectChangedError, ObjectError, ObjectGoneError
from deeplens_kit.storage import UNSETTLED, LocationKind, ObjectStat
from deeplens_kit.storage.listing import settled

__all__ = ["Proof", "carried", "digest_of", "is_free", "prove", "same_state", "stat_or_none"]

_BLOCK_BYTES = 2**22
_READ_AT_ONCE_BYTES = 2**26
"""Up to so many bytes (inclusive) a file is read in one request under its state; a larger one goes block by block."""

_READ = "read"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a file.

    Attributes:
        state: As the storage told it; the digest belongs to it.
        digest: SHA-256 of the content.
        by: "token" or "read"; "none" where a rehearsal took it as it was told.
        read_bytes: Bytes that were read for it.
    """

    state: ObjectStat
    digest: str
    by: str
    read_bytes: int


def prove(
    kind: LocationKind, path: str, *, digest: str | None, basis: str | None, token: str | None, how: str
) -> Proof:
    """Tell what a file holds now.

    Args:
        kind: Its location.
        path: Its path there.
        digest: What it is thought to hold; it comes back unread where the token proves it.
        basis: How that was known; only what was read can be proved by a token.
        token: Its change token then.
        how: As `ApplyOptions.proof`.

    Raises:
        ObjectGoneError: It is not there.
        ObjectChangedError: It changed while it was read.
        ObjectError: It cannot be read.
        LocationUnavailableError: Nor can the others.
    """
    state = kind.stat(path)
    if how == "none":
        return Proof(state, digest or "", "none", 0)
    strong = kind.proves_by_token and not state.change_token.endswith(UNSETTLED)
    if strong and how == "token" and digest is not None and basis == _READ and token == state.change_token:
        return Proof(state, digest, "token", 0)
    return Proof(state, digest_of(kind, path, state), _READ, state.size_bytes)


def digest_of(kind: LocationKind, path: str, state: ObjectStat) -> str:
    """SHA-256 of a file in a state, read whole; raises as `prove`."""
    if state.size_bytes <= _READ_AT_ONCE_BYTES:
        return hashlib.sha256(kind.read(path, expected=state, max_bytes=_READ_AT_ONCE_BYTES)).hexdigest()
    taken, count = hashlib.sha256(), 0
    with kind.open(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            taken.update(block)
            count += len(block)
            if count > state.size_bytes:
                break
    if count != state.size_bytes or not same_state(kind.stat(path), state):
        raise ObjectChangedError("It changed while it was read; it was left as it is.")
    return taken.hexdigest()


def carried(kind: LocationKind, path: str, state: ObjectStat, most_bytes: int) -> bytes:
    """All bytes of a file in a state.

    Raises:
        LimitExceededError: They are more than are carried through this machine's memory. Else as `prove`.
    """
    if state.size_bytes > most_bytes:
        raise LimitExceededError(
            f"{state.size_bytes} bytes are more than the {most_bytes} that are carried through this machine's memory."
        )
    return kind.read(path, expected=state, max_bytes=most_bytes)


def same_state(one: ObjectStat, other: ObjectStat) -> bool:
    """Whether two states of one path are the same, as far as the storage tells."""
    return one.size_bytes == other.size_bytes and settled(one.change_token) == settled(other.change_token)


def is_free(kind: LocationKind, path: str) -> bool:
    """Whether nothing has a name; a link that cannot be looked at has it. Raises where that cannot be told."""
    try:
        kind.stat(path)
    except ObjectGoneError:
        return True
    except ObjectError:
        return False
    return False


def stat_or_none(kind: LocationKind, path: str) -> ObjectStat | None:
    """The state of a file; None where nothing has the name. Raises where that cannot be told."""
    try:
        return kind.stat(path)
    except ObjectGoneError:
        return None
