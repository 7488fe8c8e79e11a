"""What moving a threshold costs as a library grows: totals and borderline pairs, against grouping anew.

Random pairs of synthetic pictures that carry what a close look finds, a third of the pictures like upscales, are asked
for one threshold after another, each size in a process of its own so that its peak memory is its own. Elapsed seconds
are reported, because a person waits for them, and CPU seconds, because they do not depend on who else computes. Some
totals are held against `group` and `savings`, which also give the time to compare with. Then follows whether what is
said of a threshold holds, see `benchmarks.threshold_simulation`; as JSON each has a command of its own.

A move is all that the lab does for one: totals with money, borderline pairs, precision and recall by 400 labels with
the labelled pairs, each measured by itself. Bounds that say what a page is judge every pair anew, and are moved apart.

    python -m benchmarks.thresholds [--scale N ...] [--moves N] [--draws N] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks import threshold_simulation
from benchmarks.matching import random_library
from benchmarks.report import Report, print_report
from benchmarks.threshold_simulation import DRAWS
from deeplens_kit.catalog.lance_table import LanceTable
from deeplens_kit.catalog.manifest import table_url
from deeplens_kit.catalog.tables import arrow_schema, arrow_table
from deeplens_kit.matching import Thresholds, group
from deeplens_kit.matching.removal_levels import ladder_from, ladder_rules, removal_levels
from deeplens_kit.pipeline import PRICES_FILE, LabEvidence, ThresholdLab, ThresholdOutcome, Workspace, draw_sample
from deeplens_kit.savings import savings, total
from deeplens_kit.schemas import OBJECTS, PAIRS, PICTURES, Verdict

__all__ = ["main", "measure"]

SEED = 20_260_923
SCALES = (10_000, 100_000, 1_000_000)
MOVES = 40
# Bits that other shots may differ in: as far as it makes a difference.
_WIDEST = 31
# Shares of pairs that the close look has judged, and that stand in a crowd.
_SEEN, _CROWDED = 0.95, 0.05
_WARM_UP = 2_000
# Labels that a person gives in an afternoon, and the share of them that say "different".
_LABELS, _WRONG = 400, 0.03
_OTHER_MOVES = 8
_PRICES = """currency: EUR
locations:
  "*":
    storage_classes:
      "*": {storage_per_gb_month: 0.023, minimum_days: 30}
"""
_WORKSPACE = "workspace"
# What the catalog wants to know of every picture and no threshold asks.
_SAME_FOR_ALL: dict[str, object] = {
    "md5": "", "crc32c": "", "size_bytes": 1_000_000, "mode": "RGB", "frames": 1, "orientation": 1,
    "has_alpha": False, "has_icc": False, "decode_spec": "", "features": "", "run_id": "r",
}  # fmt: skip
_Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def measure(scales: Sequence[int], moves: int = MOVES, seed: int = SEED) -> Report:
    """Measure a slider's moves at each number of pictures."""
    report = Report("thresholds", seed)
    for scale in scales:
        with TemporaryDirectory() as folder:
            _alone(make_workspace, Path(folder), scale, seed)
            moved = _alone(moved_slider, Path(folder), moves, seed)
            report.add(**moved, **_alone(compared, Path(folder), scale, moves, seed))
    return report


