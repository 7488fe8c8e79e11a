"""What deduplicating a picture would free, and which of its objects stays, beside the answers of a search.

Takes what is held of a workspace, gives what its groups say of each picture; must not keep a search waiting: of many
objects the groups are made beside it, and until they are there nothing is known.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.pipeline.duplicate_facts import DuplicateFrames
from deeplens_kit.telemetry import get_logger

__all__ = ["AT_ONCE_OBJECTS", "GroupedSavings", "SearchSavings"]

_log = get_logger(__name__)

AT_ONCE_OBJECTS = 5_000
"""Of so many objects (inclusive) the groups are made within the search: a quarter of a second, once."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupedSavings:
    """What groups say of pictures.

    Attributes:
        saves: digest, saves_bytes (Int64), sorted: of pictures in a group, what their groups would free together.
        keepers: Ids of the objects that stay.
    """

    saves: pl.DataFrame
    keepers: frozenset[str]

    def of(self, digests: pl.Series) -> pl.Series:
        """What deduplicating each picture would free, in bytes; 0 where it is in no group."""
        if self.saves.is_empty():
            return pl.Series("saves_bytes", [0] * len(digests), pl.Int64)
        rows = self.saves["digest"].search_sorted(digests).clip(0, self.saves.height - 1)
        found = self.saves[rows]
        return found.select(pl.when(found["digest"] == digests).then("saves_bytes").otherwise(0)).to_series()


class SearchSavings:
    """Savings by picture, as the catalog stands; safe to share between threads.

    Args:
        beside: Whether groups that take long are made beside the searches; else they are not made at all.
    """

    def __init__(self, *, beside: bool = True) -> None:
        self._beside = beside
        self._lock = threading.Lock()
        self._known: tuple[DuplicateFrames, GroupedSavings] | None = None
        self._underway: tuple[DuplicateFrames, threading.Thread] | None = None

    def known(self, duplicates: DuplicateFrames, objects: int) -> GroupedSavings | None:
        """What the groups say; None where they are still being made, or cannot be.

        Args:
            duplicates: Of what is held.
            objects: That it has.
        """
        with self._lock:
            if self._known is not None and self._known[0] is duplicates:
                return self._known[1]
            if duplicates.is_made or objects <= AT_ONCE_OBJECTS:
                self._known = (duplicates, _grouped(duplicates))
                return self._known[1]
            if not self._beside:
                return None
            if self._underway is None or (self._underway[0] is not duplicates and not self._underway[1].is_alive()):
                thread = threading.Thread(target=_make, args=(duplicates,), name="deeplens-savings")
                self._underway = (duplicates, thread)
                thread.start()
            return None

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Until the groups that are being made are there."""
        with self._lock:
            underway = self._underway
        if underway is not None:
            underway[1].join(timeout_seconds)


def _make(duplicates: DuplicateFrames) -> None:
    try:
        duplicates.frame()
    except DeepLensError as error:
        # Beside a search, which has its answer; the stores may be closed by now.
        _log.warning("savings beside searches are not known", error=str(error))


def _grouped(duplicates: DuplicateFrames) -> GroupedSavings:
    frame = duplicates.frame()
    return GroupedSavings(frame.select("digest", "saves_bytes"), frozenset(frame["keeper_object_id"]))
