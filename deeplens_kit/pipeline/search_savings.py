"""What deduplicating a picture would free, and which of its objects stays, beside the answers of a search.

Takes what is held of a workspace, gives what its groups say of each picture; must not keep a search waiting: of many
objects the groups are made beside it, and until they are there nothing is known.
"""

from __future__ import annotations

import threading

from deeplens_kit.errors import DeepLensError
from deeplens_kit.pipeline.duplicate_facts import DuplicateFrames
from deeplens_kit.pipeline.search_library import Held
from deeplens_kit.search.note_facts import DuplicateFacts
from deeplens_kit.telemetry import get_logger

__all__ = ["AT_ONCE_OBJECTS", "SearchSavings"]

_log = get_logger(__name__)

AT_ONCE_OBJECTS = 5_000
"""Of so many objects (inclusive) the groups are made within the search: a quarter of a second, once."""


class SearchSavings:
    """Savings by picture, as the catalog stands; safe to share between threads.

    Args:
        beside: Whether groups that take long are made beside the searches; else they are not made at all.
    """

    def __init__(self, *, beside: bool = True) -> None:
        self._beside = beside
        self._lock = threading.Lock()
        self._underway: tuple[DuplicateFrames, threading.Thread] | None = None

    def known(self, held: Held) -> DuplicateFacts | None:
        """What the groups say of each picture; None where they are still being made, or cannot be."""
        duplicates = held.duplicates
        if duplicates.is_made or held.library.places.height <= AT_ONCE_OBJECTS:
            return held.library.duplicate_facts
        with self._lock:
            if self._beside and (self._underway is None or self._is_over(duplicates)):
                thread = threading.Thread(target=_make, args=(held,), name="deeplens-savings")
                self._underway = (duplicates, thread)
                thread.start()
        return None

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Until the groups that are being made are there."""
        with self._lock:
            underway = self._underway
        if underway is not None:
            underway[1].join(timeout_seconds)

    def _is_over(self, duplicates: DuplicateFrames) -> bool:
        """Whether others are asked for than those that were made last."""
        return self._underway is not None and self._underway[0] is not duplicates and not self._underway[1].is_alive()


def _make(held: Held) -> None:
    try:
        _ = held.library.duplicate_facts
    except DeepLensError as error:
        # Beside a search, which has its answer; the stores may be closed by now.
        _log.warning("savings beside searches are not known", error=str(error))
