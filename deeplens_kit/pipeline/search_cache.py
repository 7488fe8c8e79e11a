"""Indices of vectors in files of the cache, brought up to what the catalog holds.

Takes a catalog and the pictures of a library, gives a shelf with their vectors; reads from the catalog only those that
no file has, writes nothing but the cache. Must not be relied on: any file of it may be deleted at any time and is made
again. What came since an index was made is kept beside it; where that is much, a thread makes it again, and those that
search go on with the old one until the new one is whole.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.catalog import Catalog
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.search import VectorShelf
from deeplens_kit.search.vectors import IndexFolder, digest_bytes, digest_texts
from deeplens_kit.telemetry import get_logger, span

__all__ = ["KEPT_FROM_VECTORS", "Generations", "SearchCache", "merges_done"]

_log = get_logger(__name__)

KEPT_FROM_VECTORS = 20_000
"""From so many vectors (inclusive) a shelf is kept in files; fewer are read from the catalog as fast as from there."""

Generations = tuple[tuple[str, str], ...]
"""Keys of features with the names of the bases that their folders have."""

# Vectors that came since a base was made, as a share of it; beyond, a new one is made of the catalog at once.
_STALE_SHARE, _STALE_LEAST = 0.25, 20_000
# A million are built in half a minute of two cores, on a busy machine in two.
_WAIT_SECONDS = 300.0

_MERGES: dict[Path, threading.Thread] = {}
_MERGES_LOCK = threading.Lock()


class SearchCache:
    """The indices of a workspace, a folder for each feature.

    Args:
        cache_dir: Folder of the workspace's caches.
    """

    def __init__(self, cache_dir: Path | str) -> None:
        self._root = Path(cache_dir) / "search"

    def generations(self) -> Generations:
        """What there is now; another answer than before tells that an index was made anew, by whomever."""
        try:
            keys = sorted(entry.name for entry in os.scandir(self._root) if entry.is_dir())
        except OSError:
            return ()
        bases = ((key, self._folder(key).generation()) for key in keys)
        return tuple((key, base) for key, base in bases if base is not None)

    def shelf(
        self, catalog: Catalog, spec: FeatureSpec, digests: NDArray[np.uint8], held: VectorShelf | None
    ) -> VectorShelf:
        """The vectors of pictures; no other row of it is found.

        Args:
            catalog: Where vectors are that no file has.
            spec: The feature.
            digests: Of the pictures, uint8 (n, 32), rising.
            held: What this process searches now; it serves on where no newer base is there.
        """
        folder = self._folder(spec.key)
        # 1. What there is, with what came since, and without what is gone.
        known = self._known(folder, held)
        shelf = None if known is None else self._brought_up(catalog, spec, known, digests)
        if shelf is None or (shelf.stored is None and shelf.living >= KEPT_FROM_VECTORS):
            shelf = self._with_late(catalog, spec, self._made(folder, catalog, spec), digests)
        # 2. Kept beside the base; where it is much, one is made of both.
        if shelf.stored is None:
            return shelf
        shelf = folder.keep(shelf)
        if folder.is_due(shelf):
            self._merge_beside(folder, shelf)
        return shelf

    def _brought_up(
        self, catalog: Catalog, spec: FeatureSpec, shelf: VectorShelf, digests: NDArray[np.uint8]
    ) -> VectorShelf | None:
        """A shelf with just the vectors of these pictures; None where too many of them are not in it."""
        rows = shelf.rows_of(digests)
        alive = np.zeros(len(shelf), bool)
        alive[rows[rows >= 0]] = True
        most = max(_STALE_LEAST, _STALE_SHARE * len(shelf))
        return self._with(catalog, spec, shelf.only(alive), digests[rows < 0], most)

    def _with_late(
        self, catalog: Catalog, spec: FeatureSpec, shelf: VectorShelf, digests: NDArray[np.uint8]
    ) -> VectorShelf:
        """A shelf with what it lacks: another process may have made it, of what the catalog held before."""
        return self._with(catalog, spec, shelf, digests[shelf.rows_of(digests) < 0]) or shelf

    @staticmethod
    def _with(
        catalog: Catalog, spec: FeatureSpec, shelf: VectorShelf, lacking: NDArray[np.uint8], most: float = math.inf
    ) -> VectorShelf | None:
        """A shelf with the vectors of pictures that it lacks; None where there are more than `most`."""
        if not len(lacking):
            return shelf
        names, blocks = catalog.vector_blocks(spec, digest_texts(lacking).to_list())
        if len(names) > most:
            return None
        for texts, vectors in blocks:
            shelf = shelf.add(texts, vectors)
        return shelf

    def _known(self, folder: IndexFolder, held: VectorShelf | None) -> VectorShelf | None:
        if held is None or held.stored is None:
            opened = folder.open()
            return held if opened is None else opened
        generation = folder.generation()
        if generation == held.stored.base:
            return held
        newer = folder.open()
        if newer is None:
            # The files are gone, but what is mapped of them stays.
            self._merge_beside(folder, replace(held, stored=None))
        return newer or held

    def _made(self, folder: IndexFolder, catalog: Catalog, spec: FeatureSpec) -> VectorShelf:
        """A base of all vectors that the catalog has; in memory where they are few or the disk refuses."""
        names, blocks = catalog.vector_blocks(spec)
        if len(names) < KEPT_FROM_VECTORS:
            return VectorShelf.of(spec.key, *catalog.vectors(spec))

        def packed() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
            for texts, vectors in blocks:
                yield digest_bytes(texts), vectors

        _log.info("search index is built", feature=spec.key, vectors=len(names))
        with span("search.build_index"):
            made = folder.build(digest_bytes(names), spec.size, packed())
            # Another process builds the same: waited for.
            made = made or folder.opened_when_free(_WAIT_SECONDS)
        return made or VectorShelf.of(spec.key, *catalog.vectors(spec))

    def _merge_beside(self, folder: IndexFolder, shelf: VectorShelf) -> None:
        """Make a base of a shelf in a thread, one at a time for each folder."""
        with _MERGES_LOCK:
            running = _MERGES.get(folder.path)
            if running is not None and running.is_alive():
                return
            # Half of the cores are left to those that search.
            threads = max(1, (os.cpu_count() or 1) // 2)
            thread = threading.Thread(
                target=folder.merge, args=(shelf,), kwargs={"threads": threads}, name="deeplens-search-index"
            )
            _MERGES[folder.path] = thread
            thread.start()

    def _folder(self, key: str) -> IndexFolder:
        return IndexFolder(self._root / key, key)


def merges_done(timeout_seconds: float | None = None) -> bool:
    """Wait for the merges that this process has begun; whether they are done."""
    with _MERGES_LOCK:
        threads = list(_MERGES.values())
    for thread in threads:
        thread.join(timeout_seconds)
    return not any(thread.is_alive() for thread in threads)
