"""What the map costs: laying pictures out, and what a pointer, a move of the map and a change of colour then take.

Synthetic vectors in families are laid out, each size in a process of its own so that its peak memory is its own; at one
size umap-learn by itself does the same with the same vectors and seed, several times in turn, and both are asked how
many of the true neighbours of a vector are still near it on the map. A twentieth more vectors are put into a layout
that is there. Then points are pointed at and drawn again as a person does it: the map is moved at four scales, from all
of it to a hundredth of its sides. The machine code is compiled before any clock starts.

    python -m benchmarks.map [--layout N ...] [--against N] [--turns N] [--points N ...] [--json]
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
from deeplens_kit.explore import NEIGHBOURS, PlacePicker, layout, place_among
from deeplens_kit.matching.neighbours import VectorIndex
from deeplens_kit.schemas import MAP_POINTS
from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.state.map_colours import COLOUR_CHOICES, colouring_of

__all__ = ["main", "measure"]

SEED = 20_260_923
LAYOUTS = (1_000, 10_000, 100_000, 1_000_000)
AGAINST = 20_000
TURNS = 3
POINTS = (100_000, 1_000_000)
_DIMENSIONS = 512
_FAMILY = 4
_WARM_UP = 100
_CHECKED = 1_000
_UMAP_SEARCHES = 4_096
_LOOKS, _MOVES = 500, 20
# Of the sides of the whole map.
_SCALES = (1.0, 0.3, 0.1, 0.01)
_LATER_SHARE = 0.05
_WIDTH_PX, _HEIGHT_PX = 900, 560
_REACH_PX = 14


def measure(
    layouts: Sequence[int], against: int, points: Sequence[int], seed: int = SEED, turns: int = TURNS
) -> Report:
    """Measure layouts, at one size in turn with umap-learn alone, and what is done with points."""
    report = Report("map", seed)
    parts: list[tuple[Callable[[int, int], list[dict[str, object]]], int]] = [(laid_out, count) for count in layouts]
    if against:
        # In turn, so that whatever else the machine does falls on both.
        parts += [(part, against) for _ in range(turns) for part in (laid_out, umap_alone)]
        parts.append((put_later, against))
    parts += [(looked_at, count) for count in points]
    rows: list[dict[str, object]] = []
    for part, count in parts:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            rows += pool.submit(part, count, seed).result()
    for row in _together(rows):
        report.add(**row)
    for unit in ("seconds", "cpu_seconds"):
        ours, theirs = (_median_of(rows, part, against, unit) for part in ("layout", "umap-learn alone"))
        if ours and theirs:
            report.figures[f"layout_to_umap_alone_{unit}"] = round(ours / theirs, 3)
    return report


def _together(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of the same part and size as one: the median of each number, and the worst of the seconds."""
    groups: dict[tuple[object, object], list[dict[str, object]]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["pictures"]), []).append(row)
    made = []
    for same in groups.values():
        row = dict(same[0])
        if len(same) > 1:
            for name in ("seconds", "cpu_seconds", "peak_mib_more"):
                row[name] = round(float(np.median([each[name] for each in same])), 2)  # type: ignore[list-item]
            row |= {"runs": len(same), "most_seconds": max(float(each["seconds"]) for each in same)}  # type: ignore[arg-type]
        made.append(row)
    return made


