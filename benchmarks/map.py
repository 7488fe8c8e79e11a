"""What the map costs: laying pictures out, and what a pointer and a change of colour then take.

Synthetic vectors in families are laid out, each size in a process of its own so that its peak memory is its own; at one
size umap-learn by itself does the same with the same seed, and both are asked how many of the true neighbours of a
vector are still near it on the map. Then points are pointed at and drawn again as a person does it. The machine code is
compiled before any clock starts.

    python -m benchmarks.map [--layout N ...] [--against N] [--points N ...] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.explore import NEIGHBOURS, PlacePicker, layout
from deeplens_kit.matching.neighbours import VectorIndex
from deeplens_kit.schemas import MAP_POINTS
from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.state.map_colours import COLOUR_CHOICES, colouring_of

__all__ = ["main", "measure"]

SEED = 20_260_923
LAYOUTS = (1_000, 10_000, 20_000, 100_000)
AGAINST = 20_000
POINTS = (100_000, 1_000_000)
_DIMENSIONS = 512
_FAMILY = 4
_WARM_UP = 100
_CHECKED = 1_000
_UMAP_SEARCHES = 4_096
_LOOKS, _DRAWINGS = 500, 7
_WIDTH_PX, _HEIGHT_PX = 900, 560
_REACH_PX = 14


def measure(layouts: Sequence[int], against: int, points: Sequence[int], seed: int = SEED) -> Report:
    """Measure layouts, one of them against umap-learn alone, and what is done with points."""
    report = Report("map", seed)
    parts: list[tuple[Callable[[int, int], list[dict[str, object]]], int]] = [(laid_out, count) for count in layouts]
    if against:
        parts.append((umap_alone, against))
    parts += [(looked_at, count) for count in points]
    for part, count in parts:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            for row in pool.submit(part, count, seed).result():
                report.add(**row)
    ours, theirs = (_cpu_seconds(report, part, against) for part in ("layout", "umap-learn alone"))
    if ours and theirs:
        report.figures["layout_to_umap_alone_cpu"] = round(ours / theirs, 3)
    return report


def laid_out(count: int, seed: int) -> list[dict[str, object]]:
    """One map."""
    layout(_vectors(_WARM_UP, seed), seed=seed)
    vectors = _vectors(count, seed)
    return [_timed("layout", vectors, seed, lambda: layout(vectors, seed=seed))]


def umap_alone(count: int, seed: int) -> list[dict[str, object]]:
    """The same by umap-learn, which searches for neighbours by itself; seeded, so in one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        def embed(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
            made = umap.UMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=seed, n_jobs=1)
            return np.asarray(made.fit_transform(vectors.astype(np.float32)))

        # From so many items on it searches by another method, which has to be compiled as well.
        embed(_vectors(_WARM_UP if count < _UMAP_SEARCHES else _UMAP_SEARCHES, seed))
        vectors = _vectors(count, seed)
        return [_timed("umap-learn alone", vectors, seed, lambda: embed(vectors))]


