"""What a plan costs as a library grows: from the stored frames to the plan that is saved in the ledger.

Synthetic objects, three for two pictures, of which the pairs link neighbours, are grouped, planned, checked, written as
parts and saved in a ledger of its own (SQLite), then read back and held against what was saved. A part of the objects
has hard links, companions, holds and protected places. Each size runs in a process of its own so that its peak memory
is its own. Grouping is timed apart; `seconds` is all of it together.

    python -m benchmarks.planning [--scale OBJECTS ...] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.matching import random_library
from benchmarks.report import Report, print_report
from deeplens_kit.actions import (
    PlanPlace,
    PlanPrices,
    PlanRequest,
    plan_steps,
    plan_totals,
    steps_digest,
    steps_from_parts,
    steps_to_parts,
)
from deeplens_kit.ledger import Ledger
from deeplens_kit.matching import STRICT, find_families, group
from deeplens_kit.savings import ClassPrices, LocationPrices, PriceBook
from deeplens_kit.schemas import ActionKind, Tier

__all__ = ["main", "measure"]

SEED = 20_261_201
SCALES = (10_000, 100_000, 1_000_000)
# Shares of objects with two names, under a hold, protected, and on a storage that proves by its tokens.
_LINKED, _HELD, _PROTECTED, _REMOTE = 0.02, 0.01, 0.01, 0.5
_WARM_UP = 2_000
_TIERS = (Tier.BYTES, Tier.PIXELS, Tier.COPY)


def measure(scales: Sequence[int], seed: int = SEED) -> Report:
    """Measure planning at each number of objects."""
    report = Report("planning", seed)
    for scale in scales:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            report.add(**pool.submit(planned, scale, seed).result())
    return report


def planned(count: int, seed: int) -> dict[str, object]:
    """One plan over `count` objects, in this process."""
    objects, pictures, pairs = _library(count, seed)
    places = {
        "disk": PlanPlace("disk", "disk", may_change=True, local=True),
        "cloud": PlanPlace("cloud", "cloud", may_change=True, proves_by_token=True),
    }
    book = PriceBook("EUR", {"*": LocationPrices("EUR", {"*": ClassPrices(Decimal("0.0230"))})})
    prices = PlanPrices(book, {name: name for name in places}, datetime(2026, 1, 1, tzinfo=UTC))
    spent: dict[str, float] = {}
    # What is compiled when it is first called.
    group(*_library(_WARM_UP, seed), STRICT, tiers=set(_TIERS))
    before, cpu = _reset_peak_mib(), time.process_time()
    with _timed(spent, "grouping"):
        groups = group(objects, pictures, pairs, STRICT, tiers=set(_TIERS)).groups
    with _timed(spent, "steps"):
        request = PlanRequest(ActionKind.REMOVE, _TIERS, "strict@1")
        families = find_families(objects)
        draft = plan_steps(groups, objects, request, places, families=families, prices=prices)
    with _timed(spent, "totals"):
        totals = plan_totals(draft.steps, prices.names, prices)
    with tempfile.TemporaryDirectory() as folder, Ledger.create(f"sqlite:///{Path(folder) / 'ledger.db'}") as ledger:
        with _timed(spent, "saving"):
            digest = steps_digest(draft.steps)
            parts = steps_to_parts(draft.steps)
            document = {"by_location": totals}
            record = ledger.save_plan("duplicates", document, parts, digest, draft.steps.height)
        peak, cpu = _peak_mib(), time.process_time() - cpu
        with _timed(spent, "reading_back"):
            again = steps_from_parts(ledger.plan_parts(record.plan_id))
        if steps_digest(again) != digest or not draft.steps.height:
            raise RuntimeError("the plan that was read back is not the one that was saved, so its time says nothing")
    return {
        "objects": count,
        "members": groups.filter(~pl.col("is_keeper")).height,
        "steps": draft.steps.height,
        "left_out": draft.left_out.height,
        "seconds": round(sum(value for name, value in spent.items() if name != "reading_back"), 2),
        "cpu_seconds": round(cpu, 2),
        **{f"{name}_seconds": round(value, 2) for name, value in spent.items()},
        "parts_mib": round(sum(map(len, parts)) / 2**20, 1),
        "peak_mib": peak,
        "peak_mib_more": peak - before,
    }


def _library(count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    objects, pictures, pairs = random_library(count * 2 // 3, seed)
    draw, height = np.random.default_rng(seed), objects.height
    linked = pl.Series(draw.random(height) < _LINKED)
    numbers = pl.Series(np.arange(height))
    objects = objects.with_columns(
        location_id=pl.Series(np.where(draw.random(height) < _REMOTE, "cloud", "disk")),
        path=pl.format("{}/IMG_{}.jpg", numbers // 1000, numbers),
        size_bytes=pl.Series(draw.integers(100_000, 9_000_000, height)),
        change_token=pl.format("{}-token", numbers),
        link_id=pl.when(linked).then(pl.format("1:{}", numbers)),
        link_count=pl.when(linked).then(2).otherwise(1).cast(pl.Int32),
        held=pl.Series(draw.random(height) < _HELD),
        protected=pl.Series(draw.random(height) < _PROTECTED),
    )
    return objects.with_columns(object_id=pl.concat_str("location_id", pl.lit("/"), "path")), pictures, pairs


@contextmanager
def _timed(spent: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent[name] = time.perf_counter() - start


def _reset_peak_mib() -> int:
    """Let the peak of this process begin anew, because making the library took more; gives what is in use."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mib()


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of objects")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
