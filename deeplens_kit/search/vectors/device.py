"""The GPU, where FAISS was built for one and one is there; everything works without.

Takes an index and queries, gives rows or nothing: then the caller searches on the processor. A GPU takes one search at
a time, so that threads wait for each other.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.telemetry import get_logger

__all__ = ["OnDevice", "search_device"]

_log = get_logger(__name__)

_FIRST = 0
# What FAISS's kernels for the GPU can give and probe at most.
_MOST = 2_048


def search_device() -> str:
    """Where inverted files are searched in this process: "cuda:0" or "cpu"."""
    return f"cuda:{_FIRST}" if _devices() else "cpu"


class OnDevice:
    """One index on the GPU, moved there when it is first searched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resources: Any = None
        self._index: Any = None
        self._given_up = False

    def searched(self, index: Any, codes: NDArray[np.float32], count: int, probes: int) -> NDArray[np.int64] | None:
        """Rows (m, count) that the GPU finds; None where there is none, or it cannot do this."""
        if self._given_up or count > _MOST or probes > _MOST or not _devices():
            return None
        import faiss as typed

        faiss: Any = typed
        with self._lock:
            if self._index is None:
                self._index = self.moved(index)
                if self._index is None:
                    return None
            try:
                rows = self._index.search(codes, count, params=faiss.SearchParametersIVF(nprobe=probes))[1]
            # FAISS's own error, also for memory that the GPU lacks.
            except RuntimeError as error:
                self._give_up(error)
                return None
        return np.asarray(rows)

    def moved(self, index: Any) -> Any:
        """A copy of an index on the GPU; None where there is none, or it does not take it."""
        if not _devices():
            return None
        import faiss as typed

        faiss: Any = typed
        try:
            self._resources = faiss.StandardGpuResources()
            return faiss.index_cpu_to_gpu(self._resources, _FIRST, index)
        except (RuntimeError, AttributeError) as error:
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        self._given_up, self._index, self._resources = True, None, None
        _log.warning("the GPU is not used for a search: it refused the index", error=type(error).__name__)


def _devices() -> int:
    """GPUs that this build of FAISS can use; one for the processor alone may not even have the question."""
    import faiss as typed

    faiss: Any = typed
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") and hasattr(faiss, "get_num_gpus") else 0
