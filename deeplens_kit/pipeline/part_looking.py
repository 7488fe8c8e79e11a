"""Closer looks at the pictures that may have a part in common with one that is asked for, until enough is known.

Takes a picture and candidates in their order of promise, gives what was seen of each. Ends when enough is certain, when
many in a row had nothing, or when the time is spent: then the rest is said to be unseen. Must not rank.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from deeplens_kit.matching.verification.base import Look
from deeplens_kit.pipeline.look_files import LookFiles
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.pair_work import failures_of_a_comparison
from deeplens_kit.pipeline.part_looks import AskedLooks, look_within
from deeplens_kit.pipeline.picture_bytes import HeldPicture, PictureBytes
from deeplens_kit.pipeline.search_library import Held
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.search.part_candidates import PartCandidate
from deeplens_kit.search.part_rows import CERTAIN_SCORE, SEEN_SCORE, PartLook, part_scores
from deeplens_kit.search.part_views import ALL_OF_IT
from deeplens_kit.search.query import Box
from deeplens_kit.search.ranking import QueryPicture
from deeplens_kit.telemetry import get_logger

__all__ = ["Looked", "PartLooking"]

_log = get_logger(__name__)

# With so many in a row that have nothing in common, the next of falling promise will not either.
_FRUITLESS = 12
# So many are looked at for the best of them, also where only one is wanted.
_LEAST_CERTAIN = 12
# From this score on (inclusive) a look at parts is followed by one at all of both: 1 in 100 strangers reaches it.
_PROMISING = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was seen.

    Attributes:
        looks: Of each candidate one or two, in their order; without evidence of those that were not looked at.
        left: How many were not looked at because the time was spent; those too are among the looks.
        is_whole: Whether nothing more promising was left out when enough had been found.
    """

    looks: tuple[PartLook, ...]
    left: int
    is_whole: bool = True


class PartLooking:
    """Takes closer looks; what was read is kept from one search to the next. Safe to share between threads.

    Args:
        workspace: An open workspace.
        clock: Seconds, monotonic.
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace, self._clock = workspace, clock
        self._lock = threading.Lock()
        self._places: tuple[Held, PictureBytes] | None = None
        self._looks: PictureLooks | None = None

    def look(
        self,
        held: Held,
        asked: QueryPicture,
        own: AskedLooks,
        candidates: Sequence[PartCandidate],
        limit: int,
        seconds: float,
    ) -> Looked:
        """Look at the candidates in their order.

        Args:
            held: The library that they are of.
            asked: What is known of the picture asked for.
            own: Looks at it.
            candidates: The likeliest first.
            limit: With so many that are certain, and `_LEAST_CERTAIN`, no more are looked at.
            seconds: Wall time; a look that has begun is finished.
        """
        beside = _Beside(asked, held, own, self._source(held))
        ends_at = self._clock() + seconds
        taken: list[PartLook] = []
        certain = fruitless = done = 0
        try:
            for looks, score in self._in_order(candidates, beside, ends_at):
                taken += looks
                done += 1
                certain += score >= CERTAIN_SCORE
                fruitless = 0 if score >= SEEN_SCORE else fruitless + 1
                # The likeliest are not always those that agree best.
                if certain >= max(limit, _LEAST_CERTAIN) or fruitless >= _FRUITLESS:
                    return Looked(tuple(taken), 0, is_whole=fruitless >= _FRUITLESS or done == len(candidates))
        finally:
            self._forget_unread(beside.source)
        left = [unseen(item, "the time for it was spent") for item in candidates[done:]]
        return Looked((*taken, *left), len(left))

    def _in_order(
        self, candidates: Sequence[PartCandidate], beside: _Beside, ends_at: float
    ) -> Iterator[tuple[list[PartLook], float]]:
        """The looks at each candidate with the best of their scores, several at a time, while there is time."""
        from threadpoolctl import threadpool_limits

        workers = default_workers(self._workspace.settings.index.workers)
        # The threads here are the parallelism: those of the matrix library would only wait for each other.
        with ThreadPoolExecutor(workers) as pool, threadpool_limits(limits=1, user_api="blas"):
            for first in range(0, len(candidates), workers):
                if self._clock() >= ends_at:
                    return
                yield from pool.map(beside.looks_at, candidates[first : first + workers])

    def _source(self, held: Held) -> PictureLooks:
        with self._lock:
            if self._places is None or self._places[0].state.locations != held.state.locations:
                self._places = (held, PictureBytes(self._workspace))
            elif self._places[0] is not held:
                self._places = (held, self._places[1])
            if self._looks is None:
                settings = self._workspace.settings
                self._looks = PictureLooks(
                    self._read,
                    self._workspace.decoder,
                    held_bytes=settings.match.held_look_bytes,
                    files=LookFiles(settings.cache_dir),
                )
            return self._looks

    def _read(self, digest: str) -> bytes | None:
        with self._lock:
            assert self._places is not None, "looks are taken at a library that is held"
            held, source = self._places
        picture = _held_picture(held, digest)
        return None if picture is None else source.read_held(picture)

    def _forget_unread(self, source: PictureLooks) -> None:
        """What could not be read may be by the next search."""
        if source.unread:
            with self._lock:
                if self._looks is source:
                    self._looks = None


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    """What candidates are held against."""

    asked: QueryPicture
    held: Held
    own: AskedLooks
    source: PictureLooks

    def looks_at(self, candidate: PartCandidate) -> tuple[list[PartLook], float]:
        """The look at the parts by which the candidate was found and, where those promise anything, at all of both."""
        found = self.source.look(self.held.library.pictures["digest"][candidate.position])
        if found is None:
            return [unseen(candidate, "none of its files can be read now")], 0.0
        looks, score = self._look(candidate, found, candidate.asked, candidate.found)
        by_part = candidate.asked != ALL_OF_IT or candidate.found != ALL_OF_IT
        if by_part and (score >= _PROMISING or not looks):
            wider, other = self._look(candidate, found, ALL_OF_IT, ALL_OF_IT)
            looks, score = [*looks, *wider], max(score, other)
        return looks or [unseen(candidate, "it cannot be compared")], score

    def _look(self, candidate: PartCandidate, found: Look, asked: Box, box: Box) -> tuple[list[PartLook], float]:
        """The look at a part of one beside a part of the other, with its score; none where that cannot be compared."""
        from deeplens_kit.matching.verification.verify import look_evidence

        a, b = self.own.at(asked), look_within(found, box)
        if a is None or b is None:
            return [], 0.0
        try:
            evidence = look_evidence(a, b)
        except failures_of_a_comparison() as error:
            _log.warning("two pictures cannot be compared", position=candidate.position, reason=type(error).__name__)
            return [], 0.0
        looks = [PartLook(candidate.position, candidate.closeness, asked, box, evidence)]
        if evidence["region_a"] is None:
            return looks, 0.0
        return looks, float(part_scores(looks, self.asked.facts, self.held.library.pictures)["score"][0])


def unseen(candidate: PartCandidate, why: str) -> PartLook:
    """A candidate that was not looked at."""
    return PartLook(candidate.position, candidate.closeness, candidate.asked, candidate.found, None, why)


def _held_picture(held: Held, digest: str) -> HeldPicture | None:
    """Where a picture lies, as the library knows it."""
    library = held.library
    position = library.position(digest)
    if position is None:
        return None
    ids = {name: location_id for location_id, name, _ in held.state.locations}
    rows = library.places[library.places_of(np.array([position]))].select("location", "path")
    places = tuple((ids[location], path, None) for location, path in rows.iter_rows() if location in ids)
    return HeldPicture(digest, int(library.pictures["size_bytes"][position]), places)
