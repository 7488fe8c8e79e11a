"""What a search costs in a library of given size, part by part, and whether it finds what there is.

A workspace is made whose catalog holds a few real photographs and beside them synthetic pictures: hashes and vectors
in families and topics. Copies of the photographs, as people have them, are searched for: asked whether the catalog
changed, decoded, embedded, searched, ranked and joined with their places, in this process and one after another; and so
are pictures of the library by their digests, with filters and without. Beside it stands the index of as many vectors by
itself, held against comparing everything (`benchmarks.vectors`). Each size runs in processes of its own, so that its
memory is its own.

    python -m benchmarks.search [--scale N ...] [--rounds N] [--queries N] [--photographs N] [--json]
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmarks import vectors
from benchmarks.report import Report, print_report
from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.matching import STRICT
from deeplens_kit.matching.neighbours import BruteForceVectors
from deeplens_kit.pipeline import Searcher, Workspace, index
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.query_picture import features_of, sought
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.schemas import OBJECTS, PICTURES, FeatureSpec
from deeplens_kit.search import SearchFilters, rank
from deeplens_kit.search.results import places_found, results_of

__all__ = ["main", "measure"]

SEED = 20_261_123
SCALES = (10_000, 100_000, 1_000_000)
MAX_P95_MILLISECONDS = 50.0
"""The figure to reach at 100,000 pictures, exclusive: the whole query, decode and embedding included."""

ROUNDS = 10
BY_ID_QUERIES = 200
_FAMILY, _TOPIC = 4, 400
_PLACES_PER_PICTURE = 1.5
_ROWS_PER_BATCH = 20_000
_RECALL_QUERIES = 200
_NEIGHBOURS = 10
_FLOOR = 0.45
# As pictures come from the web and from cameras: long side and JPEG quality.
_COPIES = ((640, 75), (1280, 85), (2048, 90))
_CAMERA = (4000, 92)
# Of each kind one that lets through much, and one that lets through little.
_FILTERS = {
    "all": SearchFilters(),
    "location": SearchFilters(locations=("made",)),
    "most": SearchFilters(formats=("JPEG",)),
    "some": SearchFilters(formats=("PNG",), min_side_px=1000),
    "few": SearchFilters(formats=("TIFF",)),
    "dates": SearchFilters(taken_from="2020-01-01"),
    "glob": SearchFilters(paths=("[0-4]*/**",)),
}
_PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket", "camera", "brick", "retina", "hubble_deep_field")


def measure(
    scales: Sequence[int],
    rounds: int,
    seed: int = SEED,
    *,
    queries: int = BY_ID_QUERIES,
    photographs: int = len(_PHOTOGRAPHS),
) -> Report:
    """Measure searches at each number of pictures, for copies of so many photographs."""
    report = Report("search", seed)
    report.figures["milliseconds_p95_to_stay_under"] = MAX_P95_MILLISECONDS
    for scale in scales:
        context = multiprocessing.get_context("spawn")
        with tempfile.TemporaryDirectory() as folder:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                pool.submit(make_workspace, Path(folder), scale, seed, photographs).result()
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                first = pool.submit(first_search, Path(folder)).result()
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                rows = pool.submit(searches, Path(folder), scale, rounds, seed, queries, photographs).result()
        (alone,) = vectors.measure([scale], 2 * queries).rows
        rows[0] |= first | {f"index_{name}": value for name, value in alone.items() if name != "vectors"}
        for row in rows:
            report.add(**row)
    return report


def first_search(folder: Path) -> dict[str, object]:
    """Seconds until a new process is ready, where no index is kept yet."""
    with Workspace.open(folder / "workspace") as workspace:
        started = time.perf_counter()
        Searcher(workspace).warm()
        return {"ready_seconds_first": time.perf_counter() - started}


def searches(
    folder: Path, count: int, rounds: int, seed: int, queries: int, photographs: int
) -> list[dict[str, object]]:
    """Times of searches for web pictures and for a camera's, and the recall of the vectors."""
    with Workspace.open(folder / "workspace") as workspace:
        # Each search is to be one: an answer that was kept takes no time.
        workspace.settings = replace(workspace.settings, search=replace(workspace.settings.search, result_cache=""))
        before = _resident_mib()
        started = time.perf_counter()
        searcher = Searcher(workspace)
        searcher.warm()
        ready = time.perf_counter() - started
        held_mib = _resident_mib() - before
        held = load_held(workspace, held_state(workspace), searcher._held)
        toolbox = searcher._tools(held).toolbox
        rows = []
        for name, kinds in (("web", _COPIES), ("camera", (_CAMERA,))):
            copies = _queries(kinds, photographs)
            found = sum(_is_found(searcher, *query) for query in copies) / len(copies)
            parts: dict[str, list[float]] = {}
            whole, cpu = [], []
            for _ in range(rounds):
                for _, content in copies:
                    _time_parts(workspace, held, toolbox, content, parts)
                    begun, spent = time.perf_counter(), time.process_time()
                    searcher.search(content)
                    whole.append(time.perf_counter() - begun)
                    cpu.append(time.process_time() - spent)
            rows.append(
                {
                    "queries": name,
                    "pictures": count,
                    "found_first": found,
                    "whole_ms": _milliseconds(whole),
                    "whole_cpu_ms": _milliseconds(cpu),
                    **{f"{part}_ms": _milliseconds(values) for part, values in parts.items()},
                }
            )
        rows[0] |= _by_id(searcher, held, seed, queries)
        rows[0] |= {"ready_seconds": ready, "held_mib": held_mib, "recall_at_10": _recall(held, seed)}
        return rows


