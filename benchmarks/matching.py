"""What matching costs as a library grows: near hashes, near vectors, all candidates, and stars around keepers.

Synthetic hashes and vectors with planted families are searched, and random pairs grouped, each in a process of its
own so that its peak memory is its own. CPU seconds are reported, because they do not depend on who else computes.

    python -m benchmarks.matching [--scale N ...] [--vectors-up-to N] [--json]

All near vectors of a million take half an hour: ask for them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.features import dihedral_pdq
from deeplens_kit.features.region_rows import BOX, MOST_REGIONS, ROW, SLOT
from deeplens_kit.matching import STRICT, find_pairs, group
from deeplens_kit.matching.neighbours import BruteForceHamming, BruteForceVectors, HammingIndex, VectorIndex
from deeplens_kit.savings import savings, total
from deeplens_kit.schemas import OBJECTS, PAIRS
from deeplens_kit.settings import MatchSettings

__all__ = ["main", "measure", "random_library"]

SEED = 20_260_923
SCALES = (10_000, 100_000, 1_000_000)
PDQ_RADIUS = 31
FLOORS = MatchSettings()
PAIRS_PER_PICTURE = 5
_FAMILY = 4
_DIMENSIONS = 512
# All scores of all candidates: at a million the parts say what it costs.
_MOST_CANDIDATES = _MOST_VECTORS = 100_000
_REGIONS_EVERY = 10
_CHECKED = 200
_WARM_UP = 2_000


def measure(scales: Sequence[int], seed: int = SEED, *, vectors_up_to: int = _MOST_VECTORS) -> Report:
    """Measure each part of matching at each number of pictures; near vectors up to a number of them."""
    report = Report("matching", seed)
    for scale in scales:
        parts: list[Callable[[int, int], dict[str, object]]] = [all_near_hashes]
        parts += [all_near_vectors] * (scale <= vectors_up_to)
        parts += [all_candidates] * (scale <= _MOST_CANDIDATES)
        parts += [stars_of_pairs]
        for part in parts:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                report.add(**pool.submit(part, scale, seed).result())
    return report


def all_near_hashes(count: int, seed: int) -> dict[str, object]:
    """All pairs of 256-bit hashes within `PDQ_RADIUS` bits in eight orientations, checked against brute force."""
    HammingIndex(_hashes(_WARM_UP, seed)).all_pairs(PDQ_RADIUS, variants=dihedral_pdq(_hashes(_WARM_UP, seed)))
    hashes = _hashes(count, seed)
    variants = dihedral_pdq(hashes)
    before = _peak_mib()
    clock = _Clock()
    index = HammingIndex(hashes)
    hits = index.all_pairs(PDQ_RADIUS, variants=variants, limit=FLOORS.neighbours)
    row = clock.row("all near hashes", count, pairs=len(hits), peak_mib_more=_peak_mib() - before)
    sample = hashes[-_CHECKED:]
    fast, slow = index.query(sample, PDQ_RADIUS), BruteForceHamming(hashes).query(sample, PDQ_RADIUS)
    if not (np.array_equal(fast.query, slow.query) and np.array_equal(fast.item, slow.item)):
        raise RuntimeError("the index differs from brute force, so its time says nothing")
    return row


def all_near_vectors(count: int, seed: int) -> dict[str, object]:
    """The nearest vectors of every vector, and the share of the nearest by brute force of some of them among these."""
    vectors = _vectors(count, seed)
    before = _peak_mib()
    clock = _Clock()
    index = VectorIndex(vectors)
    hits = index.nearest_of_all(FLOORS.neighbours, FLOORS.sscd_min_cosine)
    row = clock.row("all near vectors", count, pairs=len(hits), peak_mib_more=_peak_mib() - before)
    truth = BruteForceVectors(vectors).nearest(vectors[:_CHECKED], FLOORS.neighbours + 1, FLOORS.sscd_min_cosine)
    other = truth.query != truth.item
    true_pairs = set(zip(truth.query[other].tolist(), truth.item[other].tolist(), strict=True))
    of_sample = hits.query < _CHECKED
    found = set(zip(hits.query[of_sample].tolist(), hits.item[of_sample].tolist(), strict=True))
    return row | {"recall": len(true_pairs & found) / len(true_pairs), "checked_against_brute_force": _CHECKED}


def all_candidates(count: int, seed: int) -> dict[str, object]:
    """What `find_pairs` gives: every signal, every score; a tenth of the pictures shows another in a region."""
    find_pairs(*_library(_WARM_UP, seed), FLOORS, STRICT, "r")
    pictures, vectors = _library(count, seed)
    before = _peak_mib()
    clock = _Clock()
    pairs = find_pairs(pictures, vectors, FLOORS, STRICT, "r")
    row = clock.row("all candidates", count, pairs=pairs.height, peak_mib_more=_peak_mib() - before)
    by_region = pairs.filter(pl.col("found_by") == "region").height
    return row | {"pairs_per_picture": round(pairs.height / count, 2), "by_region_alone": by_region}


def stars_of_pairs(count: int, seed: int) -> dict[str, object]:
    """Groups and savings of `count` pictures with `PAIRS_PER_PICTURE` pairs each, one object a picture and a half."""
    group(*random_library(_WARM_UP, seed), STRICT)
    frames = random_library(count, seed)
    before = _peak_mib()
    clock = _Clock()
    grouping = group(*frames, STRICT)
    row = clock.row("stars of pairs", count, pairs=frames[2].height, peak_mib_more=_peak_mib() - before)
    return row | {
        "objects": frames[0].height,
        "groups": grouping.groups["group_id"].n_unique(),
        "withheld": grouping.withheld.height,
        "members": total(savings(grouping.groups))["objects"][0],
    }


class _Clock:
    """CPU and elapsed time since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def row(self, part: str, count: int, **values: object) -> dict[str, object]:
        return {
            "part": part,
            "pictures": count,
            "cpu_seconds": round(time.process_time() - self._cpu, 2),
            "seconds": round(time.perf_counter() - self._wall, 2),
            **values,
        }


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _hashes(count: int, seed: int) -> NDArray[np.uint8]:
    """Random hashes in families whose members differ in about ten bits, one of each family mirrored."""
    random = np.random.default_rng(seed)
    hashes = np.repeat(random.integers(0, 256, (-(-count // _FAMILY), 32), dtype=np.uint8), _FAMILY, axis=0)[:count]
    for _ in range(5):
        hashes[np.arange(count), random.integers(0, 32, count)] ^= np.uint8(1) << random.integers(
            0, 8, count, dtype=np.uint8
        )
    hashes[1::_FAMILY] = dihedral_pdq(hashes[1::_FAMILY])[1]
    return np.asarray(hashes[_shuffled(count, seed)])


def _vectors(count: int, seed: int) -> NDArray[np.float16]:
    """Unit vectors in families of `_FAMILY` with cosines around 0.8."""
    random = np.random.default_rng(seed)
    vectors = np.empty((count, _DIMENSIONS), np.float16)
    for first in range(0, count, 10_000):
        size = min(10_000, count - first)
        centres = np.repeat(random.normal(size=(-(-size // _FAMILY), _DIMENSIONS)), _FAMILY, axis=0)[:size]
        rows = centres + 0.5 * random.normal(size=centres.shape)
        vectors[first : first + size] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(vectors[_shuffled(count, seed)])


def _shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """One order for hashes and vectors: the families are the same."""
    return np.random.default_rng(seed + 1).permutation(count)


def _library(count: int, seed: int) -> tuple[pl.DataFrame, dict[str, tuple[Sequence[str], NDArray[np.float16]]]]:
    """Pictures with hashes, vectors and regions; a region shows the picture that stands before its own."""
    _, pictures, _ = random_library(count, seed)
    hashes, vectors = _hashes(count, seed), _vectors(count, seed)
    digests = pictures["digest"].to_list()
    collages = np.arange(1, count, _REGIONS_EVERY)
    regions = np.zeros((len(collages), MOST_REGIONS, SLOT), np.float16)
    regions[:, 0, :BOX] = 0.0, 0.0, 0.5, 1.0
    regions[:, 0, BOX:] = vectors[collages - 1]
    known = pictures.with_columns(
        pdq=pl.Series([row.tobytes() for row in hashes], dtype=pl.Binary),
        phash=pl.Series(np.ascontiguousarray(hashes[:, :8]).view(np.uint64)[:, 0], dtype=pl.UInt64),
    )
    owners = [digests[at] for at in collages]
    return known, {
        "sscd_small": (digests, vectors),
        "sscd_small_regions": (owners, regions.reshape(len(collages), ROW)),
    }


def random_library(count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Objects, pictures and pairs at random: neighbours by number are linked, most of them copies."""
    random = np.random.default_rng(seed)
    text = random.bytes(32 * count).hex()
    digests = pl.Series(text[at : at + 64] for at in range(0, 64 * count, 64))
    width = random.choice([640, 2000, 4000], count)
    pictures = pl.DataFrame(
        {
            "digest": digests,
            "width_px": width,
            "height_px": width * 3 // 4,
            "format": "JPEG",
            "jpeg_quality": random.integers(60, 96, count),
            "lossless": False,
            "auxiliary": "",
            "dominant_tone": random.random(count),
        }
    )
    holder = np.concatenate([np.arange(count), random.integers(0, count, count // 2)])
    objects = pl.DataFrame({"digest": digests.gather(holder)}).with_columns(
        location_id=pl.lit("disk"), path=pl.int_range(pl.len()).cast(pl.String), size_bytes=pl.lit(1_000_000, pl.Int64),
        change_token=pl.lit(""), modified_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
        link_id=pl.lit(None, pl.String), link_count=pl.lit(1, pl.Int32), checksum=pl.lit(None, pl.String),
        storage_class=pl.lit(None, pl.String), identity_basis=pl.lit("read"),
        outcome=pl.lit("indexed"), run_id=pl.lit("r"),
    ).with_columns(object_id="path")  # fmt: skip
    left = np.repeat(np.arange(count), PAIRS_PER_PICTURE)
    right = (left + random.integers(1, 50, len(left))) % count
    bits = random.integers(0, 40, len(left))
    ends = pl.DataFrame({"a": digests.gather(left), "b": digests.gather(right)})
    pairs = ends.select(
        digest_a=pl.min_horizontal("a", "b"), digest_b=pl.max_horizontal("a", "b"),
        phash_distance=pl.lit(None, pl.Int32), pdq_distance=pl.Series(bits, dtype=pl.Int32),
        orientation=pl.lit(0, pl.Int32), sscd_small=pl.lit(0.9, pl.Float32), sscd=pl.lit(None, pl.Float32),
        found_by=pl.lit("pdq"), hub=pl.lit(False),
        tier=pl.lit("copy"), relation=pl.lit("whole"), score=pl.lit(0.9, pl.Float32), run_id=pl.lit("r"),
    )  # fmt: skip
    return OBJECTS.check(objects.select(OBJECTS.names)), pictures, PAIRS.check(PAIRS.filled(pairs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of pictures")
    parser.add_argument(
        "--vectors-up-to", type=int, default=_MOST_VECTORS, help="number of pictures up to which vectors are searched"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale, vectors_up_to=options.vectors_up_to), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