def put_later(count: int, seed: int) -> list[dict[str, object]]:
    """New vectors into a layout that is there."""
    vectors = _vectors(count, seed)
    new = max(int(count * _LATER_SHARE), 1)
    places = np.random.default_rng(seed).normal(size=(count - new, 2)).astype(np.float32)
    place_among(vectors[:_WARM_UP], places[:_WARM_UP], vectors[:2])
    before, wall, cpu = _peak_mib(), time.perf_counter(), time.process_time()
    place_among(vectors[new:], places, vectors[:new])
    return [
        {
            "part": f"{new:,} pictures put into the map later",
            "pictures": count,
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "peak_mib_more": _peak_mib() - before,
        }
    ]


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
    """Looks and moves, each as the view does it when the pointer, the window or a choice changes."""
    points = _points(count, seed)
    places = points.select("x", "y").to_numpy().astype(np.float32)
    low, high = places.min(axis=0), places.max(axis=0)
    window = Window(tuple(low.tolist()), tuple(high.tolist()), _WIDTH_PX, _HEIGHT_PX)
    rows = [_looks(places, window, seed)]
    tiles = MapTiles(places)
    few = np.zeros(count, bool)
    few[: count // 50] = True
    for colour_by in COLOUR_CHOICES:
        began = time.perf_counter()
        raster = MapRaster(places, colouring_of(points, colour_by), tiles)
        chosen = time.perf_counter() - began
        for name, selected in (("all", None), ("a fiftieth selected", few)):
            taken = [ms for scale in _SCALES for ms in _moves(raster, places, scale, selected, seed)]
            rows.append(
                {
                    "part": f"moving, by {colour_by}, {name}",
                    "pictures": count,
                    "median_ms": round(float(np.median(taken)), 1),
                    "p95_ms": round(float(np.quantile(taken, 0.95)), 1),
                    "worst_ms": round(max(taken), 1),
                    "choosing_ms": round(1000 * chosen, 1),
                }
            )
    return rows


def _moves(
    raster: MapRaster, places: NDArray[np.float32], scale: float, selected: NDArray[np.bool_] | None, seed: int
) -> list[float]:
    """Milliseconds of each window of one size, in the middle of which lies a point."""
    random = np.random.default_rng(seed)
    half = (places.max(axis=0) - places.min(axis=0)) / 2 * scale
    taken = []
    for middle in places[random.integers(0, len(places), _MOVES + 1)]:
        low, high = (middle - half).tolist(), (middle + half).tolist()
        window = Window((low[0], low[1]), (high[0], high[1]), _WIDTH_PX, _HEIGHT_PX)
        began = time.perf_counter()
        raster.draw(window, selected)
        taken.append(1000 * (time.perf_counter() - began))
    # The first of them compiles, or reads what was compiled.
    return taken[1:]


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
        "peak_mib": _peak_mib(),
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
    days = random.integers(0, 5_000, count).astype("timedelta64[D]")
    freed = np.where(random.random(count) < 0.2, np.exp(random.normal(13, 2, count)), 0).astype(np.int64)
    tier = np.where(freed > 0, np.where(random.random(count) < 0.3, "bytes", "copy"), "")
    frame = pl.DataFrame({"x": places[:, 0].astype(np.float32), "y": places[:, 1].astype(np.float32)}).with_columns(
        digest=pl.int_range(pl.len()).cast(pl.String).str.zfill(64),
        location=pl.Series(random.choice(["share", "laptop", "bucket", "archive"], count, p=[0.6, 0.3, 0.08, 0.02])),
        path=pl.lit("picture.jpg"), objects=pl.lit(1, pl.Int64), size_bytes=pl.lit(1_000_000, pl.Int64),
        width_px=pl.lit(4000, pl.Int32), height_px=pl.lit(3000, pl.Int32),
        format=pl.Series(random.choice(["JPEG", "PNG", "HEIF"], count, p=[0.8, 0.15, 0.05])),
        dated_at=pl.Series(np.datetime64("2010-01-01", "us") + days),
        tier=pl.Series(tier), group_id=pl.Series(tier), is_keeper=pl.lit(False),
        reclaimable_bytes=pl.Series(freed),
    )  # fmt: skip
    return MAP_POINTS.check(frame.select(MAP_POINTS.names))


def _median_ms(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(1000 * float(np.median(taken)), 2)


def _median_of(rows: Sequence[dict[str, object]], part: str, count: int, unit: str) -> float:
    found = [row[unit] for row in rows if row["part"] == part and row["pictures"] == count]
    return float(np.median(found)) if found else 0.0  # type: ignore[arg-type]


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", type=int, nargs="*", default=list(LAYOUTS), help="numbers of pictures laid out")
    parser.add_argument("--against", type=int, default=AGAINST, help="pictures for umap-learn alone; 0 for none")
    parser.add_argument("--turns", type=int, default=TURNS, help="times that both lay out these, in turn")
    parser.add_argument("--points", type=int, nargs="*", default=list(POINTS), help="numbers of points looked at")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    report = measure(options.layout, options.against, options.points, turns=options.turns)
    print_report(report, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
