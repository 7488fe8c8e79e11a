"""Whether a part finds the picture that it comes from, and a picture those that hold it, in a benchmark folder.

Two libraries are indexed by the product itself: the references of the benchmark with all its distractors, and the
collages, screenshots and crops made of them with as many distractors. The first is asked with each of these, the second
with each original: is the right picture among the first? Beside that stands what the vector of the whole picture and
PDQ, each alone, say in the same run.

    python -m benchmarks.parts BENCH [--one-in N] [--workspaces FOLDER] [--json]

BENCH is as for `benchmarks.copies`. `--workspaces` keeps the libraries there for the next run.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.features import Extractor, available
from deeplens_kit.features.orientations import dihedral_pdq
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.part_search import LOOKING_SECONDS, PartSearch, PartsFound
from deeplens_kit.pipeline.query_picture import Asked, features_of, sought
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.search import Library
from deeplens_kit.telemetry import configure_logging

__all__ = ["main", "measure"]

SEED = 0
"""Nothing is drawn at random; the seed stands in the report because every report has one."""
FAMILIES = ("collage", "screenshot", "crop")
LEAST_RECALL_AT_5 = 0.80
"""The figure to reach for collages and screenshots, inclusive."""

_DIRECTIONS = ("sources", "composites")
_FIRST = 5
_FEATURES = ("clarity", "phash", "pdq", "sscd_small")


@dataclass(frozen=True, slots=True)
class _Question:
    """A file that is asked for, the digests of which one is the right answer, and those that count as neither."""

    family: str
    path: Path
    right: frozenset[str]
    neither: frozenset[str] = frozenset()


def measure(folder: Path, workspaces: Path, one_in: int = 1, looking: float = LOOKING_SECONDS) -> Report:
    """Index both libraries where they are not there yet, and ask.

    Args:
        folder: The benchmark.
        workspaces: For the libraries.
        one_in: Ask one question in so many, the same ones each time; the libraries are whole.
        looking: Seconds of closer looks for each.
    """
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    report = Report("parts", SEED)
    report.figures["recall_at_5_to_reach"] = LEAST_RECALL_AT_5
    for direction in _DIRECTIONS:
        questions = [
            item for item in _questions(direction, rows, folder) if zlib.crc32(item.path.name.encode()) % one_in == 0
        ]
        with _library(direction, rows, folder, workspaces / direction) as workspace:
            held = load_held(workspace, held_state(workspace), None)
            for row in _asked(direction, questions, workspace, held, looking):
                report.add(**row)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.parts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path, metavar="BENCH", help="folder with images/ and manifest.csv")
    parser.add_argument("--one-in", type=int, default=1, metavar="N", help="ask one question in N")
    parser.add_argument("--workspaces", type=Path, metavar="FOLDER", help="keep the indexed libraries there")
    parser.add_argument(
        "--looking", type=float, default=LOOKING_SECONDS, metavar="SECONDS", help="of closer looks for each question"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    configure_logging(level="warning")
    if not (options.bench / "manifest.csv").is_file() or options.one_in < 1:
        print(f"error: {str(options.bench)!r} has no manifest.csv, or --one-in is below 1", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="deeplens-parts-") as scratch:
        report = measure(options.bench, options.workspaces or Path(scratch), options.one_in, options.looking)
    print_report(report, as_json=options.json)
    return 0


def _questions(direction: str, rows: Sequence[Mapping[str, str]], folder: Path) -> Iterator[_Question]:
    of_source: dict[str, set[str]] = {}
    for row in rows:
        if row["kind"] == ("original" if direction == "sources" else "copy") and _belongs(direction, row):
            of_source.setdefault(row["source_id"], set()).add(row["sha256"])
    for row in rows:
        if direction == "sources" and row["family"] in FAMILIES:
            yield _Question(row["family"], folder / row["path"], frozenset(of_source[row["source_id"]]))
        elif direction == "composites" and row["family"] == "original":
            # By family, because an original may be in one of each.
            for family in FAMILIES:
                right = {
                    other["sha256"]
                    for other in rows
                    if other["family"] == family and other["source_id"] == row["source_id"]
                }
                if right:
                    alike = {other["sha256"] for other in rows if other["source_id"] == row["source_id"]}
                    yield _Question(family, folder / row["path"], frozenset(right), frozenset(alike - right))


def _belongs(direction: str, row: Mapping[str, str]) -> bool:
    """Whether a picture is in the library that is asked in this direction."""
    if row["kind"] == "distractor":
        return direction == "sources" or row["role"] == "reference"
    return row["family"] == "original" if direction == "sources" else row["family"] in FAMILIES


def _library(direction: str, rows: Sequence[Mapping[str, str]], folder: Path, place: Path) -> Workspace:
    """The indexed library, made where it is not there yet."""
    made = place / "workspace"
    if (made / "workspace.toml").is_file():
        return Workspace.open(made)
    pictures = place / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if _belongs(direction, row):
            shutil.copy(folder / row["path"], pictures / Path(row["path"]).name)
    with Workspace.create(made) as workspace:
        workspace.ledger.add_location("pictures", str(pictures), {})
        index(workspace, and_match=False)
    return Workspace.open(made)


def _asked(
    direction: str, questions: Sequence[_Question], workspace: Workspace, held: Held, looking: float
) -> Iterator[dict[str, object]]:
    """A row of the report for each family."""
    extractors = tuple(available(type(workspace.settings.features)(enabled=_FEATURES)).extractors.values())
    toolbox = Toolbox(extractors, workspace.settings.decode, thumbnails=None)
    searching = PartSearch(workspace)
    alone = _alone(held.library)
    for family in FAMILIES:
        ranks: dict[str, list[float]] = {"parts": [], **{name: [] for name in alone}}
        seconds: list[float] = []
        looked: list[int] = []
        verified: list[bool] = []
        cpu: list[float] = []
        wrong = cut = 0
        for question in (item for item in questions if item.family == family):
            began, worked = time.perf_counter(), time.process_time()
            asked, found = _search(searching, question.path, held, toolbox, extractors, looking)
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - worked)
            cut += not found.is_whole
            looked.append(found.looked_at)
            # Other copies of the same picture count as neither right nor wrong.
            others = pl.Series(sorted(question.neither))
            told = found.rows.with_columns(digest=held.library.pictures["digest"].gather(found.rows["position"]))
            told = told.filter(~pl.col("digest").is_in(others.implode()))
            digests = told["digest"].to_list()
            ranks["parts"].append(_place([digest in question.right for digest in digests]))
            seen = (told["relation"] != "unverified").to_list()
            verified.append(any(has and digest in question.right for has, digest in zip(seen, digests, strict=True)))
            wrong += sum(has and digest not in question.right for has, digest in zip(seen, digests, strict=True))
            right = held.library.pictures["digest"].is_in(list(question.right)).to_numpy()
            neither = held.library.pictures["digest"].is_in(others.implode()).to_numpy()
            for name, scores in alone.items():
                of_all = np.where(neither, -np.inf, scores(asked))
                ranks[name].append(float((of_all > of_all[right].max()).sum()))
        if not seconds:
            continue
        yield {
            "direction": direction,
            "family": family,
            "questions": len(seconds),
            "library": len(held.library),
            **{
                f"recall_at_{first}": {
                    name: round(float(np.mean(np.array(of) < first)), 3) for name, of in ranks.items()
                }
                for first in (1, _FIRST)
            },
            "verified": round(float(np.mean(verified)), 3),
            "others_seen_per_question": round(wrong / len(seconds), 2),
            "looked_at": round(float(np.mean(looked)), 1),
            "seconds_p50": round(float(np.quantile(seconds, 0.5)), 3),
            "cut_off_by_time": cut,
            "cpu_seconds_p50": round(float(np.quantile(cpu, 0.5)), 3),
            "seconds_p95": round(float(np.quantile(seconds, 0.95)), 3),
        }


def _search(
    searching: PartSearch, path: Path, held: Held, toolbox: Toolbox, extractors: Sequence[Extractor], looking: float
) -> tuple[Asked, PartsFound]:
    given = sought(path, held.library, toolbox.decode)
    assert given.content is not None, "a file has bytes"
    asked = features_of(given, held.library, toolbox)
    return asked, searching.search(held, asked.picture, given.content.data, extractors, limit=_FIRST, seconds=looking)


def _place(is_right: Sequence[bool]) -> float:
    """How many come before the first right one."""
    return float(is_right.index(True)) if True in is_right else float("inf")


def _alone(library: Library) -> dict[str, Callable[[Asked], NDArray[np.floating]]]:
    """What a signal of whole pictures says of every picture of the library, higher is more alike."""
    bits = np.frombuffer(b"".join(library.pictures["pdq"].fill_null(bytes(32))), np.uint8).reshape(-1, 32)
    (small,) = (item for item in library.vectors if item.name == "sscd_small")
    rows = small.row_of_position
    vectors = np.where((rows >= 0)[:, None], small.shelf.rows(np.maximum(rows, 0)), 0.0)

    def by_pdq(asked: Asked) -> NDArray[np.floating]:
        own = asked.picture.facts["pdq"]
        assert isinstance(own, bytes), "PDQ is computed for every question"
        turned = dihedral_pdq(np.frombuffer(own, np.uint8)[None])[:, 0]
        apart = np.bitwise_count(bits[None] ^ turned[:, None]).sum(axis=2).min(axis=0)
        return np.asarray(-apart.astype(np.float64))

    return {"sscd_small": lambda asked: vectors @ asked.picture.vectors["sscd_small"].astype(np.float32), "pdq": by_pdq}


if __name__ == "__main__":
    raise SystemExit(main())
