"""What the order of keepers costs by each criterion of a keep policy, and what it adds to grouping and regrouping.

Synthetic objects, one for each of `count` pictures and half as many that hold the same bytes again, are ordered by
every criterion alone (the default ends each tie), by all of them with weights, and by the built-in policies, with all
that the policies ask of objects filled in. Each size runs in a process of its own so that its peak memory is its own.
The order must be the same for the rows in another order, or its time says nothing. Globs are matched and timed apart.

    python -m benchmarks.policy [--scale N ...] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.matching import random_library
from benchmarks.report import Report, print_report
from deeplens_kit.matching import (
    BUILT_IN_POLICIES,
    DEFAULT_POLICY,
    KEEP_FACTS,
    KeepCriterion,
    KeepPolicy,
    Regrouper,
    Thresholds,
    group,
    keeper_order,
)
from deeplens_kit.matching.family_copies import family_standing
from deeplens_kit.matching.groups import held_objects
from deeplens_kit.pipeline.keep_facts import path_classes

__all__ = ["main", "measure"]

SEED = 20_261_130
SCALES = (10_000, 100_000, 1_000_000)
# Groups are made twice by each policy: up to this many pictures, as grouping anew takes most of the time.
_GROUPED = 100_000
_GLOBS = ("**/1*/**", "*9.jpg")
_Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def measure(scales: Sequence[int], seed: int = SEED) -> Report:
    """Measure every policy at each number of pictures."""
    report = Report("policy", seed)
    for scale in scales:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            for row in pool.submit(policies_of, scale, seed).result():
                report.add(**row)
    return report


def policies_of(count: int, seed: int) -> list[dict[str, object]]:
    """The order of keepers by each policy over `count` pictures."""
    objects, pictures, pairs = _library(count, seed)
    families = family_standing(objects, pictures["digest"])
    held = held_objects(objects, pictures.with_columns(outdone=pl.lit(False)), families)
    shuffled = held.sample(fraction=1.0, shuffle=True, seed=seed)
    keeper_order(held)
    rows: list[dict[str, object]] = []
    for policy in _policies():
        before, cpu, start = _reset_peak_mib(), time.process_time(), time.perf_counter()
        found = keeper_order(held, policy)
        row: dict[str, object] = {
            "pictures": count,
            "objects": held.height,
            "policy": policy.name,
            "seconds": round(time.perf_counter() - start, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
            "peak_mib": _peak_mib(),
            "peak_mib_more": _peak_mib() - before,
        }
        if not keeper_order(shuffled, policy)["object_id"].equals(found["object_id"]):
            raise RuntimeError(f"the order by {policy.name} depends on that of its input, so its time says nothing")
        if policy.preferred_paths:
            row["globs_seconds"] = round(_seconds(partial(path_classes, objects["path"], policy)), 3)
        rows.append(row)
    if count <= _GROUPED:
        rows.append(_regrouped((objects, pictures, pairs), count))
    return rows


def _regrouped(frames: _Frames, count: int) -> dict[str, object]:
    """Grouping and regrouping by a weighted policy, held against each other."""
    policy, rule = _policies()[-1], Thresholds().rule()
    start = time.perf_counter()
    grouping = group(*frames, rule, policy=policy)
    grouped = time.perf_counter() - start
    regrouper = Regrouper(*frames, policy=policy)
    regrouper.regroup(rule)
    start = time.perf_counter()
    found = regrouper.regroup(rule)
    again = time.perf_counter() - start
    members = grouping.groups.filter(~pl.col("is_keeper")).height
    if found.by_tier["objects"].sum() != members:
        raise RuntimeError("regrouping differs from the groups, so its time says nothing")
    return {
        "pictures": count,
        "objects": frames[0].height,
        "policy": f"{policy.name}: groups anew",
        "seconds": round(grouped, 3),
        "regroup_seconds": round(again, 4),
    }


def _policies() -> list[KeepPolicy]:
    alone = [
        KeepPolicy(
            f"{name} alone", (name,), preferred_paths=_GLOBS if name == KeepCriterion.PATH else (), avoided_paths=()
        )
        for name in KeepCriterion
    ]
    protected = KeepPolicy("default, protected", protected_locations=("l0",))
    every = KeepPolicy("all by weights", tuple(KeepCriterion), (1,) * len(KeepCriterion), preferred_paths=_GLOBS)
    others = [policy for policy in BUILT_IN_POLICIES.values() if policy != DEFAULT_POLICY]
    return [DEFAULT_POLICY, *others, *alone, protected, every]


def _library(count: int, seed: int) -> _Frames:
    objects, pictures, pairs = random_library(count, seed)
    draw, height = np.random.default_rng(seed), objects.height
    facts = {
        "protected": draw.random(height) < 0.1,
        "path_class": draw.integers(-1, 3, height),
        "place_cost": draw.choice([0.004, 0.0125, 0.023], height),
        "place_copies": draw.integers(1, 4, height),
        "place_immutable": draw.random(height) < 0.3,
        "notes": draw.integers(0, 3, height),
    }
    objects = objects.with_columns(pl.Series(name, values).cast(KEEP_FACTS[name]) for name, values in facts.items())
    return objects, pictures, pairs


def _reset_peak_mib() -> int:
    """Let the peak of this process begin anew, because making the library took more; gives what is in use."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mib()


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of pictures")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
