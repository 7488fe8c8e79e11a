"""Doing the steps of a plan: several locations at once, one step after the other within a group.

Takes steps with what the journal says of them already, gives what became of each; stops where it is told to, where too
much fails or is skipped, where a storage is full, and at once where the journal cannot be written.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeAlias

from deeplens_kit.actions.act_values import ActStep, Outcome, StepResult
from deeplens_kit.actions.carrying import Unsettled
from deeplens_kit.actions.checks import names_of
from deeplens_kit.actions.ground import Ground, JournalUnwritable
from deeplens_kit.actions.history import StepHistory
from deeplens_kit.actions.pace import Pace
from deeplens_kit.actions.stepping import StorageFull, do_together, try_together
from deeplens_kit.errors import DeepLensError, LeaseHeldError, WorkspaceError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.schemas import ActionKind

__all__ = ["Acting", "Came"]

_LEAST_TRIED = 20
"""Steps that must have been tried (inclusive) before their share of skips says anything."""

_MOST_THREADS = 16

_NOT_ACTED_ON = (ActionKind.CREATE, ActionKind.STORAGE_CLASS)
"""Actions that leave the file that they name where it is, with what it holds."""


_Work: TypeAlias = Callable[[Sequence[ActStep]], Sequence[StepResult]]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of it.

    Attributes:
        results: Of the steps that were tried, in the order of the plan.
        halted: Why it stopped before its end; empty where it did not.
        stopped: Whether somebody asked it to stop.
        error: What made it stop, where that was an error.
        unwritten: Whether that was the journal.
    """

    results: tuple[StepResult, ...]
    halted: str = ""
    stopped: bool = False
    error: DeepLensError | None = None
    unwritten: bool = False


@dataclass(slots=True)
class _Tally:
    """How it goes; shared between threads."""

    results: list[StepResult] = field(default_factory=list)
    failed: int = 0
    skipped: int = 0
    halted: str = ""
    error: DeepLensError | None = None
    unwritten: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Acting:
    """Does steps, or tries them.

    Args:
        ground: What they stand on.
        stop: Set it to end after the step that is being done.
        told: Told of each result, by one thread at a time.
        before_each: Called before each step, by any thread; what it raises of ours ends all, and `Came.error` has it.
    """

    def __init__(
        self,
        ground: Ground,
        stop: threading.Event | None = None,
        told: Callable[[StepResult], object] | None = None,
        before_each: Callable[[], object] = lambda: None,
    ) -> None:
        self._ground, self._stop, self._told = ground, stop or threading.Event(), told
        self._before_each = before_each
        self._ending = threading.Event()
        self._tally, self._bounded = _Tally(), True
        self._pace = Pace(ground.options.steps_per_second)

    def run(self, steps: Sequence[ActStep], histories: Mapping[int, StepHistory] | None = None) -> Came:
        """Do the steps that are not done; one that was skipped before stays skipped.

        Raises:
            ValueError: Nothing would be proved.
        """
        if self._ground.options.proof == "none":
            raise ValueError("steps that nothing is proved of can only be rehearsed")
        known, acted_on = histories or {}, self._acted_on(steps)
        return self._over(
            steps,
            lambda part: do_together(self._ground, part, known, acted_on),
            lambda part: not _is_over(part, known),
        )

    def rehearse(self, steps: Sequence[ActStep]) -> Came:
        """Look what would become of each step; changes nothing, and goes to the end whatever is skipped."""
        acted_on, self._bounded = self._acted_on(steps), False
        return self._over(steps, lambda part: try_together(self._ground, part, acted_on), lambda _part: True)

    def _acted_on(self, steps: Sequence[ActStep]) -> frozenset[str]:
        return names_of(self._ground, [step.victim for step in steps if step.action not in _NOT_ACTED_ON])

    def _over(self, steps: Sequence[ActStep], work: _Work, wanted: Callable[[Sequence[ActStep]], bool]) -> Came:
        queues: dict[str, list[Sequence[ActStep]]] = {}
        for unit in _units(steps):
            parts = [part for part in _by_together(unit) if wanted(part)]
            queues.setdefault(unit[0].victim.location_id, []).extend(parts)
        queues = {location_id: queue for location_id, queue in queues.items() if queue}
        if len(queues) < 2:
            for queue in queues.values():
                self._through(queue, work)
        else:
            self._at_once(list(queues.values()), work)
        tally = self._tally
        results = tuple(sorted(tally.results, key=lambda result: result.step))
        return Came(results, tally.halted, self._stop.is_set(), tally.error, tally.unwritten)

    def _at_once(self, queues: Sequence[Sequence[Sequence[ActStep]]], work: _Work) -> None:
        with ThreadPoolExecutor(min(len(queues), _MOST_THREADS), thread_name_prefix="acting") as pool:
            # Each in a copy of the context: log lines keep their ids, the ledger knows for whom and which job.
            futures = [pool.submit(contextvars.copy_context().run, self._through, queue, work) for queue in queues]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                if any(future.exception() is not None for future in done):
                    self._ending.set()
            except BaseException:
                # The others end after the step that they are at.
                self._ending.set()
                raise
        for future in futures:
            future.result()

    def _through(self, queue: Sequence[Sequence[ActStep]], work: _Work) -> None:
        for steps in queue:
            self._pace.wait(steps[0].victim.location_id, len(steps), self._ends)
            try:
                self._before_each()
                if self._ends():
                    return
                self._count(work(steps))
            except StorageFull as full:
                self._count(full.results)
                self._end(f"a storage has no space left: {full.cause}", full.cause)
            except Unsettled as unsettled:
                self._end(f"a storage cannot be reached in the middle of a step: {unsettled.cause}", unsettled.cause)
            except JournalUnwritable as unwritable:
                self._tally.unwritten = True
                self._end("the journal cannot be written, and nothing may happen unwritten", unwritable.cause)
            except (LeaseHeldError, WorkspaceError) as error:
                self._end(f"it may not go on: {error}", error)

    def _ends(self) -> bool:
        return self._stop.is_set() or self._ending.is_set()

    def _end(self, why: str, error: DeepLensError) -> None:
        with self._tally.lock:
            if self._tally.error is None:
                self._tally.halted, self._tally.error = why, error
        self._ending.set()

    def _count(self, results: Sequence[StepResult]) -> None:
        tally, options = self._tally, self._ground.options
        with tally.lock:
            for result in results:
                tally.results.append(result)
                tally.failed += result.outcome is Outcome.FAILED
                tally.skipped += result.outcome is Outcome.SKIPPED
                if self._told is not None:
                    self._told(result)
            if not self._bounded:
                return
            if options.stop_after_failures and tally.failed >= options.stop_after_failures:
                tally.halted = tally.halted or f"{tally.failed} steps failed (actions.stop_after_failures)"
            tried = len(tally.results)
            if tried >= _LEAST_TRIED and tally.skipped >= options.stop_at_skip_share * tried:
                share = f"{tally.skipped} of {tried} steps were skipped (actions.stop_at_skip_share)"
                tally.halted = tally.halted or share
            if tally.halted:
                self._ending.set()


