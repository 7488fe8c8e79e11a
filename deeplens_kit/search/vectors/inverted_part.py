"""Vectors in an inverted file of FAISS, two bits a number, ranked again by the exact float16 values beside it.

Takes vectors that are laid out and gives candidates' rows with exact scores. Two numbers together are one of sixteen
pairs (a product quantizer), whose products with a query FAISS looks up in registers, 32 vectors at a time ("fast scan",
Andre et al., "Cache locality is not enough", VLDB 2015). A search reads a quarter of what eight bits a number are, and
what the pairs lose is made good by the values themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.vectors import policy
from deeplens_kit.search.vectors.base import Effort, Metric, Neighbours, Selection
from deeplens_kit.search.vectors.device import OnDevice, on_device
from deeplens_kit.search.vectors.exact_part import ExactPart

__all__ = ["InvertedPart", "built_index", "opened_index", "written_index"]

_SEED = 20_240
_BLOCK = 16_384
_ROUNDS = 10
_PAIR = 2
_BITS = 4
# Vectors that FAISS lays side by side.
_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class InvertedPart:
    """An inverted file and the vectors that are in it.

    Attributes:
        exact: The vectors.
        index: `faiss.IndexIVFPQFastScan`; searching one is safe from several threads.
        device: Where everything is compared instead, if there is one.
    """

    exact: ExactPart
    index: Any
    device: OnDevice = field(default_factory=OnDevice)

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def vectors(self) -> NDArray[np.float16]:
        """float16 (n, d)."""
        return self.exact.vectors

    @property
    def layout(self) -> str:
        """See `VectorIndex.layout`."""
        import faiss

        return f"IVF{self.index.nlist},PQ{self.index.M}x{_BITS}fs of FAISS {faiss.__version__}"

    def nearest(
        self, asked: NDArray[np.float32], k: int, selection: Selection | None, effort: Effort = Effort.BEST
    ) -> Neighbours:
        """As `ExactPart.nearest`, of the lists probed; exact where few rows are selected."""
        share = 1.0 if selection is None else selection.count / len(self)
        if share <= policy.SCAN_SHARE:
            return self.exact.nearest(asked, k, selection, effort)
        probes = policy.probes_for(self.index.nlist, len(self), effort, share)
        if selection is not None and share >= policy.LEFT_OUT_SHARE:
            return self.exact.best_of(asked, self._left_in(asked, k, probes, selection), k)
        candidates = self._candidates(asked, min(policy.candidates_for(k), len(self)), probes, selection)
        return self.exact.best_of(asked, candidates, k)

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of rows, float32 (m, d)."""
        return self.exact.rows(rows)

    def _left_in(self, asked: NDArray[np.float32], k: int, probes: int, selection: Selection) -> NDArray[np.int64]:
        """Candidates (m, c) among all, without those not selected; -1 in their places."""
        count = min(policy.candidates_for(k, selection.count / len(self)), len(self))
        found = self._candidates(asked, count, probes, None)
        found[~selection.mask[found]] = -1
        enough = min(policy.candidates_for(k), selection.count)
        short = np.flatnonzero((found >= 0).sum(axis=1) < enough)
        if len(short):
            again = self._candidates(asked[short], enough, probes, selection)
            found[short] = -1
            found[short, :enough] = again
        return found

    def _candidates(
        self, asked: NDArray[np.float32], count: int, probes: int, selection: Selection | None
    ) -> NDArray[np.int64]:
        import faiss as typed

        # Its types know the bindings of C++, not what Python adds to them.
        faiss: Any = typed
        if selection is None:
            on_device = self.device.searched(self.exact, asked, count)
            if on_device is not None:
                return on_device
        options: dict[str, Any] = {"nprobe": probes}
        if selection is not None:
            # The selector reads this array as long as it lives.
            options["sel"] = faiss.IDSelectorBitmap(selection.bits)
        parameters = faiss.IVFSearchParameters(**options)
        with threads_of_faiss(1 if len(asked) == 1 else None):
            return np.asarray(self.index.search(asked, count, params=parameters)[1])


