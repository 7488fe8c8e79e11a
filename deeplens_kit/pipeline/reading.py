"""Reading an object once: its bytes, its digests, and whether its picture has to be analysed.

Takes a row of a listing, gives the row of the object and, the first time that a digest is met, its content. Must
not decode. Equal bytes are analysed once, whatever the number of objects that hold them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from deeplens_kit.errors import LimitExceededError, ObjectChangedError, ObjectError, ObjectKeptOutError
from deeplens_kit.pipeline.kept_out import KeptOut, kept_out_error
from deeplens_kit.storage import ContentDigests, LocationKind, ObjectStat, digest_content
from deeplens_kit.telemetry import redact, span

__all__ = ["READ", "Content", "DigestClaims", "LeftForLater", "ObjectRead", "ObjectReader", "ReadFailure", "ReadTask"]


READ = "read"
"""The identity basis of an object whose very bytes were digested."""


@dataclass(frozen=True, slots=True)
class ReadTask:
    """One object to read, in the state that the listing found it.

    Attributes:
        path: As the listing has it.
        stat: Its state.
        indexed: It did not change and its row says `indexed`; it is read once more for a feature that its picture
            lacks, and a failure must not cost it what is known already.
        identity_basis: How its digest is known, as the column of OBJECTS has it.
    """

    path: str
    stat: ObjectStat
    indexed: bool = False
    identity_basis: str = READ


@dataclass(frozen=True, slots=True)
class ObjectRead:
    """An object whose digest is known, of bytes that were read unless `task.identity_basis` says something else.

    Its picture is analysed elsewhere or known already.
    """

    task: ReadTask
    digest: str
    md5: str = ""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """An object whose bytes could not be had."""

    task: ReadTask
    code: str
    message: str
    depends: str | None = None
    """What it depends on besides the file, as `failures.decode_spec` keeps it."""


@dataclass(frozen=True, slots=True)
class LeftForLater:
    """An object that the budget of the run does not reach."""

    task: ReadTask


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes of a picture that this run has to analyse."""

    data: bytes
    digests: ContentDigests


class _NotAllowed(Exception):
    """The budget does not reach an object that has to be read once more."""

    def __init__(self, task: ReadTask) -> None:
        super().__init__(task.path)
        self.task = task


class DigestClaims:
    """Who analyses a digest: the first that asks, unless the catalog has it already.

    Args:
        known: Digests whose features are complete.
    """

    def __init__(self, known: Container[str]) -> None:
        self._known = known
        self._claimed: set[str] = set()
        self._lock = threading.Lock()

    def claim(self, digest: str) -> bool:
        """True for exactly one caller per digest that is not known."""
        if digest in self._known:
            return False
        with self._lock:
            if digest in self._claimed:
                return False
            self._claimed.add(digest)
            return True


class ObjectReader:
    """Reads the objects of one location; safe to call from several threads.

    Args:
        location: The location.
        claims: Who analyses what is read.
        max_bytes: Largest object that is read, inclusive.
        allowed: Asked with the state of each object before it is read.
        without_reading: Asked first whether it need not be read at all.
        kept_out: What must not come back.
    """

    def __init__(
        self,
        location: LocationKind,
        claims: DigestClaims,
        max_bytes: int,
        *,
        allowed: Callable[[ObjectStat], bool] = lambda state: True,
        without_reading: Callable[[ReadTask], ObjectRead | None] = lambda task: None,
        kept_out: KeptOut | None = None,
    ) -> None:
        self._location, self._claims, self._max_bytes = location, claims, max_bytes
        self._kept_out = kept_out or KeptOut()
        self._allowed, self._without_reading = allowed, without_reading

    def read(self, task: ReadTask) -> tuple[Sequence[ObjectRead | ReadFailure | LeftForLater], Content | None]:
        """Read one object; a failure is a result, never an exception."""
        try:
            if task.stat.size_bytes == 0:
                return [_empty(task)], None  # a request that could only say so again
            if found := self._without_reading(task):
                return [found], None
            if task.stat.size_bytes <= self._max_bytes and not self._allowed(task.stat):
                return [LeftForLater(task)], None
            with span("read"):
                task, data = self._bytes_of(task)
        except _NotAllowed as later:
            return [LeftForLater(later.task)], None
        except ObjectError as error:
            return [ReadFailure(task, error.code, redact(str(error)))], None
        if not data:
            return [_empty(task)], None
        with span("digest"):
            digests = digest_content(data)
        if self._kept_out.covers(digests.sha256, f"{self._location.location_id}/{task.path}"):
            # Its digest is not passed on: it would be a trace of the picture.
            why = str(kept_out_error())
            return [ReadFailure(task, ObjectKeptOutError.code, why, self._kept_out.version)], None
        content = Content(data, digests) if self._claims.claim(digests.sha256) else None
        return [ObjectRead(task, digests.sha256, digests.md5)], content

    def _bytes_of(self, task: ReadTask) -> tuple[ReadTask, bytes]:
        if task.stat.size_bytes > self._max_bytes:
            raise LimitExceededError(
                f"The file has {task.stat.size_bytes} bytes; at most {self._max_bytes} are read "
                "(setting decode.max_bytes)."
            )
        try:
            return task, self._location.read(task.path, expected=task.stat, max_bytes=self._max_bytes)
        except ObjectChangedError:
            # Somebody wrote to it after the listing: once more, in its present state.
            task = ReadTask(task.path, self._location.stat(task.path), task.indexed)
            if task.stat.size_bytes <= self._max_bytes and not self._allowed(task.stat):
                raise _NotAllowed(task) from None
            return task, self._location.read(task.path, expected=task.stat, max_bytes=self._max_bytes)


def _empty(task: ReadTask) -> ReadFailure:
    return ReadFailure(task, "empty", "The file is empty (0 bytes).")
