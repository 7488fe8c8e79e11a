"""Look closely at the candidate pairs of a workspace: each pair of pictures once for each way to look at them.

Takes an open workspace and pairs, gives the pairs with what verification saw; must not give tiers, which are a rule's.
Verdicts come from the stored pairs where they are there, else from an unfinished run before, else from the pictures.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.matching.verification import EVIDENCE_COLUMNS, VERIFICATION, verify_pairs
from deeplens_kit.pipeline.look_names import VERDICTS
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.pair_parts import PairParts
from deeplens_kit.pipeline.pair_work import PairWork
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.working_order import working_order
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.schemas import PAIRS, Relation, Tier

__all__ = ["PairVerifier", "Verified", "with_verdicts"]

_KEY = list(PAIRS.key)


@dataclass(frozen=True, slots=True)
class Verified:
    """Counts of pairs.

    Attributes:
        looked_at: Looked at closely in this run.
        reused: Whose verdict was known.
        unverified: That were not looked at.
        pending: Of these, that the next run may look at: there was no time, or a picture could not be read.
        failed: Of these, whose comparison ended in an error.
    """

    looked_at: int
    reused: int
    unverified: int
    pending: int
    failed: int


class PairVerifier:
    """Verifies pairs in rounds; what it knows and the time it has are shared by all of them.

    Args:
        workspace: An open workspace; its stored pairs are what is known.
        looks: Where pixels come from.
        workers: Threads; None for the setting.
        progress: Told how it goes, as stage `verify`.
        stop: Set it to end early: what was seen is kept for the next run.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        workspace: Workspace,
        looks: PictureLooks,
        *,
        workers: int | None = None,
        progress: ProgressListener | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._looks, self._clock = looks, clock
        self._stop = stop or threading.Event()
        self._parts = PairParts(Path(workspace.settings.cache_dir) / "verdicts" / VERDICTS, self._columns)
        self._work = PairWork(
            "verify",
            self._told,
            self._parts,
            workers=default_workers(workspace.settings.index.workers if workers is None else workers),
            niceness=workspace.settings.index.niceness,
            progress=progress,
            stop=self._stop,
            clock=clock,
        )
        self._seconds_left = workspace.settings.match.verification_seconds or math.inf
        # Of equal samples the stored relation is told by these and not by a look: see `keep`.
        seen = (pl.col("verification") == VERDICTS) & (pl.col("tier") != Tier.PIXELS)
        stored = workspace.catalog.pairs().filter(seen).select(self._columns)
        known = pl.concat([stored, self._parts.read()])
        self._known = known.unique(_KEY, keep="first", maintain_order=True)
        self._looked_at = 0
        self._asked: list[pl.DataFrame] = []

    def verify(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """The pairs with what verification says of them.

        Args:
            pairs: PAIRS, none of an earlier round.

        Returns:
            PAIRS in the same order. What was not looked at has the relation `unverified`: a picture of it cannot be
            read or compared, the time is spent or the stop is set.
        """
        self._asked.append(pairs.select(_KEY))
        unknown = pairs.join(self._known, on=_KEY, how="anti", maintain_order="left")
        if unknown.height and self._seconds_left > 0:
            began = self._clock()
            ordered = unknown[working_order(unknown, likely_first=self._seconds_left < math.inf)]
            found = self._work.run(ordered, self._seconds_left)
            self._seconds_left = max(0.0, self._seconds_left - (self._clock() - began))
            self._looked_at += found.height
            self._known = pl.concat([self._known, found])
        return with_verdicts(pairs, self._known)

    @property
    def counts(self) -> Verified:
        """What became of the pairs of all rounds so far."""
        asked = pl.concat(self._asked) if self._asked else self._known.select(_KEY).clear()
        unverified = asked.join(self._known, on=_KEY, how="anti")
        reused = asked.height - unverified.height - self._looked_at
        failed = unverified.join(self._work.failed, on=_KEY, how="semi")
        pending = unverified.join(failed, on=_KEY, how="anti")
        if self._seconds_left > 0 and not self._stop.is_set():
            # Bytes that were read and not understood will not be next time; what could not be read may be.
            unread = sorted(self._looks.unread)
            pending = pending.filter(pl.any_horizontal(pl.col(end).is_in(unread) for end in _KEY))
        return Verified(self._looked_at, reused, unverified.height, pending.height, failed.height)

    def keep(self, stored: pl.DataFrame) -> None:
        """Keep what the stored pairs do not say, once they are stored: what was seen where equal samples decide.

        Should the samples of two pictures turn out unequal by a later version of their digest, what was seen counts
        again. Everything else that was kept of unfinished runs is removed.

        Args:
            stored: PAIRS.
        """
        equal = stored.filter(pl.col("tier") == Tier.PIXELS)
        self._parts.keep_only(self._known.join(equal, on=_KEY, how="semi"))

    @property
    def _columns(self) -> list[str]:
        return [*_KEY, *EVIDENCE_COLUMNS]

    def _told(self, batch: pl.DataFrame) -> pl.DataFrame:
        seen = verify_pairs(batch, self._looks).filter(pl.col("verification") == VERIFICATION)
        return seen.with_columns(verification=pl.lit(VERDICTS)).select(self._columns)


def with_verdicts(pairs: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The pairs with the verdicts that there are, the others without any.

    Args:
        pairs: PAIRS.
        verdicts: The key and EVIDENCE_COLUMNS, each pair once.

    Returns:
        PAIRS in the same order.
    """
    joined = pairs.drop(EVIDENCE_COLUMNS).join(verdicts, on=_KEY, how="left", maintain_order="left")
    return PAIRS.check(joined.with_columns(pl.col("relation").fill_null(str(Relation.UNVERIFIED))))