def _time_parts(
    workspace: Workspace, held: Held, toolbox: Toolbox, content: bytes, parts: dict[str, list[float]]
) -> None:
    """One search, each part by itself."""
    settings, filters = workspace.settings, SearchFilters()

    def timed(name: str, act: Callable[[], object]) -> object:
        begun = time.perf_counter()
        result = act()
        parts.setdefault(name, []).append(time.perf_counter() - begun)
        return result

    timed("freshness", lambda: held_state(workspace))
    given = sought(content, held.library, settings.decode)
    asked = features_of(given, held.library, toolbox)
    timed("decode_and_embed", lambda: features_of(given, held.library, toolbox))
    ranking = rank(asked.picture, held.library, filters, 50, rule=STRICT, floors=settings.match)
    timed("search_and_rank", lambda: rank(
        asked.picture, held.library, filters, 50, rule=STRICT, floors=settings.match
    ))  # fmt: skip
    best = ranking.rows.head(50)
    timed("places", lambda: (results_of(best, held.library, filters), places_found(best, held.library)))


def _by_id(searcher: Searcher, held: Held, seed: int, queries: int) -> dict[str, object]:
    """Pictures of the library by digest, as a program asks, with filters of each kind: times, and their ratio."""
    random = np.random.default_rng(seed + 2)
    digests = held.library.pictures["digest"].gather(random.integers(0, len(held.library), queries)).to_list()
    figures: dict[str, object] = {}
    whole = 0.0
    for name, filters in _FILTERS.items():
        searcher.search(digests[0], filters=filters)
        taken = []
        for digest in digests:
            begun = time.perf_counter()
            searcher.search(digest, filters=filters)
            taken.append(time.perf_counter() - begun)
        spread = _milliseconds(taken)
        whole = whole or spread["p50"]
        ratio = {} if name == "all" else {"ratio": round(spread["p50"] / whole, 2)}
        figures[f"by_id_{name}_ms"] = spread | ratio
    return figures


def _is_found(searcher: Searcher, original: str, content: bytes) -> bool:
    return bool(searcher.search(content, limit=1).results["path"].to_list() == [f"{original}.png"])


def _recall(held: Held, seed: int) -> float:
    """The share of the ten nearest vectors that are found, for vectors beside stored ones."""
    shelf = held.library.vectors[0].shelf
    random = np.random.default_rng(seed + 1)
    rows = np.sort(random.integers(0, len(shelf), _RECALL_QUERIES))
    asked = shelf.rows(rows) + 0.02 * random.normal(size=(_RECALL_QUERIES, 512)).astype(np.float32)
    truth: list[set[int]] = [set() for _ in rows]
    blocks = [np.arange(at, min(at + _ROWS_PER_BATCH, len(shelf))) for at in range(0, len(shelf), _ROWS_PER_BATCH)]
    every = np.concatenate([shelf.rows(block).astype(np.float16) for block in blocks])
    hits = BruteForceVectors(every).nearest(asked, _NEIGHBOURS, _FLOOR)
    for query, item in zip(hits.query.tolist(), hits.item.tolist(), strict=True):
        truth[query].add(item)
    found = [set(shelf.nearest(query, _NEIGHBOURS, _FLOOR, None)[0].tolist()) for query in asked]
    return sum(len(a & b) for a, b in zip(truth, found, strict=True)) / sum(len(one) for one in truth)


# --- What is searched ------------------------------------------------------------------------------------------