def _alone(step: Callable[..., dict[str, object]], *arguments: object) -> dict[str, object]:
    """What a step gives in a process of its own, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def make_workspace(folder: Path, count: int, seed: int) -> dict[str, object]:
    """A workspace with `count` pictures, half as many objects more, and five pairs each, as if they had been found."""
    objects, pictures, pairs = _library(count, seed)
    with Workspace.create(folder / _WORKSPACE) as workspace:
        location = workspace.ledger.add_location("disk", str(folder), {})
        object_id = pl.concat_str(pl.lit(location.location_id), pl.lit("/"), "path")
        objects = objects.with_columns(location_id=pl.lit(location.location_id), object_id=object_id)
        facts = pictures.select(pl.col(name).cast(PICTURES.polars[name]) for name in pictures.columns).with_columns(
            pl.lit(value).cast(PICTURES.polars[name]).alias(name)
            for name, value in _SAME_FOR_ALL.items()
            if name not in pictures.columns
        )
        for schema, rows in ((OBJECTS, objects), (PICTURES, PICTURES.filled(facts))):
            url = table_url(workspace.catalog.url, schema.name)
            arrow = arrow_schema(schema)
            LanceTable(schema.name, url, arrow, schema.key[0], {}).overwrite(arrow_table(schema.check(rows), arrow), {})
        workspace.catalog.replace_pairs(pairs, "synthetic")
        (workspace.directory / PRICES_FILE).write_text(_PRICES, encoding="utf-8")
        drawn = draw_sample(workspace, _LABELS).sample
        pairs = workspace.ledger.label_items(drawn.sample_id).select("digest_a", "digest_b")
        wrong = np.random.default_rng(seed).random(pairs.height) < _WRONG
        verdicts = pl.Series([str(Verdict.DIFFERENT if one else Verdict.SAME) for one in wrong])
        workspace.ledger.record_labels(pairs.with_columns(verdict=verdicts, sample_id=pl.lit(drawn.sample_id)))
    return {}


def moved_slider(folder: Path, moves: int, seed: int) -> dict[str, object]:
    """Totals and borderline pairs of `moves` thresholds, from opening the workspace on."""
    warm = ThresholdLab.of(*_library(_WARM_UP, seed))
    warm.outcome(Thresholds()), warm.borderline(Thresholds())
    before = _reset_peak_mib()
    start = time.perf_counter()
    with Workspace.open(folder / _WORKSPACE) as workspace:
        lab = ThresholdLab(workspace)
        loading, loaded = time.perf_counter() - start, _reset_peak_mib()
        start = time.perf_counter()
        evidence = LabEvidence.of(workspace, lab)
        reading, read = time.perf_counter() - start, _reset_peak_mib()
        start = time.perf_counter()
        evidence = LabEvidence.of(workspace, lab, evidence)
        relabelled = time.perf_counter() - start

    def judged(moved: Thresholds) -> None:
        evidence.estimate(moved.rule())
        evidence.marks(moved.rule())

    judged(Thresholds())
    thresholds = _thresholds(moves, seed)
    # As a slider does: the pairs after the totals, which leave them the margins, and the labels last.
    steps = (lab.outcome, lab.borderline, judged)
    cpu = time.process_time()
    totals, pairs, labels = np.array([[_timed(step, moved) for step in steps] for moved in thresholds]).T
    cpu = time.process_time() - cpu
    anew = [_timed(lambda moved: (lab.outcome(moved), lab.borderline(moved), lab.histogram(moved)), moved)
            for moved in _other_bounds(seed)]  # fmt: skip
    moving = _peak_mib()
    start = time.perf_counter()
    levels = removal_levels(lab.regrouper, ladder_rules(ladder_from()))
    ladder, climbing = time.perf_counter() - start, _peak_mib()
    return {
        "pictures": lab.pictures,
        "objects": int(lab.regrouper.objects.sum()),
        "pairs": lab.pairs,
        "loading_seconds": round(loading, 2),
        "totals_median_seconds": round(float(np.median(totals)), 4),
        "totals_p95_seconds": round(float(np.percentile(totals, 95)), 4),
        "borderline_median_seconds": round(float(np.median(pairs)), 4),
        "borderline_p95_seconds": round(float(np.percentile(pairs, 95)), 4),
        "figures_p95_seconds": round(float(np.percentile(totals + pairs, 95)), 4),
        "labels_median_seconds": round(float(np.median(labels)), 4),
        "labels_p95_seconds": round(float(np.percentile(labels, 95)), 4),
        "move_p95_seconds": round(float(np.percentile(totals + pairs + labels, 95)), 4),
        "move_mean_cpu_seconds": round(cpu / moves, 4),
        "other_bounds_median_seconds": round(float(np.median(anew)), 4),
        "evidence_seconds": round(reading, 2),
        "relabelled_seconds": round(relabelled, 2),
        "ladder_steps": len(ladder_from()),
        "ladder_seconds": round(ladder, 2),
        "ladder_rows": levels.height,
        "mib_before": before,
        "loading_peak_mib": loaded,
        "evidence_peak_mib": read,
        "moving_peak_mib": moving,
        "ladder_peak_mib": climbing,
    }


def compared(folder: Path, count: int, moves: int, seed: int) -> dict[str, object]:
    """Seconds of `group` and `savings` for the same library; their totals must be those of the lab."""
    frames = _library(count, seed)
    with Workspace.open(folder / _WORKSPACE) as workspace:
        lab = ThresholdLab(workspace)
    seconds = _held_against_groups(frames, lab, _thresholds(moves, seed)[:2])
    moving = float(np.median([_timed(lab.outcome, moved) for moved in _thresholds(moves, seed)]))
    return {"grouping_anew_seconds": round(seconds, 3), "times_faster": round(seconds / moving, 1)}


def _thresholds(moves: int, seed: int) -> list[Thresholds]:
    random = np.random.default_rng(seed)
    return [
        Thresholds(round(float(plain), 2), round(float(page), 2), int(bits))
        for plain, page, bits in zip(*random.random((2, moves)), random.integers(0, _WIDEST + 1, moves), strict=True)
    ]


def _other_bounds(seed: int) -> list[Thresholds]:
    """Moves of what counts as a page, and as too little to tell."""
    random = np.random.default_rng(seed)
    tones, qualities = random.random(_OTHER_MOVES), random.integers(0, 60, _OTHER_MOVES)
    return [
        Thresholds(page_tone_min=round(float(tone), 2), pdq_quality_min=int(quality))
        for tone, quality in zip(tones, qualities, strict=True)
    ]


def _held_against_groups(frames: _Frames, lab: ThresholdLab, thresholds: Sequence[Thresholds]) -> float:
    """Median seconds of `group` and `savings`; their totals must be those of the lab."""
    group(*_library(_WARM_UP, SEED), Thresholds().rule())
    seconds = []
    for moved in thresholds:
        start = time.perf_counter()
        grouping = group(*frames, moved.rule())
        summed = total(savings(grouping.groups)).row(0)
        seconds.append(time.perf_counter() - start)
        found = lab.outcome(moved)
        if _figures(found) != (grouping.groups["group_id"].n_unique(), *summed, grouping.withheld.height):
            raise RuntimeError("the totals differ from those of the groups, so their time says nothing")
    return float(np.median(seconds))


def _figures(found: ThresholdOutcome) -> tuple[int, ...]:
    return (found.groups, found.objects, found.gross_bytes, found.realisable_bytes, found.withheld)


def _library(count: int, seed: int) -> _Frames:
    objects, pictures, pairs = random_library(count, seed)
    share = np.random.default_rng(seed).choice([0.2, 0.8, 1.0], count)
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    times = pl.Series(np.random.default_rng(seed + 1).integers(0, 3, count) * 1_000_000).cast(pl.Datetime("us"))
    pictures = pictures.with_columns(effective_pixels=(pixels * pl.Series(share)).cast(pl.Int64), taken_at=times)
    pairs = pairs.unique(["digest_a", "digest_b"], keep="any").sort("digest_a", "digest_b")
    return objects, pictures, PAIRS.check(_looked_at(pairs, seed))


def _looked_at(pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Evidence from that of strangers to that of copies, most pairs near one of the two, so that bounds matter."""
    random = np.random.default_rng([seed, 2])
    count = pairs.height
    strength = random.beta(0.5, 0.3, count)
    seen = pl.Series(random.random(count) < _SEEN)

    def found(worst: float, best: float) -> pl.Series:
        near = np.clip(strength + random.normal(0, 0.1, count), 0, 1)
        return pl.Series(worst + (best - worst) * near)

    evidence = {
        "inliers": found(0, 400), "inlier_share": found(0, 1), "difference": found(0.5, 0), "covered_a": found(0.3, 1),
        "covered_b": found(0.3, 1), "agreement": found(0, 1), "agreement_low": found(-0.2, 0.95),
        "correlation": found(0, 1), "cells": found(0, 200), "wobble_px": found(1, 0), "resolution": found(0.5, 1.5),
    }  # fmt: skip
    relation = random.choice(["whole", "part", "contains"], count, p=[0.8, 0.1, 0.1])
    return pairs.with_columns(
        *(pl.when(seen).then(values).cast(PAIRS.polars[name]).alias(name) for name, values in evidence.items()),
        verification=pl.when(seen).then(pl.lit("synthetic")),
        hub=pl.Series(random.random(count) < _CROWDED),
        relation=pl.when(seen).then(pl.Series(relation)).otherwise(pl.lit("unverified")),
    )


def _timed(ask: Callable[[Thresholds], object], moved: Thresholds) -> float:
    start = time.perf_counter()
    ask(moved)
    return time.perf_counter() - start


def _reset_peak_mib() -> int:
    """The peak of this process since the last call or its start; it begins anew with what is in use."""
    peak = _peak_mib()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of pictures")
    parser.add_argument("--moves", type=int, default=MOVES, help="thresholds asked for at each")
    parser.add_argument("--draws", type=int, default=DRAWS, help="samples of each population; 0 for no simulation")
    parser.add_argument("--json", action="store_true", help="print JSON, of the regrouping alone")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale, options.moves), as_json=options.json)
    if options.draws and not options.json:
        print()
        print_report(threshold_simulation.measure(options.draws), as_json=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
