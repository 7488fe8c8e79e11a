"""What finding clusters costs, and how well known ones are found again.

Synthetic vectors around centres, of sizes that differ a hundredfold, with a fifth of them by themselves and a tenth
copies, are clustered, each size in a process of its own so that its peak memory is its own. Found and true clusters are
compared by the adjusted Rand index, over all vectors (those in none are one cluster of both) and over those that both
have in a cluster. At one size HDBSCAN of scikit-learn does the same over all distances. What has to be loaded is loaded
before any clock starts.

    python -m benchmarks.clusters [--pictures N ...] [--against N] [--times N] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.explore import LEAST_PICTURES, cluster

__all__ = ["main", "measure"]

SEED = 20_261_130
PICTURES = (10_000, 100_000, 1_000_000)
AGAINST = 3_000
TIMES = 3
_DIMENSIONS = 512
# Pictures of a cluster on average.
_MEAN = 100
_ALONE, _COPIES = 0.2, 0.1
_WARM_UP = 200
# More are measured once.
_ONCE_FROM = 300_000
_BLOCK = 20_000


def measure(pictures: Sequence[int], against: int, times: int, seed: int = SEED) -> Report:
    """Measure clustering at each number of pictures, and one of them by every distance."""
    report = Report("clusters", seed)
    parts: list[tuple[Callable[[int, int, int], dict[str, object]], int]] = [(clustered, count) for count in pictures]
    if against:
        parts.append((by_every_distance, against))
    for part, count in parts:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            report.add(**pool.submit(part, count, seed, 1 if count >= _ONCE_FROM else times).result())
    return report


def clustered(count: int, seed: int, times: int) -> dict[str, object]:
    """Clusters as the product finds them."""
    cluster(_world(_WARM_UP, seed)[0])
    vectors, truth, stands = _world(count, seed)
    return _timed("clusters", truth, times, lambda: cluster(vectors, stands_for=stands).labels)


def by_every_distance(count: int, seed: int, times: int) -> dict[str, object]:
    """The same by scikit-learn alone, over the pictures that are no copies."""
    from sklearn.cluster import HDBSCAN

    vectors, truth, stands = _world(count, seed)
    own = stands == np.arange(count)
    rows = vectors[own].astype(np.float64)

    def work() -> NDArray[np.int32]:
        labels = np.full(count, -1, np.int32)
        labels[own] = HDBSCAN(min_cluster_size=LEAST_PICTURES, copy=True).fit(rows).labels_
        return np.asarray(labels[stands])

    return _timed("scikit-learn alone", truth, times, work)


def _timed(part: str, truth: NDArray[np.int64], times: int, work: Callable[[], NDArray[np.int32]]) -> dict[str, object]:
    from sklearn.metrics import adjusted_rand_score

    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        labels = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    both = (labels >= 0) & (truth >= 0)
    return {
        "part": part,
        "pictures": len(truth),
        "times": times,
        "median_seconds": round(float(np.median(walls)), 2),
        "median_cpu_seconds": round(float(np.median(cpus)), 2),
        # Of the whole process, vectors and what made them included.
        "peak_mib": _peak_mib(),
        "true_clusters": int(truth.max()) + 1,
        "clusters": int(labels.max()) + 1,
        "rand_of_all": round(float(adjusted_rand_score(truth, labels)), 4),
        "rand_of_clustered": round(float(adjusted_rand_score(truth[both], labels[both])), 4),
        "found_of_true": round(float(both.sum() / (truth >= 0).sum()), 4),
        "alone_taken_in": round(float(((labels >= 0) & (truth < 0)).sum() / (truth < 0).sum()), 4),
    }


def _world(count: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.int64], NDArray[np.int64]]:
    """Unit vectors, the true cluster of each, -1 for none, and for each the row of what it is a copy of."""
    random = np.random.default_rng(seed)
    clusters = max(count // _MEAN, 3)
    # Shares from one to a hundred, as collections have them.
    shares = np.exp(random.uniform(0, np.log(100), clusters))
    truth = random.choice(clusters, count, p=shares / shares.sum())
    truth[random.random(count) < _ALONE] = -1
    centres = random.normal(size=(clusters, _DIMENSIONS)).astype(np.float32)
    spread = random.uniform(0.3, 0.7, clusters).astype(np.float32)
    stands = np.arange(count)
    copies = np.flatnonzero(random.random(count) < _COPIES)
    originals = np.setdiff1d(stands, copies)
    stands[copies] = random.choice(originals, len(copies))
    truth = truth[stands]
    vectors = np.empty((count, _DIMENSIONS), np.float16)
    for first in range(0, count, _BLOCK):
        part = truth[first : first + _BLOCK]
        rows = random.normal(size=(len(part), _DIMENSIONS)).astype(np.float32)
        within = part >= 0
        rows[within] = centres[part[within]] + spread[part[within], None] * rows[within]
        vectors[first : first + _BLOCK] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors, _with_least(truth, stands), stands


def _with_least(truth: NDArray[np.int64], stands: NDArray[np.int64]) -> NDArray[np.int64]:
    """True clusters numbered anew, those of too few different pictures left out."""
    own = truth[(stands == np.arange(len(truth))) & (truth >= 0)]
    enough = np.flatnonzero(np.bincount(own, minlength=int(truth.max()) + 1) >= LEAST_PICTURES)
    number = np.full(int(truth.max()) + 2, -1, np.int64)
    number[enough] = np.arange(len(enough))
    return np.asarray(number[truth])


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="*", default=list(PICTURES), help="numbers of pictures")
    parser.add_argument("--against", type=int, default=AGAINST, help="pictures for scikit-learn alone; 0 for none")
    parser.add_argument("--times", type=int, default=TIMES, help="times that each is measured")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.pictures, options.against, options.times), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
