"""The GPU, where FAISS was built for one and one is there; everything works without.

Takes vectors and queries, gives rows or nothing: then the caller searches on the processor. A GPU takes one search at
a time, so that threads wait for each other. It compares everything: FAISS has no inverted file of packed pairs for one,
and a million vectors in float16 are one gibibyte, which it reads in less than a millisecond.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.vectors.base import Metric
from deeplens_kit.telemetry import get_logger

if TYPE_CHECKING:
    from deeplens_kit.search.vectors.exact_part import ExactPart

__all__ = ["OnDevice", "on_device", "search_device"]

_log = get_logger(__name__)

_FIRST = 0
# What FAISS's kernels for the GPU can give at most.
_MOST = 2_048
_BLOCK = 65_536


def search_device() -> str:
    """Where inverted files are searched in this process: "cuda:0" or "cpu"."""
    return f"cuda:{_FIRST}" if _devices() else "cpu"


class OnDevice:
    """Vectors on the GPU, moved there when they are first searched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resources: Any = None
        self._index: Any = None
        self._given_up = False

    def searched(self, exact: ExactPart, asked: NDArray[np.float32], count: int) -> NDArray[np.int64] | None:
        """Rows (m, count) that the GPU finds; None where there is none, or it cannot do this."""
        if self._given_up or count > _MOST or not _devices():
            return None
        with self._lock:
            # FAISS's own error, also for memory that the GPU lacks.
            try:
                if self._index is None:
                    self._index = self._moved(exact)
                rows = self._index.search(asked, count)[1]
            except (RuntimeError, AttributeError) as error:
                self._give_up(error)
                return None
        return np.asarray(rows)

    def _moved(self, exact: ExactPart) -> Any:
        import faiss as typed

        faiss: Any = typed
        self._resources = faiss.StandardGpuResources()
        kind = faiss.GpuIndexFlatIP if exact.metric is Metric.COSINE else faiss.GpuIndexFlatL2
        settings = faiss.GpuIndexFlatConfig()
        settings.device, settings.useFloat16 = _FIRST, True
        index = kind(self._resources, exact.vectors.shape[1], settings)
        for first in range(0, len(exact), _BLOCK):
            index.add(exact.rows(np.arange(first, min(first + _BLOCK, len(exact)))))
        return index

    def _give_up(self, error: Exception) -> None:
        self._given_up, self._index, self._resources = True, None, None
        _log.warning("the GPU is not used for a search: it refused the index", error=type(error).__name__)


def on_device(index: Any) -> Any:
    """A copy of an index on the GPU, for as long as it is used; None where there is none, or it does not take it."""
    if not _devices():
        return None
    import faiss as typed

    faiss: Any = typed
    try:
        resources = faiss.StandardGpuResources()
        return faiss.index_cpu_to_gpu(resources, _FIRST, index)
    except (RuntimeError, AttributeError) as error:
        _log.warning("the GPU is not used to order vectors: it refused the index", error=type(error).__name__)
        return None


def _devices() -> int:
    """GPUs that this build of FAISS can use; one for the processor alone may not even have the question."""
    import faiss as typed

    faiss: Any = typed
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") and hasattr(faiss, "get_num_gpus") else 0
