"""umap-learn as the map uses it: given neighbours in, places out, its machine code kept on disk.

Takes the nearest neighbours of each vector and a first guess of the places, gives the places that UMAP finds (McInnes,
Healy and Melville, arXiv:1802.03426). Must not search for neighbours: by FAISS they are exact, the same whatever the
threads, and nothing has to be compiled for them. Everything here runs in one thread, so that one seed gives one map
whatever the number of cores.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.telemetry import get_logger

__all__ = ["embed"]

# The defaults of umap-learn: how tight points may lie, how far a map spreads, strangers drawn for each neighbour.
_SPREAD, _MIN_DISTANCE, _STRANGERS = 1.0, 0.1, 5
_LEARNING_RATE = _REPULSION = 1.0

# What umap-learn compiles anew in every process: five seconds, a twentieth of one when it is kept.
_COMPILED = (
    ("umap_", "smooth_knn_dist"),
    ("umap_", "compute_membership_strengths"),
    ("layouts", "_nb_optimize_layout_euclidean_single_epoch"),
)

# The number of numba's threads is set for a while, and umap-learn shares its compiled functions between threads.
_one_at_a_time = threading.Lock()

_log = get_logger(__name__)


def embed(
    neighbours: NDArray[np.int64], distances: NDArray[np.float32], guess: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Find places such that near neighbours lie near each other.

    Args:
        neighbours: (n, k) int64, the nearest items of each item, itself first; -1 where there are no more.
        distances: (n, k) float32, 0..2, rising along each row.
        guess: (n, 2) float32, where to begin; both columns must vary.
        seed: 0..2^32 - 1. The same seed gives the same places, bit for bit, with the same libraries.

    Raises:
        ExtraMissingError: umap-learn is not installed.
    """
    umap = _umap()
    import numba

    with _one_at_a_time:
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            return _embedded(umap, neighbours, distances, guess, np.random.RandomState(seed))
        finally:
            numba.set_num_threads(threads)


def _embedded(
    umap: Any,
    neighbours: NDArray[np.int64],
    distances: NDArray[np.float32],
    guess: NDArray[np.float32],
    random: np.random.RandomState,
) -> NDArray[np.float32]:
    # Only the shape of the vectors is looked at where neighbours and the first places are given.
    shape = np.empty((len(neighbours), 0), np.float32)
    graph = umap.fuzzy_simplicial_set(
        shape, neighbours.shape[1], random, "cosine", knn_indices=neighbours, knn_dists=distances
    )[0]
    curve = umap.find_ab_params(_SPREAD, _MIN_DISTANCE)
    placed, _ = umap.simplicial_set_embedding(
        data=shape,
        graph=graph,
        n_components=2,
        initial_alpha=_LEARNING_RATE,
        a=curve[0],
        b=curve[1],
        gamma=_REPULSION,
        negative_sample_rate=_STRANGERS,
        n_epochs=None,
        init=guess,
        random_state=random,
        metric="cosine",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return np.asarray(placed, np.float32)


@cache
def _umap() -> Any:
    try:
        with warnings.catch_warnings():
            # It says that TensorFlow, which nothing here needs, is missing.
            warnings.simplefilter("ignore", ImportWarning)
            import umap
    except ImportError as error:
        raise ExtraMissingError("The map", "workbench") from error
    for module, name in _COMPILED:
        try:
            getattr(getattr(umap, module), name).enable_caching()
        except (AttributeError, RuntimeError) as error:
            # Another umap-learn, or no folder that can be written: it works all the same, five seconds later.
            _log.info("machine code is not kept", function=name, reason=str(error))
    return umap.umap_