def built_index(exact: ExactPart, *, threads: int | None = None) -> Any:
    """An inverted file over vectors; a million take 25 seconds of one core.

    Vectors that are zero are left out: they are alike to nothing.

    Args:
        exact: The vectors, at least as many as there are lists.
        threads: Cores that FAISS may use; all by default.

    Raises:
        InterruptedError: The process wants to end.
    """
    import faiss as typed

    faiss: Any = typed
    count = len(exact)
    lists = policy.lists_for(count)
    rows = np.random.default_rng(_SEED).permutation(count)[: policy.TRAINING_VECTORS_PER_LIST * lists]
    sample = exact.rows(np.sort(rows))
    sample = sample[np.any(sample != 0.0, axis=1)]
    with threads_of_faiss(threads):
        index = _trained(faiss, sample, lists, exact)
        for first in range(0, count, _BLOCK):
            _require_going_on()
            rows = np.arange(first, min(first + _BLOCK, count))
            vectors = exact.rows(rows)
            says = np.any(vectors != 0.0, axis=1)
            index.add_with_ids(vectors[says], rows[says])
    return index


def written_index(index: Any, path: Path) -> None:
    """Write an inverted file."""
    import faiss

    faiss.write_index(index, os.fspath(path))


def opened_index(path: Path) -> Any:
    """An inverted file, read: FAISS takes these from memory of its own alone, 172 MB for a million of 512 numbers.

    Raises:
        RuntimeError: FAISS cannot read it.
    """
    import faiss as typed

    faiss: Any = typed
    return faiss.read_index(os.fspath(path))


@contextmanager
def threads_of_faiss(count: int | None) -> Iterator[None]:
    """So many threads for what FAISS does meanwhile in this thread; None leaves it to FAISS.

    One query is too small to share: waking the threads takes longer, and many queries run side by side.
    """
    import faiss as typed

    faiss: Any = typed
    if count is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _trained(faiss: Any, sample: NDArray[np.float32], lists: int, exact: ExactPart) -> Any:
    """An empty inverted file that knows the lists and the pairs of numbers."""
    dimensions = exact.vectors.shape[1]
    centroids = _centroids(faiss, sample, lists, exact.metric)
    is_cosine = exact.metric is Metric.COSINE
    quantizer = faiss.IndexFlatIP(dimensions) if is_cosine else faiss.IndexFlatL2(dimensions)
    quantizer.add(centroids)
    pairs = dimensions // _PAIR if dimensions % _PAIR == 0 else dimensions
    metric = faiss.METRIC_INNER_PRODUCT if is_cosine else faiss.METRIC_L2
    index = faiss.IndexIVFPQFastScan(quantizer, dimensions, len(centroids), pairs, _BITS, metric, _TOGETHER)
    # Of the values themselves: what a list lacks to them costs a table for each list probed, and finds no more.
    index.by_residual = False
    index.pq.cp.seed, index.pq.cp.min_points_per_centroid = _SEED, 1
    # FAISS wants as many as there are pairs; those of a smaller library come again, and of none there are zeros.
    known = sample if len(sample) else np.zeros((1, dimensions), np.float32)
    index.train(np.resize(known, (max(len(known), 1 << _BITS), dimensions)))
    return index


def _centroids(faiss: Any, sample: NDArray[np.float32], lists: int, metric: Metric) -> NDArray[np.float32]:
    """Middles of as many heaps of a sample; of directions where these are compared."""
    parameters = faiss.ClusteringParameters()
    parameters.seed, parameters.niter = _SEED, _ROUNDS
    parameters.spherical = metric is Metric.COSINE
    parameters.min_points_per_centroid = 1
    dimensions = sample.shape[1]
    lists = max(1, min(lists, len(sample)))
    if not len(sample):
        return np.zeros((1, dimensions), np.float32)
    clustering = faiss.Clustering(dimensions, lists, parameters)
    search = faiss.IndexFlatIP(dimensions) if metric is Metric.COSINE else faiss.IndexFlatL2(dimensions)
    clustering.train(sample, on_device(search) or search)
    return np.asarray(faiss.vector_to_array(clustering.centroids)).reshape(lists, dimensions)


def _require_going_on() -> None:
    import threading

    # A thread beside the main one is waited for when the process ends.
    if threading.current_thread() is not threading.main_thread() and not threading.main_thread().is_alive():
        raise InterruptedError("the process ends")
