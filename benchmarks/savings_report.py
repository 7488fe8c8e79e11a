"""What the savings report costs as a library grows: its numbers, and the page that `deeplens report savings` makes of
them.

A synthetic workspace is written (see `benchmarks.synthetic_workspace`), with prices, owners and labels, so that every
part of the report has something to say. Then the report is asked for in a process of its own, so that its peak memory
is its own, and the whole page is made from the notebook, whose kernel is a process of its own by nature. The numbers
must be those of `deeplens savings`.

    python -m benchmarks.savings_report [--scale OBJECTS ...] [--labels N] [--no-page] [--json]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Report, print_report
from benchmarks.synthetic_workspace import SEED, write_workspace
from deeplens_kit.pipeline import Workspace, summarise_savings

__all__ = ["main", "measure"]

SCALES = (10_000, 100_000, 1_000_000)
LABELS = 400
_WORKSPACE = "workspace"
_WARM_UP = 2_000


def measure(scales: Sequence[int], labels: int = LABELS, *, page: bool = True, seed: int = SEED) -> Report:
    """Measure the report at each number of objects."""
    report = Report("savings_report", seed)
    for scale in scales:
        with TemporaryDirectory() as name:
            folder = Path(name)
            _alone(_written, folder, scale, labels, seed)
            row = _alone(told, folder, seed)
            report.add(**row, **(_alone(drawn, folder) if page else {}))
    return report


def told(folder: Path, seed: int) -> dict[str, object]:
    """The numbers of the report, in this process."""
    from deeplens_kit.reporting import report_savings

    # What is compiled when it is first called.
    with Workspace.open(write_workspace(folder / "small", _WARM_UP, seed, labels=LABELS)) as workspace:
        report_savings(workspace)
    before, start, cpu = _reset_peak_mib(), time.perf_counter(), time.process_time()
    with Workspace.open(folder / _WORKSPACE) as workspace:
        report = report_savings(workspace)
        seconds, cpu, peak = time.perf_counter() - start, time.process_time() - cpu, _peak_mib()
        sums = summarise_savings(workspace)
    if int(sums["realisable_bytes"].sum()) != report.numbers.realisable_bytes or not report.numbers.objects:
        raise RuntimeError("the report says other bytes than `deeplens savings`, so its time says nothing")
    return {
        "objects": report.coverage.objects,
        "proposed": report.numbers.objects,
        "groups": report.totals.groups,
        "overlaps": len(report.overlaps),
        "labels": 0 if report.interval is None else report.interval.labels,
        "data_seconds": round(seconds, 2),
        "data_cpu_seconds": round(cpu, 2),
        "data_mib_before": before,
        "data_peak_mib": peak,
    }


def drawn(folder: Path) -> dict[str, object]:
    """The page from the notebook, as `deeplens report savings` makes it: its kernel reads all of it anew."""
    from deeplens_kit.reporting import render_notebook
    from deeplens_kit.reporting.bundled import bundled

    out = folder / "savings.html"
    start = time.perf_counter()
    made = render_notebook(bundled("reports") / "savings.ipynb", {"workspace": str(folder / _WORKSPACE)}, out)
    return {
        "page_seconds": round(time.perf_counter() - start, 2),
        "page_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "html_mb": round(made.html.stat().st_size / 1e6, 2),
    }


def _written(folder: Path, scale: int, labels: int, seed: int) -> dict[str, object]:
    write_workspace(folder / _WORKSPACE, scale, seed, labels=labels)
    return {}


def _alone(step: Callable[..., dict[str, object]], *arguments: object) -> dict[str, object]:
    """What a step gives in a process of its own, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def _reset_peak_mib() -> int:
    """Let the peak of this process begin anew; gives what is in use."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mib()


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of objects")
    parser.add_argument("--labels", type=int, default=LABELS, help="pairs that are labelled; 0 for none")
    parser.add_argument("--no-page", action="store_true", help="the numbers alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.scale, options.labels, page=not options.no_page), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
