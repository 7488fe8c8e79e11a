"""What the whole of indexing and matching costs as a library grows, stage by stage.

A made-up library (`benchmarks.scale_corpus`: 480x360 JPEGs, one in five a copy of another) is indexed with the default
settings at each size, in a process of its own so that its peak memory is its own. How a stage grows is the exponent e
of seconds = c * pictures ** e that fits its CPU seconds best.

    python -m benchmarks.scale [--pictures N ...] [--corpus FOLDER] [--workers N] [--json]

With `--corpus` the pictures are kept, and only those that are missing are made. 100,000 pictures take hours; ask.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.processes import cpu_seconds, memory_peak
from benchmarks.report import Report, print_report
from benchmarks.scale_corpus import COPY_EVERY, SEED, beginning, make_corpus, original_of
from benchmarks.stage_costs import StageCosts
from deeplens_kit.pipeline import MatchReport, Workspace, index, list_groups, list_objects
from deeplens_kit.schemas import Tier
from deeplens_kit.telemetry import configure_logging

__all__ = ["exponents", "main", "measure"]

SIZES = (1_000, 10_000)
_FROM_SECONDS = 1.0
"""A stage that takes less at the greatest size says nothing about how it grows."""


def measure(sizes: Sequence[int], corpus: Path, scratch: Path, workers: int) -> Report:
    """Index and match the beginning of the corpus at each size.

    Args:
        sizes: Numbers of pictures.
        corpus: Where the pictures are kept; those that are missing are made.
        scratch: An empty folder for workspaces.
        workers: Threads of indexing, and processes that make pictures.
    """
    report = Report("scale", SEED)
    for count in sorted(sizes):
        began = time.perf_counter()
        made = make_corpus(corpus, count, workers)
        making = round(time.perf_counter() - began, 1)
        pictures = scratch / f"pictures-{count}"
        beginning(corpus, count, pictures)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            row = pool.submit(_indexed, count, pictures, scratch / f"workspace-{count}", workers).result()
        report.add(**row, pictures_made=made, making_seconds=making)
    cpu = {int(str(row["pictures"])): row["stages_cpu_seconds"] for row in report.rows}
    report.figures |= {"workers": workers, "copies_share": 1 / COPY_EVERY, "exponents": exponents(cpu)}  # type: ignore[arg-type]
    return report


def exponents(seconds: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """How each stage grows: slope of log(seconds) over log(pictures), for stages that take a second or more.

    Args:
        seconds: CPU seconds by number of pictures and stage.
    """
    if len(seconds) < 2:
        return {}
    totals = {count: {**stages, "all": sum(stages.values())} for count, stages in seconds.items()}
    greatest = totals[max(totals)]
    found = {}
    for stage in greatest:
        known = [count for count, of in totals.items() if of.get(stage, 0.0) > 0]
        if greatest[stage] >= _FROM_SECONDS and len(known) > 1:
            fitted = statistics.linear_regression(
                [math.log(count) for count in known], [math.log(totals[count][stage]) for count in known]
            )
            found[stage] = round(fitted.slope, 3)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=list(SIZES), help="numbers of pictures")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="keep the pictures there for the next run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    configure_logging(level="warning")
    with tempfile.TemporaryDirectory(prefix="deeplens-scale-", dir=options.corpus and options.corpus.parent) as scratch:
        corpus = options.corpus or Path(scratch, "corpus")
        report = measure(options.pictures, corpus, Path(scratch), options.workers)
    print_report(report, as_json=options.json)
    return 0


def _indexed(count: int, pictures: Path, workspace_folder: Path, workers: int) -> dict[str, object]:
    """Index a folder in this process; a row of figures."""
    configure_logging(level="warning")
    matched: list[MatchReport] = []
    with Workspace.create(workspace_folder) as workspace, memory_peak() as together:
        workspace.ledger.add_location("pictures", str(pictures), {})
        costs = StageCosts()
        began, cpu = time.perf_counter(), cpu_seconds()
        index(workspace, workers=workers, progress=costs, matched=matched.append)
        costs.finish()
        wall, cpu = time.perf_counter() - began, cpu_seconds() - cpu
        peak = _peak_mib()
        (report,) = matched
        stored = workspace.catalog.pairs()
        found, wrong = _copies_found(workspace)
    return {
        "pictures": report.pictures,
        "seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_memory_mib": peak,
        "peak_memory_with_decoders_mib": round(together.together_mib),
        "stages_seconds": {name: round(value, 2) for name, value in costs.wall_seconds.items()},
        "stages_cpu_seconds": {name: round(value, 2) for name, value in costs.cpu_seconds.items()},
        "pairs_stored": stored.height,
        "pairs_per_picture": round(stored.height / count, 2),
        "pairs_verified": report.verified,
        "pairs_of_copies": int((stored["tier"] != str(Tier.SCENE)).sum()),
        "copies_removable": count // COPY_EVERY,
        "copies_removed_rightly": found,
        "removed_wrongly": wrong,
    }


def _copies_found(workspace: Workspace) -> tuple[int, int]:
    """Removals of the default rule that are copies of their keeper, and those that are not."""
    groups = list_groups(workspace).groups
    source = {str(path): original_of(int(Path(path).stem)) for path in list_objects(workspace)["path"]}
    keepers = {row["group_id"]: source[row["path"]] for row in groups.iter_rows(named=True) if row["is_keeper"]}
    right = [
        keepers[row["group_id"]] == source[row["path"]] for row in groups.iter_rows(named=True) if not row["is_keeper"]
    ]
    return sum(right), len(right) - sum(right)


def _peak_mib() -> int:
    """Of this process alone: what its parent took before the start counts in `ru_maxrss` on Linux."""
    try:
        with Path("/proc/self/status").open(encoding="utf-8") as stream:
            return next(int(line.split()[1]) // 1024 for line in stream if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    raise SystemExit(main())
