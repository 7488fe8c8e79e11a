"""Work on many pairs of pictures in threads, kept piece by piece.

Takes pairs in the order of work and a function of a batch, gives the rows that it told; must not know what is found
out. Stopped or killed at any time, what was told is kept but for the last few seconds.
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
from deeplens_kit.telemetry import span

__all__ = ["PairWork"]

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
        progress: ProgressListener | None,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage, self._work, self._parts = stage, work, parts
        self._workers, self._progress, self._stop, self._clock = workers, progress, stop, clock

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

    def _batches(self, pairs: pl.DataFrame, seconds: float) -> Iterator[pl.DataFrame]:
        ends_at = self._clock() + seconds
        for start in range(0, pairs.height, _BATCH_PAIRS):
            if self._clock() >= ends_at:
                return
            yield pairs[start : start + _BATCH_PAIRS]

    def _worked(self, batches: Sequence[pl.DataFrame]) -> list[tuple[int, pl.DataFrame]]:
        with span(self._stage):
            return [(batch.height, self._work(batch)) for batch in batches]

    def _written(self, waiting: list[pl.DataFrame]) -> list[pl.DataFrame]:
        rows = pl.concat(waiting) if waiting else self._parts.empty()
        waiting.clear()
        if not rows.height:
            return []
        self._parts.append(rows)
        return [rows]
