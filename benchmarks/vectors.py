"""What the index of vectors costs and finds by itself, beside comparing everything.

Vectors as an embedding gives them are made: families of near copies in broad topics. They are laid into the files of an
index in blocks, as from a catalog; a new process opens them and searches for vectors near stored ones, one after
another and in batches, for all of them and for shares of them. Every answer is held against all products, computed in
the same run; what is found is counted among the ten nearest that are near at all (cosine 0.45 and more), as stored
pairs are. Each size runs in processes of its own, so that its memory is its own.

    python -m benchmarks.vectors [--scale N ...] [--queries N] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.search.vectors import Effort, IndexFolder, Neighbours, VectorShelf
from deeplens_kit.search.vectors.device import search_device
from deeplens_kit.search.vectors.exact_part import ExactPart

__all__ = ["main", "measure"]

SEED = 20_261_130
SCALES = (10_000, 100_000, 1_000_000)
QUERIES = 400
_DIMENSIONS, _NEIGHBOURS, _FLOOR = 512, 10, 0.45
_FAMILY, _TOPIC = 12, 400
_BLOCK = 20_000
_SHARES = (0.5, 0.1, 0.01)
_EXACT_QUERIES = 20
_BATCHES = 3


def measure(scales: Sequence[int], queries: int, seed: int = SEED) -> Report:
    """Measure an index of each number of vectors."""
    report = Report("vectors", seed)
    report.figures |= {"device": search_device(), "p95_ms_to_stay_under": 10.0, "recall_to_reach": 0.97}
    context = multiprocessing.get_context("spawn")
    for scale in scales:
        with tempfile.TemporaryDirectory() as folder:
            row: dict[str, object] = {"vectors": scale}
            for step in (_build, _search):
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    row |= pool.submit(step, Path(folder), scale, queries, seed).result()
            report.add(**row)
    return report


def _build(folder: Path, count: int, queries: int, seed: int) -> dict[str, object]:
    """Make the index; how long it takes, and what it takes on the disk."""
    random = np.random.default_rng(seed)
    digests = random.integers(0, 256, (count, 32), dtype=np.uint8)
    parts = [_vectors(min(_BLOCK, count - first), random) for first in range(0, count, _BLOCK)]

    def blocks() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
        for number, part in enumerate(parts):
            yield digests[number * _BLOCK : number * _BLOCK + len(part)], part

    begun, spent = time.perf_counter(), time.process_time()
    shelf = IndexFolder(folder / "index", "made").build(digests, _DIMENSIONS, blocks())
    if shelf is None:
        raise RuntimeError("the index was not built")
    seconds = {"built_seconds": time.perf_counter() - begun, "built_cpu_seconds": time.process_time() - spent}
    sizes = {path.name: path.stat().st_size for path in (folder / "index").rglob("*") if path.is_file()}
    exact = sizes.pop("vectors.f16")
    return seconds | {"layout": shelf.layout, "index_bytes": sum(sizes.values()), "exact_vectors_bytes": exact}


def _search(folder: Path, count: int, queries: int, seed: int) -> dict[str, object]:
    """Open it and ask."""
    IndexFolder(folder / "none", "made").open()
    before = _memory()
    begun = time.perf_counter()
    shelf = IndexFolder(folder / "index", "made").open()
    opened = time.perf_counter() - begun
    if shelf is None:
        raise RuntimeError("the index cannot be opened")
    random = np.random.default_rng(seed + 1)
    rows = np.sort(random.integers(0, count, queries))
    asked = shelf.rows(rows) + 0.02 * random.normal(size=(queries, _DIMENSIONS)).astype(np.float32)
    row: dict[str, object] = {"opened_seconds": opened}
    # 1. One after another, all of them and shares of them.
    truth = _truth(shelf, asked, None)
    shelf.nearest(asked[0], _NEIGHBOURS)
    whole, row["recall_at_10"] = _single(shelf, asked, truth, None)
    row["single_ms"] = whole
    for share in _SHARES:
        mask = random.random(count) < share
        some = asked[: queries // 2]
        filtered, recall = _single(shelf, some, _truth(shelf, some, mask), mask)
        ratio = filtered["p50"] / whole["p50"]
        row[f"filtered_{share:.0%}"] = {"ratio": ratio, "recall_at_10": recall, "p95": filtered["p95"]}
    row["memory_mib"] = {name: value - before[name] for name, value in _memory().items()}
    # 2. In batches.
    for effort in (Effort.FAST, Effort.BEST):
        found, rate = _batched(shelf, asked, effort, _BATCHES)
        near = [set(found.of(number)[0].tolist()) for number in range(queries)]
        row[f"batch_{effort}"] = {"queries_per_second": rate, "recall_at_10": _recall(truth, near)}
    # 3. Everything compared, in the same run.
    part = ExactPart(shelf.parts[0].vectors, shelf.metric)
    exact = VectorShelf(shelf.key, shelf.metric, (part,), shelf.packed)
    row["exact_single_ms"] = _single(exact, asked[:_EXACT_QUERIES], truth[:_EXACT_QUERIES], None)[0]
    _, row["exact_batch_queries_per_second"] = _batched(exact, asked, Effort.BEST, 1)
    return row


def _single(
    shelf: VectorShelf, asked: NDArray[np.float32], truth: Sequence[set[int]], mask: NDArray[np.bool_] | None
) -> tuple[dict[str, float], float]:
    taken, found = [], []
    for query in asked:
        begun = time.perf_counter()
        rows, _ = shelf.nearest(query, _NEIGHBOURS, _FLOOR, mask)
        taken.append(time.perf_counter() - begun)
        found.append(set(rows.tolist()))
    p50, p95, p99 = np.percentile(taken, [50, 95, 99]) * 1000
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}, _recall(truth, found)


def _batched(shelf: VectorShelf, asked: NDArray[np.float32], effort: Effort, rounds: int) -> tuple[Neighbours, float]:
    begun = time.perf_counter()
    for _ in range(rounds):
        found = shelf.nearest_many(asked, _NEIGHBOURS, effort=effort)
    return found, rounds * len(asked) / (time.perf_counter() - begun)


def _truth(shelf: VectorShelf, asked: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> list[set[int]]:
    """The rows of the ten nearest, of those near at all, by all products in plain numpy."""
    unit = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    best: list[list[tuple[float, int]]] = [[] for _ in asked]
    vectors = shelf.parts[0].vectors
    for first in range(0, len(vectors), _BLOCK):
        cosines = unit @ vectors[first : first + _BLOCK].astype(np.float32).T
        if mask is not None:
            cosines[:, ~mask[first : first + _BLOCK]] = -1.0
        for query, row in zip(*np.nonzero(cosines >= _FLOOR), strict=True):
            best[query].append((float(cosines[query, row]), first + int(row)))
    return [{row for _, row in sorted(near, reverse=True)[:_NEIGHBOURS]} for near in best]


def _recall(truth: Sequence[set[int]], found: Sequence[set[int]]) -> float:
    near = sum(map(len, truth))
    return sum(len(a & b) for a, b in zip(truth, found, strict=True)) / near if near else 1.0


def _vectors(size: int, random: np.random.Generator) -> NDArray[np.float16]:
    """Unit vectors in families with cosines around 0.8, these in topics with cosines around 0.2."""
    topics = np.repeat(_normal((-(-size // _TOPIC), _DIMENSIONS), random), _TOPIC, axis=0)[:size]
    families = np.repeat(_normal((-(-size // _FAMILY), _DIMENSIONS), random), _FAMILY, axis=0)[:size]
    rows = np.float32(0.5) * (topics + _normal((size, _DIMENSIONS), random)) + families
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float16)


def _normal(shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    return random.standard_normal(shape, dtype=np.float32)


def _memory() -> dict[str, int]:
    """MiB of this process: its own, and of files that are mapped, which the system takes back where it needs them."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return {name: int(lines[field].split()[0]) // 1024 for name, field in (("own", "RssAnon"), ("mapped", "RssFile"))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of vectors")
    parser.add_argument("--queries", type=int, default=QUERIES, help="vectors searched for")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale, options.queries), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