def _units(steps: Sequence[ActStep]) -> list[list[ActStep]]:
    """Steps that one thread does in their order: those of a group, and those that are done all or none."""
    units: dict[object, list[ActStep]] = {}
    belongs: dict[object, object] = {}
    for step in sorted(steps, key=lambda step: step.step):
        names: list[object] = [(kind, name) for kind, name in _names(step) if name is not None]
        names = names or [step.step]
        homes = list(dict.fromkeys(belongs.get(name, name) for name in names))
        home = homes[0]
        for other in homes[1:]:
            moved = units.pop(other, [])
            units.setdefault(home, []).extend(moved)
            belongs.update({name: home for name, at in belongs.items() if at == other})
        belongs.update(dict.fromkeys(names, home))
        units.setdefault(home, []).append(step)
    return [sorted(unit, key=lambda step: step.step) for unit in units.values()]


def _names(step: ActStep) -> tuple[tuple[str, str | None], ...]:
    return ("group", step.group_id), ("together", step.together)


def _by_together(unit: Sequence[ActStep]) -> list[list[ActStep]]:
    """The parts of a unit that are done all or none, by the first step of each."""
    parts: dict[object, list[ActStep]] = {}
    for step in unit:
        parts.setdefault(step.step if step.together is None else step.together, []).append(step)
    return list(parts.values())


def _is_over(part: Sequence[ActStep], known: Mapping[int, StepHistory]) -> bool:
    """Whether all were done before, or none: those between are taken up again, unless a person took some back."""
    if any(step.step in known and known[step.step].restored for step in part):
        return True
    if any(step.step not in known for step in part):
        return False
    histories = [(step, known[step.step]) for step in part]
    if all(history.amiss is not None or history.is_finished(step.action) for step, history in histories):
        return True
    return all(
        not history.done and history.ended is not None and history.ended.phase is JournalPhase.SKIPPED
        for _, history in histories
    )
