"""What hostile and damaged files do to an index run: nothing but cost themselves, if all is well.

Samples of every format that is read are mutated (`benchmarks.mutations`, seeded) and indexed by the product, decoders
isolated as always; then a library of good, damaged, doubled and foreign files, while decoders are killed. What must
hold: the run ends, every file has exactly one outcome, no file keeps a decoder over its limit, good files are indexed
whatever is killed, memory stays below the ceiling.

    python -m benchmarks.hostile [--files 20000] [--mixed 50000] [--kill-every 5] [--problems FOLDER] [--json]

With `--problems` the files are indexed too with which the makers of decoders test them (`benchmarks.problem_files`);
they are downloaded into the folder where they are not there yet.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from benchmarks.mutations import mutated
from benchmarks.problem_files import fetch
from benchmarks.processes import memory_peak
from benchmarks.report import Report, print_report
from data.format_samples import samples
from deeplens_kit.cli.sizes import given_bytes
from deeplens_kit.decode import DecodedPicture, IsolatedDecoder
from deeplens_kit.pipeline import Throttle, Workspace, analysis, coverage, index, list_failures, list_objects
from deeplens_kit.settings import DecodeSettings, FeatureSettings
from deeplens_kit.telemetry import configure_logging

__all__ = ["main", "measure_mixed", "measure_mutations", "measure_problem_files"]

SEED = 20261129
# Tighter than the defaults, so that what would take long or much is met at once.
LIMITS = DecodeSettings(max_pixels=50_000_000, max_seconds=10.0)
_FEATURES = FeatureSettings(enabled=("clarity", "pdq"))  # models see samples only, never the bytes
_GRACE_SECONDS = 5.0  # of a machine that does something else, beyond the limit of a decoder
_TEXT = b"Not a picture, but somebody called it one.\n"


class _Timed(IsolatedDecoder):
    """Decodes as the product does, and keeps how long the file took that took longest."""

    longest_seconds = 0.0
    _lock = threading.Lock()

    def picture(self, data: bytes) -> DecodedPicture:
        began = time.monotonic()
        try:
            return super().picture(data)
        finally:
            with _Timed._lock:
                _Timed.longest_seconds = max(_Timed.longest_seconds, time.monotonic() - began)


@contextmanager
def _timed_decoders() -> Iterator[None]:
    product, _Timed.longest_seconds = analysis.IsolatedDecoder, 0.0
    analysis.IsolatedDecoder = _Timed  # type: ignore[misc]
    try:
        yield
    finally:
        analysis.IsolatedDecoder = product  # type: ignore[misc]


def measure_mutations(files: int, seed: int, ceiling_bytes: int, folder: Path) -> dict[str, object]:
    """Index mutated files of every format.

    Args:
        files: How many.
        seed: Of the mutations.
        ceiling_bytes: Of the run's memory.
        folder: Empty; for files and workspace.
    """
    pictures = folder / "mutated"
    by_format: dict[str, list[bytes]] = {}
    for sample in samples():
        by_format.setdefault(sample.format_name, []).append(sample.data)
    names = sorted(by_format)
    for number in range(files):
        name = names[number % len(names)]
        kind, data = mutated(by_format[name], number, seed)
        path = pictures / name / f"{number // len(names):06d} {kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    found = _indexed(pictures, folder / "workspace", ceiling_bytes)
    table = Counter((path.split("/")[0], outcome) for path, outcome in found.outcomes.items())
    return {
        "what": "mutated files",
        **found.figures(files),
        "formats": {
            name: {outcome: count for (of, outcome), count in sorted(table.items()) if of == name} for name in names
        },
    }


def measure_mixed(files: int, kill_every: float, seed: int, ceiling_bytes: int, folder: Path) -> dict[str, object]:
    """Index a library of good, damaged, doubled and foreign files while decoders are killed.

    Args:
        files: How many.
        kill_every: Seconds between two kills.
        seed: Of what is damaged, doubled and killed.
        ceiling_bytes: Of the run's memory.
        folder: Empty; for files and workspace.
    """
    pictures, chance = folder / "mixed", random.Random(seed)
    good, everything = _samples_that_bear_a_tail(), [sample.data for sample in samples()]
    written: list[bytes] = []
    expected: set[str] = set()
    for number in range(files):
        draw = chance.random()
        path = pictures / f"{number // 1000:03d}" / f"{number:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if draw < 0.6 or not written:
            data = chance.choice(good) + _tail(number)
            written.append(data)
            expected.add(f"{path.parent.name}/{path.name}")
        elif draw < 0.7:
            data = chance.choice(written)
            expected.add(f"{path.parent.name}/{path.name}")
        elif draw < 0.75:
            data = _TEXT * chance.randrange(1, 50)
        else:
            data = mutated(everything, number, seed)[1]
        path.write_bytes(data)
    written.clear()
    with _killing(kill_every, chance) as killed:
        found = _indexed(pictures, folder / "workspace", ceiling_bytes)
    lost = sorted(path for path in expected if found.outcomes.get(path) != "indexed")
    return {
        "what": "mixed files, decoders killed",
        **found.figures(files),
        "killed": killed[0],
        "good_files": len(expected),
        "good_files_lost": len(lost),
        "outcomes": dict(sorted(Counter(found.outcomes.values()).items())),
    }


@dataclass(frozen=True)
class _Found:
    """What came of a run."""

    seconds: float
    outcomes: Mapping[str, str]
    codes: Mapping[str, int]
    objects: int
    longest_seconds: float
    together_mib: float
    own_mib: float
    samples: Sequence[tuple[float, float]]
    ceiling_bytes: int

    def figures(self, files: int) -> dict[str, object]:
        """The row of the table."""
        half = len(self.samples) // 2
        early = statistics.median(mib for _, mib in self.samples[: half or 1])
        late = statistics.median(mib for _, mib in self.samples[half:])
        return {
            "files": files,
            "files_without_outcome": files - len(self.outcomes),
            "objects_in_coverage": self.objects,
            "seconds": round(self.seconds, 1),
            "files_per_second": round(files / self.seconds, 1),
            "failures_by_code": dict(self.codes),
            "longest_file_seconds": round(self.longest_seconds, 2),
            "over_the_limit": int(self.longest_seconds > LIMITS.max_seconds + _GRACE_SECONDS),
            "peak_memory_mib": round(self.together_mib),
            "own_peak_memory_mib": round(self.own_mib),
            "ceiling_mib": round(self.ceiling_bytes / 2**20),
            "memory_early_mib": round(early),
            "memory_late_mib": round(late),
        }


def _indexed(pictures: Path, workspace_folder: Path, ceiling_bytes: int) -> _Found:
    with Workspace.create(workspace_folder) as workspace, memory_peak() as peak, _timed_decoders():
        workspace.settings = replace(workspace.settings, decode=LIMITS, features=_FEATURES)
        workspace.ledger.add_location("files", str(pictures), {})
        began = time.perf_counter()
        index(workspace, and_match=False, throttle=Throttle(max_memory_bytes=ceiling_bytes))
        seconds = time.perf_counter() - began
        outcomes = dict(list_objects(workspace).select("path", "outcome").iter_rows())
        codes = Counter(list_failures(workspace)["code"])
        objects = int(coverage(workspace)["objects"].sum())
    return _Found(
        seconds,
        outcomes,
        dict(sorted(codes.items())),
        objects,
        _Timed.longest_seconds,
        peak.together_mib,
        peak.own_mib,
        peak.samples or [(0.0, 0.0)],
        ceiling_bytes,
    )


def measure_problem_files(ceiling_bytes: int, downloads: Path, folder: Path) -> dict[str, object]:
    """Index the files with which makers of decoders test them.

    Args:
        ceiling_bytes: Of the run's memory.
        downloads: Where they are kept.
        folder: Empty; for the workspace.
    """
    packages, missing = fetch(downloads)
    paths = (path for where in packages.values() for path in where.rglob("*") if path.is_file())
    files = sum(not any(part.startswith(".") for part in path.relative_to(downloads).parts) for path in paths)
    found = _indexed(downloads, folder / "workspace", ceiling_bytes)
    table = Counter((path.split("/")[0], outcome) for path, outcome in found.outcomes.items())
    return {
        "what": "problem files of decoders' makers",
        **found.figures(files),
        "packages": {
            package: {outcome: count for (of, outcome), count in sorted(table.items()) if of == where.name}
            for package, where in packages.items()
        },
        "left_out": missing,
    }


def _samples_that_bear_a_tail() -> list[bytes]:
    """Samples that are read with bytes behind them, by which each file becomes another."""
    from deeplens_kit.decode import decode_picture
    from deeplens_kit.errors import ObjectError

    found = []
    for sample in samples():
        try:
            for number in (0, 515, 2**40 + 77):
                decode_picture(sample.data + _tail(number), LIMITS)
        except ObjectError:
            continue
        found.append(sample.data)
    return found


def _tail(number: int) -> bytes:
    return number.to_bytes(8, "little")


@contextmanager
def _killing(every_seconds: float, chance: random.Random) -> Iterator[list[int]]:
    """Kill a decoder now and then; gives how many were."""
    done, killed = threading.Event(), [0]

    def kill() -> None:
        while not done.wait(every_seconds):
            decoders = psutil.Process().children()
            if decoders:
                chance.choice(decoders).kill()
                killed[0] += 1

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        yield killed
    finally:
        done.set()
        killer.join()


def _failed(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """What did not hold."""
    must: tuple[tuple[str, Callable[[Mapping[str, object]], bool]], ...] = (
        ("files without an outcome", lambda row: row["files_without_outcome"] == 0),
        ("coverage counts every file once", lambda row: row["objects_in_coverage"] == row["files"]),
        ("a file over the limit of a decoder", lambda row: row["over_the_limit"] == 0),
        ("memory over the ceiling", lambda row: float(str(row["peak_memory_mib"])) <= float(str(row["ceiling_mib"]))),
        ("good files lost", lambda row: row.get("good_files_lost", 0) == 0),
    )
    return [f"{row['what']}: {name}" for row in rows for name, holds in must if not holds(row)]


def main() -> None:
    """Run from the command line; ends with 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000, help="mutated files")
    parser.add_argument("--mixed", type=int, default=50_000, help="files of the library in which decoders are killed")
    parser.add_argument("--kill-every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--problems", type=Path, metavar="FOLDER", help="index what decoders' makers test with, too")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--ceiling", default="2GB", metavar="SIZE", help="of memory, of all processes together")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configure_logging(level="error")
    ceiling = given_bytes("--ceiling", options.ceiling) or 0
    report = Report("hostile", options.seed)
    parts: list[Callable[[Path], dict[str, object]]] = []
    if options.files:
        parts.append(lambda folder: measure_mutations(options.files, options.seed, ceiling, folder))
    if options.problems:
        options.problems.mkdir(parents=True, exist_ok=True)
        parts.append(lambda folder: measure_problem_files(ceiling, options.problems.absolute(), folder))
    if options.mixed:
        parts.append(lambda folder: measure_mixed(options.mixed, options.kill_every, options.seed, ceiling, folder))
    for part in parts:
        folder = Path(tempfile.mkdtemp())
        try:
            report.add(**part(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    failed = _failed(report.rows)
    report.figures["failed"] = failed
    print_report(report, as_json=options.json)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