def make_workspace(folder: Path, count: int, seed: int, photographs: int) -> None:
    """A workspace with so many photographs, indexed, and `count` synthetic pictures in its catalog."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for name in _PHOTOGRAPHS[:photographs]:
        _photograph(name).save(pictures / f"{name}.png")
    with Workspace.create(folder / "workspace") as workspace:
        workspace.ledger.add_location("real", str(pictures), {})
        index(workspace)
        made = workspace.ledger.add_location("made", str(folder), {})
        (spec,) = (known for known in workspace.catalog.vector_specs() if known.kind == "vector")
        template = workspace.catalog.pictures().head(1)
        random = np.random.default_rng(seed)
        for first in range(0, count, _ROWS_PER_BATCH):
            size = min(_ROWS_PER_BATCH, count - first)
            workspace.catalog.write_batch(_batch(made.location_id, first, size, spec, template, random))
        workspace.catalog.compact()


def _batch(
    location_id: str, first: int, size: int, spec: FeatureSpec, template: pl.DataFrame, random: np.random.Generator
) -> CatalogBatch:
    text = random.bytes(32 * size).hex()
    digests = pl.Series("digest", [text[at : at + 64] for at in range(0, 64 * size, 64)])
    width = pl.Series(random.choice([640, 2000, 4000], size), dtype=pl.Int32)
    pictures = pl.concat([template] * size).with_columns(
        digest=digests,
        size_bytes=pl.Series(random.integers(20_000, 8_000_000, size), dtype=pl.Int64),
        format=pl.Series(random.choice(["JPEG", "PNG", "TIFF"], size, p=[0.8, 0.19, 0.01])),
        width_px=width,
        height_px=width * 3 // 4,
        dominant_tone=pl.Series(random.random(size), dtype=pl.Float32),
        phash=pl.Series(random.integers(0, 2**63, size), dtype=pl.UInt64),
        pdq=pl.Series([row.tobytes() for row in _hashes(size, random)]),
        low_information=pl.lit(False),
        run_id=pl.lit("made"),
    )
    holder = np.concatenate([np.arange(size), random.integers(0, size, int(size * (_PLACES_PER_PICTURE - 1)))])
    objects = pl.DataFrame({"digest": digests.gather(holder)}).with_columns(
        location_id=pl.lit(location_id), path=pl.format("{}/{}.jpg", pl.lit(first), pl.int_range(pl.len())),
        size_bytes=pictures["size_bytes"].gather(holder), change_token=pl.lit(""),
        modified_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
        link_id=pl.lit(None, pl.String), link_count=pl.lit(1, pl.Int32), checksum=pl.lit(None, pl.String),
        storage_class=pl.lit(None, pl.String), identity_basis=pl.lit("read"),
        outcome=pl.lit("indexed"), run_id=pl.lit("made"),
    ).with_columns(object_id=pl.concat_str("location_id", pl.lit("/"), "path"))  # fmt: skip
    vectors = {spec: (digests.to_list(), _vectors(size, random))}
    return CatalogBatch(
        objects=objects.select(OBJECTS.names), pictures=pictures.select(PICTURES.names), vectors=vectors
    )


def _hashes(size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Random hashes in families whose members differ in about ten bits."""
    hashes = np.repeat(random.integers(0, 256, (-(-size // _FAMILY), 32), dtype=np.uint8), _FAMILY, axis=0)[:size]
    for _ in range(5):
        hashes[np.arange(size), random.integers(0, 32, size)] ^= np.uint8(1) << random.integers(
            0, 8, size, dtype=np.uint8
        )
    return hashes


def _vectors(size: int, random: np.random.Generator) -> NDArray[np.float16]:
    """Unit vectors in families with cosines around 0.8, these in topics with cosines around 0.2."""
    topics = np.repeat(random.normal(size=(-(-size // _TOPIC), 512)), _TOPIC, axis=0)[:size]
    families = np.repeat(random.normal(size=(-(-size // _FAMILY), 512)), _FAMILY, axis=0)[:size]
    rows = 0.5 * topics + families + 0.5 * random.normal(size=(size, 512))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float16)


def _photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def _queries(copies: Sequence[tuple[int, int]], photographs: int) -> list[tuple[str, bytes]]:
    """Names of photographs with the bytes of copies of them."""
    made = []
    for name in _PHOTOGRAPHS[:photographs]:
        photograph = _photograph(name)
        for side, quality in copies:
            scale = side / max(photograph.size)
            stream = io.BytesIO()
            copy = photograph.resize((round(photograph.width * scale), round(photograph.height * scale)))
            copy.save(stream, "JPEG", quality=quality)
            made.append((name, stream.getvalue()))
    return made


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    spread = np.percentile(seconds, [50, 95, 99]) * 1000
    return {name: round(float(value), 2) for name, value in zip(("p50", "p95", "p99"), spread, strict=True)}


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() // 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of pictures")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="searches for each query picture")
    parser.add_argument("--queries", type=int, default=BY_ID_QUERIES, help="pictures of the library asked for")
    parser.add_argument(
        "--photographs", type=int, default=len(_PHOTOGRAPHS), help="whose copies are searched, up to eight"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    report = measure(options.scale, options.rounds, queries=options.queries, photographs=options.photographs)
    print_report(report, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
