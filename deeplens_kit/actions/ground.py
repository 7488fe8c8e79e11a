"""What acting stands on: the opened locations, the journal, and what may not be touched.

Takes storage and ledger as interfaces, gives them to the operations with a boundary before and after each act that
lasts; must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from deeplens_kit.actions.act_values import ActStep, ApplyOptions, FileAt
from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger.act_values import JournalEntry, JournalPhase, QuarantinedFile, QuarantineState
from deeplens_kit.ledger.job_values import ImageStage
from deeplens_kit.storage import LocationKind

__all__ = ["Act", "Ended", "Ground", "Journal", "JournalUnwritable", "no_boundary", "no_content", "nothing_protected"]

_Result = TypeVar("_Result")


class Journal(Protocol):
    """The journal of the ledger: append-only, durable once a call returns."""

    def append_journal(
        self,
        application_id: str,
        entries: Sequence[JournalEntry],
        *,
        held: Sequence[QuarantinedFile] = (),
        changed: Mapping[str, QuarantineState] | None = None,
        audit: str = "",
        stages: Sequence[ImageStage] = (),
    ) -> list[JournalEntry]:
        """Append lines, with what they make of the quarantine, in one transaction."""
        ...

    def journal(self, application_id: str, *, after: int = -1) -> Iterator[JournalEntry]:
        """The lines of an application, the oldest first."""
        ...

    def open_operations(self, application_id: str) -> list[JournalEntry]:
        """Operations that were begun and have no end."""
        ...

    def quarantined_file(self, item_id: str) -> QuarantinedFile:
        """A file in quarantine, or that was."""
        ...


class JournalUnwritable(Exception):
    """The journal cannot be written: nothing more may happen.

    Args:
        cause: What the ledger said.
    """

    def __init__(self, cause: DeepLensError) -> None:
        self.cause = cause
        super().__init__(str(cause))


@dataclass(frozen=True, slots=True)
class Act:
    """One operation of one step, with what it takes to do, finish or undo it.

    Attributes:
        step: Of the plan.
        operation: Its name, as the journal has it.
        facts: As JSON can hold them.
        data: What it writes; not in the journal.
        beside: What its file has beside its bytes; not in the journal, which nothing can be taken out of.
    """

    step: int
    operation: str
    facts: Mapping[str, Any]
    data: bytes | None = None
    beside: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended, as its second line in the journal says.

    Attributes:
        phase: DONE, SKIPPED (the storage is as before), or FAILED (the same, or as the message says).
        code: Why, stable; with DONE: what is amiss all the same.
        message: Why, in a sentence.
        facts: Besides those that it began with.
        held: What is in quarantine now.
        changed: What became of files that were in quarantine.
    """

    phase: JournalPhase
    code: str = ""
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    held: tuple[QuarantinedFile, ...] = ()
    changed: Mapping[str, QuarantineState] = field(default_factory=dict)


_STAGES = {"quarantine": "quarantined", "undo.quarantine": "restored", "empty": "emptied", "undo.empty": "restored"}
"""What people call that an operation is done; of all others its name."""


def no_boundary(_name: str) -> None:
    """Nothing happens between the acts."""


def nothing_protected(_file: FileAt, _digest: str | None) -> str | None:
    """No file is protected."""
    return None


def no_content(_step: ActStep) -> bytes | None:
    """Nobody says what a step writes."""
    return None


def _always() -> None:
    """Nothing speaks against going on."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Ground:
    """What one application stands on.

    Attributes:
        application_id: Names it.
        kinds: The opened locations by id; those that are active and can be reached.
        ledger: Keeps the journal.
        options: How steps are done.
        boundary: Called before and after each line of the journal and each act on a storage, with a stable name.
        protected: Why a file with a digest must not be touched now, in a sentence; None where it may.
        content: What a step writes; None where nobody says.
        now: UTC.
        may_go_on: Called before each operation and each act on a storage; raises where another process took over.
    """

    application_id: str
    kinds: Mapping[str, LocationKind]
    ledger: Journal
    options: ApplyOptions = field(default_factory=ApplyOptions)
    boundary: Callable[[str], None] = no_boundary
    protected: Callable[[FileAt, str | None], str | None] = nothing_protected
    content: Callable[[ActStep], bytes | None] = no_content
    now: Callable[[], datetime] = _now
    may_go_on: Callable[[], object] = _always

    def begin(self, act: Act) -> None:
        """Write that an operation begins.

        Raises:
            JournalUnwritable: It is not written, and must not begin.
            LeaseHeldError: Another process works there now; nothing was begun.
        """
        self.may_go_on()
        self._write(act, JournalEntry(act.step, act.operation, JournalPhase.BEGUN, facts=act.facts), "begun")

    def end(self, act: Act, ended: Ended) -> None:
        """Write how an operation ended.

        Raises:
            JournalUnwritable: It stays open; `settle_open` looks what the storage holds.
        """
        line = JournalEntry(
            act.step, act.operation, ended.phase, code=ended.code, message=ended.message, facts=ended.facts
        )
        stages = _stages(self.application_id, act) if ended.phase is JournalPhase.DONE else ()
        self._write(act, line, str(ended.phase), held=ended.held, changed=ended.changed, stages=stages)

    def touch(self, act: Act, what: str, work: Callable[[], _Result]) -> _Result:
        """Do one thing to a storage, between two boundaries.

        Raises:
            LeaseHeldError: Another process took over while this one slept; the operation is that one's to settle.
        """
        self.boundary(f"{act.step}.{act.operation}.before-{what}")
        self.may_go_on()
        result = work()
        self.boundary(f"{act.step}.{act.operation}.{what}")
        return result

    def _write(
        self,
        act: Act,
        line: JournalEntry,
        name: str,
        *,
        held: Sequence[QuarantinedFile] = (),
        changed: Mapping[str, QuarantineState] | None = None,
        stages: Sequence[ImageStage] = (),
    ) -> None:
        self.boundary(f"{act.step}.{act.operation}.before-{name}")
        try:
            self.ledger.append_journal(self.application_id, [line], held=held, changed=changed or {}, stages=stages)
        except DeepLensError as error:
            raise JournalUnwritable(error) from error
        self.boundary(f"{act.step}.{act.operation}.{name}")


def _stages(application_id: str, act: Act) -> tuple[ImageStage, ...]:
    """What an operation that is done has made of its file; nothing of what only looked."""
    if "path" not in act.facts:
        return ()
    image_id = f"{act.facts['location_id']}/{act.facts['path']}"
    details = {"application_id": application_id, "step": act.step, "operation": act.operation}
    return (ImageStage(image_id, _STAGES.get(act.operation, act.operation), details),)