def looked_at(count: int, seed: int) -> list[dict[str, object]]:
    """The median of many looks and drawings, each as the view does it when the pointer or a choice moves."""
    points = _points(count, seed)
    places = points.select("x", "y").to_numpy().astype(np.float32)
    low, high = places.min(axis=0), places.max(axis=0)
    window = Window(tuple(low.tolist()), tuple(high.tolist()), _WIDTH_PX, _HEIGHT_PX)
    rows = [_looks(places, window, seed)]
    few = np.zeros(count, bool)
    few[: count // 50] = True
    for colour_by in COLOUR_CHOICES:
        raster = MapRaster(places, colouring_of(points, colour_by))
        for name, selected in (("all", None), ("a fiftieth selected", few)):
            raster.draw(window, selected)
            rows.append(
                {
                    "part": f"drawing by {colour_by}, {name}",
                    "pictures": count,
                    "median_ms": _median_ms(lambda: raster.draw(window, selected), _DRAWINGS),  # noqa: B023 - called now
                }
            )
    return rows


def _looks(places: NDArray[np.float32], window: Window, seed: int) -> dict[str, object]:
    picker = PlacePicker(places)
    began = time.perf_counter()
    picker.nearest(0.0, 0.0, (1.0, 1.0))
    first = time.perf_counter() - began
    span = np.subtract(window.high, window.low)
    reach = tuple((_REACH_PX * span / (_WIDTH_PX, _HEIGHT_PX)).tolist())
    looks = iter(window.low + np.random.default_rng(seed).random((_LOOKS, 2)) * span)
    found = _median_ms(lambda: picker.nearest(*next(looks), reach), _LOOKS)
    return {"part": "pointing", "pictures": len(places), "first_ms": round(1000 * first, 1), "median_ms": found}


def _timed(
    part: str, vectors: NDArray[np.floating], seed: int, work: Callable[[], NDArray[np.float32]]
) -> dict[str, object]:
    before = _peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    places = work()
    return {
        "part": part,
        "pictures": len(vectors),
        "seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_mib_more": _peak_mib() - before,
        "neighbours_kept": round(_kept(vectors, places, seed), 3),
    }


def _kept(vectors: NDArray[np.floating], places: NDArray[np.float32], seed: int) -> float:
    """Share of the nearest vectors of a vector that are among as many nearest points of its point."""
    from scipy.spatial import cKDTree

    asked = np.random.default_rng(seed).permutation(len(vectors))[:_CHECKED]
    hits = VectorIndex(vectors).nearest(vectors[asked], NEIGHBOURS, -1.0)
    true = [set(hits.item[hits.query == row].tolist()) - {int(item)} for row, item in enumerate(asked)]
    near = cKDTree(places).query(places[asked], k=NEIGHBOURS)[1]
    return float(np.mean([len(own & set(row.tolist())) / len(own) for own, row in zip(true, near, strict=True)]))


def _vectors(count: int, seed: int) -> NDArray[np.float16]:
    """Unit vectors in families of `_FAMILY`, the families in themes."""
    random = np.random.default_rng(seed)
    themes = random.normal(size=(max(count // 400, 3), _DIMENSIONS))
    families = themes[random.integers(0, len(themes), -(-count // _FAMILY))]
    families = families + 1.0 * random.normal(size=families.shape)
    vectors = np.empty((count, _DIMENSIONS), np.float16)
    for first in range(0, count, 10_000):
        rows = families[np.arange(first, min(first + 10_000, count)) // _FAMILY]
        rows = rows + 0.4 * random.normal(size=rows.shape)
        vectors[first : first + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(vectors[random.permutation(count)])


def _points(count: int, seed: int) -> pl.DataFrame:
    """MAP_POINTS in clusters, at four locations; one in five can be freed."""
    random = np.random.default_rng(seed)
    centres = random.normal(scale=8, size=(count // 60, 2))
    places = centres[random.integers(0, len(centres), count)] + random.normal(scale=0.4, size=(count, 2))
    freed = np.where(random.random(count) < 0.2, np.exp(random.normal(13, 2, count)), 0).astype(np.int64)
    tier = np.where(freed > 0, np.where(random.random(count) < 0.3, "bytes", "copy"), "")
    frame = pl.DataFrame({"x": places[:, 0].astype(np.float32), "y": places[:, 1].astype(np.float32)}).with_columns(
        digest=pl.int_range(pl.len()).cast(pl.String).str.zfill(64),
        location=pl.Series(random.choice(["share", "laptop", "bucket", "archive"], count, p=[0.6, 0.3, 0.08, 0.02])),
        path=pl.lit("picture.jpg"), objects=pl.lit(1, pl.Int64), size_bytes=pl.lit(1_000_000, pl.Int64),
        width_px=pl.lit(4000, pl.Int32), height_px=pl.lit(3000, pl.Int32), format=pl.lit("JPEG"),
        tier=pl.Series(tier), group_id=pl.Series(tier), is_keeper=pl.lit(False),
        reclaimable_bytes=pl.Series(freed),
    )  # fmt: skip
    return MAP_POINTS.check(frame)


def _median_ms(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(1000 * float(np.median(taken)), 2)


def _cpu_seconds(report: Report, part: str, count: int) -> float:
    found = [row["cpu_seconds"] for row in report.rows if row["part"] == part and row["pictures"] == count]
    return float(found[0]) if found else 0.0  # type: ignore[arg-type]


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", type=int, nargs="*", default=list(LAYOUTS), help="numbers of pictures laid out")
    parser.add_argument("--against", type=int, default=AGAINST, help="pictures for umap-learn alone; 0 for none")
    parser.add_argument("--points", type=int, nargs="*", default=list(POINTS), help="numbers of points looked at")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.layout, options.against, options.points), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
