"""How other duplicate finders that pip installs do on a benchmark of copies, each as its own documentation runs it.

Takes a benchmark folder, gives the pairs of pictures that a rival calls copies, and their figures. A rival is
installed, in a pinned version, into a virtual environment of its own, never into ours; where it cannot be (no network,
no Python on the path that it runs on) it is left out with the reason. Sets of copies stand for all pairs in them; which
picture of a set should stay the rivals do not say, so no removals are scored.

    python -m benchmarks.rivals BENCH [--rival NAME ...] [--environments FOLDER] [--export FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.copy_scores import CopyBenchmark
from benchmarks.pair_figures import pair_figures
from benchmarks.report import Report

__all__ = ["BY_DEFAULT", "RIVALS", "Rival", "RivalAnswer", "RivalMissingError", "ask", "main", "measure"]

_IMAGES = "images"
_MOST_SECONDS = 3600
_WROTE_ROWS = """
with open(sys.argv[2], "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
    writer = csv.writer(stream, lineterminator="\\n")
    writer.writerow(["path_a", "path_b", "score"])
    writer.writerows(rows)
"""
# Equal pixels above near duplicates: the rival tells no more than that.
_IMMACULATE = """
import csv, itertools, sys
from immaculate import find_duplicates
found = find_duplicates(sys.argv[1], method=sys.argv[3])
rows = [
    (str(a), str(b), score)
    for score, sets in ((1.0, found.exact), (0.5, found.near))
    for members in sets
    for a, b in itertools.combinations(sorted(map(str, members)), 2)
]
"""
_DIFPY = """
import csv, itertools, sys
import difPy
built = difPy.build(sys.argv[1], show_progress=False)
found = difPy.search(built, similarity=sys.argv[3], same_dim=False, show_progress=False).result
rows = [
    (str(a), str(b), -float(max(error_a, error_b)))
    for first, others in found.items()
    for (a, error_a), (b, error_b) in itertools.combinations([(first, 0.0), *others], 2)
]
"""
_IMAGEDEDUP = """
import csv, os, sys
from imagededup.methods import PHash
found = PHash(verbose=False).find_duplicates(image_dir=sys.argv[1], scores=True, recursive=True)
rows = [
    (os.path.join(sys.argv[1], a), os.path.join(sys.argv[1], b), -float(bits))
    for a, others in found.items()
    for b, bits in others
    if a < b
]
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """A duplicate finder and how to ask it.

    Attributes:
        requirement: What pip installs, pinned; rivals of one requirement share an environment.
        script: Run in that environment with the folder of pictures, a CSV to write and `mode`; leaves `rows`.
        mode: Which of its methods.
        python: The oldest and the newest Python that it works on.
    """

    requirement: str
    script: str
    mode: str
    python: tuple[tuple[int, int], tuple[int, int]]


_PYTHONS = ((3, 12), (3, 13))
RIVALS: Mapping[str, Rival] = {
    "immaculate pdq": Rival("immaculate[sscd]==0.3.0", _IMMACULATE, "pdq", _PYTHONS),
    "immaculate sscd_distilled": Rival("immaculate[sscd]==0.3.0", _IMMACULATE, "sscd_distilled", _PYTHONS),
    "immaculate sscd": Rival("immaculate[sscd]==0.3.0", _IMMACULATE, "sscd", _PYTHONS),
    "difPy similar": Rival("difPy==4.2.1", _DIFPY, "similar", ((3, 11), (3, 13))),
    "imagededup phash": Rival("imagededup==0.3.3.post2", _IMAGEDEDUP, "phash", ((3, 11), (3, 13))),
}
"""By name. imagededup's CNN is not among them: its weights do not come with the package."""
BY_DEFAULT = ("immaculate pdq", "immaculate sscd_distilled", "immaculate sscd", "difPy similar")
"""imagededup only where it is asked for: the torch that it asks for takes 6 GB."""


class RivalMissingError(RuntimeError):
    """A rival cannot be installed or does not run here."""


@dataclass(frozen=True, slots=True)
class RivalAnswer:
    """What a rival said.

    Attributes:
        pairs: Paths relative to the benchmark, and a score, higher meaning more alike.
        wall_seconds: Of the whole process.
        cpu_seconds: Of the whole process and its children.
    """

    pairs: tuple[tuple[str, str, float], ...]
    wall_seconds: float
    cpu_seconds: float


def ask(rival: Rival, folder: Path, environments: Path) -> RivalAnswer:
    """Let a rival look for copies.

    Args:
        rival: The rival.
        folder: The benchmark; its pictures are read, nothing is written there.
        environments: Where virtual environments are kept, made where they are missing.

    Raises:
        RivalMissingError: It cannot be installed or does not run.
    """
    python = _environment(rival, environments)
    with tempfile.TemporaryDirectory(prefix="deeplens-rival-") as scratch:
        answer = Path(scratch, "pairs.csv")
        images = (folder / _IMAGES).resolve()
        command = [str(python), "-c", rival.script + _WROTE_ROWS, str(images), str(answer), rival.mode]
        wall, cpu = time.perf_counter(), _children_cpu()
        _run(command, f"{rival.requirement} did not run")
        wall, cpu = time.perf_counter() - wall, _children_cpu() - cpu
        with answer.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            rows = [(row["path_a"], row["path_b"], float(row["score"])) for row in csv.DictReader(stream)]
    pairs = tuple((_inside(a, images), _inside(b, images), score) for a, b, score in rows)
    return RivalAnswer(pairs, wall, cpu)


def measure(
    names: Sequence[str],
    benches: Mapping[str, CopyBenchmark],
    folder: Path,
    environments: Path,
    export: Path | None = None,
) -> dict[str, dict[str, object]]:
    """Figures of rivals, by name; of one that is left out, the reason.

    Args:
        names: Keys of `RIVALS`.
        benches: The views to score by.
        folder: The benchmark.
        environments: As for `ask`.
        export: Where to write the pairs of each rival as CSV; None to keep them.
    """
    figures: dict[str, dict[str, object]] = {}
    for name in names:
        try:
            answer = ask(RIVALS[name], folder, environments)
        except RivalMissingError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            figures[name] = {"package": RIVALS[name].requirement, "left_out": str(error)}
            continue
        if export is not None:
            _export(export / f"{name.replace(' ', '-')}.csv", answer)
        figures[name] = {
            "package": RIVALS[name].requirement,
            "wall_seconds": round(answer.wall_seconds, 1),
            "cpu_seconds": round(answer.cpu_seconds, 1),
            **{view: pair_figures(bench.score_pairs(bench.answer(answer.pairs))) for view, bench in benches.items()},
        }
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path, metavar="BENCH", help="folder with images/, manifest.csv and ignore.csv")
    parser.add_argument("--rival", action="append", choices=list(RIVALS), help=f"default: {', '.join(BY_DEFAULT)}")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="keeps what is installed for the next run")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the pairs of each rival there")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if not (options.bench / "manifest.csv").is_file() or not (options.bench / _IMAGES).is_dir():
        print(f"error: {str(options.bench)!r} is no benchmark: it needs manifest.csv and images/", file=sys.stderr)
        return 2
    benches = {view: CopyBenchmark(options.bench, core=view == "core") for view in ("full", "core")}
    report = Report("rivals", 0)
    with tempfile.TemporaryDirectory(prefix="deeplens-rivals-") as scratch:
        environments = options.environments or Path(scratch)
        report.figures["rivals"] = measure(
            options.rival or BY_DEFAULT, benches, options.bench, environments, options.export
        )
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print_rivals(report.as_dict()["rivals"])  # type: ignore[arg-type]
    return 0


