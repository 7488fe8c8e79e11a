"""Work on many pairs of pictures in threads, kept piece by piece.

Takes pairs in the order of work and a function of a batch, gives the rows that it told; must not know what is found
out. Stopped or killed at any time, what was told is kept but for the last few seconds. Two pictures that a comparison
fails on cost their pair and not the run.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import polars as pl

from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.pair_parts import PairParts
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.throttle import step_back
from deeplens_kit.schemas import PAIRS
from deeplens_kit.telemetry import get_logger, span

__all__ = ["PairWork", "failures_of_a_comparison"]

_log = get_logger(__name__)

_KEY = list(PAIRS.key)
_REASON_CHARACTERS = 160  # of a library's own words
# Pairs of one batch share their pictures, and a stop waits for the batches at hand: half a second or so.
_BATCH_PAIRS = 16
# A part is kept after so many pairs, or so many seconds: what a kill may cost.
_PART_PAIRS = 256
_PART_SECONDS = 10.0


class PairWork:
    """A kind of work on pairs.

    Args:
        stage: Names it in progress and spans.
        work: Gives the rows told of a batch, in the columns of `parts`; runs in several threads.
        parts: Keeps what was told.
        workers: Threads.
        niceness: How far they step back for other work, 0..19.
        progress: Told how it goes.
        stop: Once set, no further batch is begun.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        stage: str,
        work: Callable[[pl.DataFrame], pl.DataFrame],
        parts: PairParts,
        *,
        workers: int,
        niceness: int,
        progress: ProgressListener | None,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage, self._work, self._parts = stage, work, parts
        self._workers, self._niceness = workers, niceness
        self._progress, self._stop, self._clock = progress, stop, clock
        self._lock = threading.Lock()
        self._failed: list[pl.DataFrame] = []

    def run(self, pairs: pl.DataFrame, seconds: float = math.inf) -> pl.DataFrame:
        """Work on pairs in their order until all are done, the time is spent, or the stop is set.

        Args:
            pairs: PAIRS, or what of it the work needs.
            seconds: Wall time after which no further batch is begun.

        Returns:
            The rows told, in no order.
        """
        from threadpoolctl import threadpool_limits

        flow: Flow[pl.DataFrame, pl.DataFrame, tuple[int, pl.DataFrame]] = Flow(
            read=lambda batch: ([], batch),
            size_of=lambda batch: 1,
            work=self._worked,
            readers=1,
            workers=self._workers,
            batch_size=1,
            # Few batches wait, so that what is worked on at one time lies close together.
            budget_bytes=2 * self._workers,
            begin=lambda: step_back(self._niceness),
        )
        meter = ProgressMeter(self._progress, "", self._stage, pairs.height)
        told: list[pl.DataFrame] = []
        waiting: list[pl.DataFrame] = []
        written = self._clock()
        try:
            # The threads of this flow are the parallelism: those of the matrix library would only wait for each
            # other, at twice the processor time of the whole look.
            with threadpool_limits(limits=1, user_api="blas"):
                for asked, rows in run_flow(flow, self._batches(pairs, seconds), self._stop):
                    meter.advance(asked, failures=asked - rows.height)
                    waiting.append(rows)
                    if sum(part.height for part in waiting) >= _PART_PAIRS or self._clock() - written >= _PART_SECONDS:
                        told += self._written(waiting)
                        written = self._clock()
        finally:
            # Also after a second interrupt: what was told is not asked again.
            told += self._written(waiting)
        meter.finish()
        return pl.concat(told) if told else self._parts.empty()

    @property
    def failed(self) -> pl.DataFrame:
        """Columns digest_a and digest_b: the pairs of all runs so far on which the work ended in an error."""
        with self._lock:
            return pl.concat([self._parts.empty().select(_KEY), *self._failed])

    def _batches(self, pairs: pl.DataFrame, seconds: float) -> Iterator[pl.DataFrame]:
        ends_at = self._clock() + seconds
        for start in range(0, pairs.height, _BATCH_PAIRS):
            if self._clock() >= ends_at:
                return
            yield pairs[start : start + _BATCH_PAIRS]

    def _worked(self, batches: Sequence[pl.DataFrame]) -> list[tuple[int, pl.DataFrame]]:
        with span(self._stage):
            return [(batch.height, self._told_of(batch)) for batch in batches]

    def _told_of(self, batch: pl.DataFrame) -> pl.DataFrame:
        failures = failures_of_a_comparison()
        try:
            return self._work(batch)
        except failures:
            # On which pair is seen when each is worked on by itself; what the others share is held.
            return pl.concat(
                [self._parts.empty(), *(self._told_of_one(pair, failures) for pair in batch.iter_slices(1))]
            )

    def _told_of_one(self, pair: pl.DataFrame, failures: tuple[type[Exception], ...]) -> pl.DataFrame:
        try:
            return self._work(pair)
        except failures as error:
            digest_a, digest_b = pair.select(_KEY).row(0)
            reason = " ".join(str(error).split())[:_REASON_CHARACTERS] or type(error).__name__
            _log.warning(
                "two pictures cannot be compared",
                stage=self._stage,
                digest_a=digest_a,
                digest_b=digest_b,
                reason=reason,
            )
            with self._lock:
                self._failed.append(pair.select(_KEY))
            return self._parts.empty()

    def _written(self, waiting: list[pl.DataFrame]) -> list[pl.DataFrame]:
        rows = pl.concat(waiting) if waiting else self._parts.empty()
        waiting.clear()
        if not rows.height:
            return []
        self._parts.append(rows)
        return [rows]


def failures_of_a_comparison() -> tuple[type[Exception], ...]:
    """What numpy and OpenCV raise where two pictures are too odd or too large for a comparison."""
    # Imported here: OpenCV is loaded where pixels are compared.
    import cv2

    # Not broader, as at the edge of a process: what is no matter of two pictures (a lost store, a frame that does not
    # fit its schema, an interrupt) must end the run. numpy's LinAlgError is a ValueError.
    return cv2.error, ArithmeticError, IndexError, ValueError