def print_rivals(rivals: Mapping[str, Mapping[str, object]]) -> None:
    """A line for each rival and view."""
    print(f"\n{'rivals':<28}{'pairs':>8}{'precision':>11}{'recall':>9}{'micro-AP':>10}{'CPU s':>9}")
    for name, of in rivals.items():
        if "left_out" in of:
            print(f"{name}: left out, {of['left_out']}")
            continue
        for view, figures in of.items():
            if isinstance(figures, dict):
                cells = (figures["pairs_listed"], figures["precision_of_all_listed"], figures["recall_of_all_listed"])
                shown = f"{cells[0]:>8}{cells[1]:>11.3f}{cells[2]:>9.3f}{figures['micro_ap']:>10.3f}"
                print(f"{name + ', ' + view:<28}{shown}{of['cpu_seconds']:>9}")


def _environment(rival: Rival, environments: Path) -> Path:
    """The interpreter of the rival's environment, made where it is missing."""
    home = environments / "".join(sign if sign.isalnum() else "-" for sign in rival.requirement)
    python, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        base = _interpreter(rival)
        shutil.rmtree(home, ignore_errors=True)
        _run([base, "-m", "venv", str(home)], "no virtual environment could be made")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, rival.requirement], f"{rival.requirement} could not be installed")
        done.touch()
    return python


def _interpreter(rival: Rival) -> str:
    """A Python that the rival runs on: this one, else one on the path."""
    oldest, newest = rival.python
    if oldest <= sys.version_info[:2] <= newest:
        return sys.executable
    for minor in range(newest[1], oldest[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        # A name on the path may be a stand-in for a version that is not there.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    raise RivalMissingError(
        f"{rival.requirement} runs on Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, none is on the path"
    )


def _run(command: Sequence[str], failure: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RivalMissingError(f"{failure}: {error}") from error
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RivalMissingError(f"{failure}: {last}")


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _inside(path: str, images: Path) -> str:
    return f"{_IMAGES}/{Path(path).relative_to(images).as_posix()}"


def _export(path: Path, answer: RivalAnswer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path_a", "path_b", "score"])
        writer.writerows(answer.pairs)


if __name__ == "__main__":
    raise SystemExit(main())
