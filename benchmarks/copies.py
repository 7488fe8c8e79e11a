"""How many copies the default rule finds in a benchmark folder, how many of its removals would be right.

The pictures are indexed by the product itself, in a new workspace: what is scored are the pairs that it stores and
the removals that it proposes, beside what PDQ, pHash and small SSCD each reach alone over all pairs.

    python -m benchmarks.copies BENCH [--same A,B ...] [--rivals FOLDER] [--json] [--export FOLDER]

BENCH holds `images/`, `manifest.csv` and `ignore.csv`; see `benchmarks.copy_scores` for the measures. Where two sources
of it are one picture by mistake of the benchmark, `--same` names them: every figure is then given twice, as the
benchmark has it and, named so, without pairs of those two.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from benchmarks.copy_scores import CopyBenchmark, PairScores, RemovalScores
from benchmarks.copy_tables import print_tables
from benchmarks.pair_figures import pair_figures, removal_figures
from benchmarks.report import Report
from benchmarks.rivals import BY_DEFAULT
from benchmarks.rivals import measure as measure_rivals
from benchmarks.single_signals import single_signals
from benchmarks.stage_costs import StageCosts
from deeplens_kit.pipeline import MatchReport, Workspace, index, list_failures, list_groups, list_objects, list_pairs
from deeplens_kit.schemas import Relation
from deeplens_kit.storage import decode_path
from deeplens_kit.telemetry import StageTimes, collect_stage_times, configure_logging

__all__ = ["main", "measure"]

SEED = 0
"""Nothing is drawn at random; the seed stands in the report because every report has one."""
_IMAGES = "images"
_RULE = "default rule"
_VIEWS = ("full", "core")
_WITHOUT_SAME = " without --same"
# How the second of two pictures stands to the first.
_TURNED_ROUND = {str(Relation.PART): str(Relation.CONTAINS), str(Relation.CONTAINS): str(Relation.PART)}


@dataclass(frozen=True, slots=True)
class _Indexed:
    """What the product found, and what that cost."""

    pairs: pl.DataFrame
    groups: pl.DataFrame
    groups_with_composites: pl.DataFrame
    digest_at: Mapping[str, str]
    figures: Mapping[str, object]


def measure(
    folder: Path,
    workspace_folder: Path,
    export: Path | None = None,
    *,
    same: Sequence[tuple[str, str]] = (),
    rivals: Path | None = None,
) -> Report:
    """Index the pictures of a benchmark, score pairs and removals.

    Args:
        folder: The benchmark.
        workspace_folder: For a new workspace.
        export: Where to write `pairs.csv` and `groups.csv`, the answer that is scored; None to keep it.
        same: Pairs of sources that are one picture; figures without their pairs stand beside the others.
        rivals: Where rivals are installed, see `benchmarks.rivals`; None runs none.

    Returns:
        A report with a row per signal, figures of the removals, and what became of the families.
    """
    benches = {view: CopyBenchmark(folder, core=view == "core") for view in _VIEWS}
    if same:
        benches |= {
            view + _WITHOUT_SAME: CopyBenchmark(folder, core=view == "core", same=same) for view in tuple(benches)
        }
    report = Report("copies", SEED)
    with Workspace.create(workspace_folder) as workspace:
        # 1. index and match, as a user would
        found = _indexed(workspace, folder)
        if export is not None:
            _export(export, found)
        # 2. pairs, beside single signals
        answer = list(found.pairs.select("path_a", "path_b", "score").iter_rows())
        ranked = {view: bench.score_pairs(bench.answer(answer)) for view, bench in benches.items()}
        report.add(signal=_RULE, **{view: pair_figures(scores) for view, scores in ranked.items()})
        alone: dict[str, dict[str, PairScores]] = {}
        for core in _VIEWS:
            # Rows do not depend on what counts as neither.
            signals = single_signals(workspace, benches[core], found.digest_at)
            for view in [view for view in benches if view.removesuffix(_WITHOUT_SAME) == core]:
                for name, ranking in signals.items():
                    alone.setdefault(name, {})[view] = benches[view].score_pairs(ranking)
        for name, scored in alone.items():
            report.add(signal=f"{name} alone", **{view: pair_figures(scored[view]) for view in benches})
    # 3. removals and families
    removals = {view: bench.score_removals(found.groups.iter_rows()) for view, bench in benches.items()}
    wider = {view: bench.score_removals(found.groups_with_composites.iter_rows()) for view, bench in benches.items()}
    full_alone = {name: scored["full"] for name, scored in alone.items()}
    report.figures |= {
        "pictures": len(benches["full"].paths),
        **found.figures,
        "same": [list(pair) for pair in same],
        "removals": {view: removal_figures(scores) for view, scores in removals.items()},
        "removals_with_composites": {view: removal_figures(scores) for view, scores in wider.items()},
        "families": _families(ranked["full"], full_alone, removals["full"], wider["full"]),
        "relations": _relations(benches["full"], found.pairs),
    }
    # 4. rivals
    if rivals is not None:
        report.figures["rivals"] = measure_rivals(BY_DEFAULT, benches, folder, rivals, export)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.copies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path, metavar="BENCH", help="folder with images/, manifest.csv and ignore.csv")
    parser.add_argument(
        "--same", action="append", default=[], metavar="A,B", help="two source_id that are one picture; repeatable"
    )
    parser.add_argument("--rivals", type=Path, metavar="FOLDER", help="run rivals too; they are installed there")
    parser.add_argument(
        "--one-in", type=int, default=1, metavar="N", help="take one source in N, the same ones each time"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write pairs.csv and groups.csv there")
    options = parser.parse_args(arguments)
    configure_logging(level="warning")
    same = [tuple(pair.split(",")) for pair in options.same]
    if problem := _problem(options.bench, same):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="deeplens-copies-") as scratch:
        bench = options.bench if options.one_in <= 1 else _one_in(options.one_in, options.bench, Path(scratch, "bench"))
        report = measure(
            bench,
            Path(scratch, "workspace"),
            options.export,
            same=[(pair[0], pair[1]) for pair in same],
            rivals=options.rivals,
        )
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print_tables(report.as_dict())
    return 0


def _one_in(count: int, bench: Path, folder: Path) -> Path:
    """A smaller benchmark: one source in `count` with all its pictures, chosen by the digest of its name."""
    folder.mkdir()
    shutil.copy(bench / "ignore.csv", folder)
    with (bench / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [row for row in rows if zlib.crc32(row["source_id"].encode()) % count == SEED]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(chosen)
    for row in chosen:
        (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bench / row["path"], folder / row["path"])
    return folder


def _problem(bench: Path, same: Sequence[tuple[str, ...]]) -> str | None:
    """What is wrong with the arguments, in one line."""
    if not (bench / "manifest.csv").is_file() or not (bench / _IMAGES).is_dir():
        return f"{str(bench)!r} is no benchmark: it needs manifest.csv and images/"
    with (bench / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        known = {row["source_id"] for row in csv.DictReader(stream)}
    for pair in same:
        if len(pair) != 2 or not set(pair) <= known:
            return f"--same {','.join(pair)!r}: name two sources of the manifest with a comma between them"
    return None


def _indexed(workspace: Workspace, folder: Path) -> _Indexed:
    workspace.ledger.add_location(_IMAGES, str(folder / _IMAGES), {})
    costs = StageCosts()
    matched: list[MatchReport] = []
    with collect_stage_times() as clock:
        began = time.perf_counter()
        (run,) = index(workspace, progress=costs, matched=matched.append)
        seconds = time.perf_counter() - began
        costs.finish()
    (report,) = matched
    stored = workspace.catalog.pairs()
    places = _with_manifest_paths(list_objects(workspace).filter(pl.col("digest").is_not_null()), "path")
    wider = list_groups(workspace, include=[Relation.COMPOSITE]).groups
    return _Indexed(
        pairs=_with_manifest_paths(list_pairs(workspace), "path_a", "path_b"),
        groups=_members(list_groups(workspace).groups),
        groups_with_composites=_members(wider),
        digest_at=dict(places.select("path", "digest").iter_rows()),
        figures={
            "index_seconds": round(seconds, 1),
            "stages_wall_seconds": {name: round(value, 2) for name, value in costs.wall_seconds.items()},
            "stages_cpu_seconds": {name: round(value, 2) for name, value in costs.cpu_seconds.items()},
            "not_analysed": list_failures(workspace).height,
            "missing_features": dict(run.missing_features),
            "pairs_stored": stored.height,
            "pairs_per_picture": round(stored.height / max(report.pictures, 1), 2),
            "verification": _verification(report, stored, clock.times(), costs.cpu_seconds.get("verify", 0.0)),
        },
    )


def _verification(
    report: MatchReport, stored: pl.DataFrame, spans: Mapping[str, StageTimes], cpu_seconds: float
) -> dict[str, object]:
    """What looking closely cost: a look is made once per picture, the comparison once per pair."""
    nothing = StageTimes(0, 0.0, 0.0)
    pair, look = spans.get("verify", nothing), spans.get("look", nothing)
    pairs, looks = max(report.verified, 1), max(look.count, 1)
    return {
        "pairs_verified": report.verified,
        "pairs_unverified": report.unverified,
        "composites": stored.filter(pl.col("relation") == str(Relation.COMPOSITE)).height,
        "looks": look.count,
        "cpu_ms_per_pair_with_its_looks": round(1000 * cpu_seconds / pairs, 2),
        "cpu_ms_per_pair_without": round(1000 * pair.cpu_seconds / pairs, 2),
        "cpu_ms_per_look": round(1000 * look.cpu_seconds / looks, 2),
    }


def _members(groups: pl.DataFrame) -> pl.DataFrame:
    return _with_manifest_paths(groups, "path").select("group_id", "path", "is_keeper")


def _with_manifest_paths(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Paths as the manifest has them: relative to the benchmark, in the file system's own spelling."""
    return frame.with_columns(
        pl.col(column).map_elements(lambda path: f"{_IMAGES}/{decode_path(path)}", return_dtype=pl.String)
        for column in columns
    )


def _export(folder: Path, found: _Indexed) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found.pairs.select("path_a", "path_b", "score").write_csv(folder / "pairs.csv")
    for name, groups in (("groups", found.groups), ("groups_with_composites", found.groups_with_composites)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(groups.columns)
            writer.writerows((group, path, int(keeps)) for group, path, keeps in groups.iter_rows())


def _families(
    ranked: PairScores, alone: Mapping[str, PairScores], removals: RemovalScores, wider: RemovalScores
) -> dict[str, dict[str, object]]:
    return {
        family: {
            **asdict(outcome),
            "removed_with_composites": wider.families[family].removed,
            "wrong_with_composites": wider.families[family].wrong,
            "pair_recall_at_precision_0.99": ranked.family_recall.get(family),
            "pair_recall_of_single_signals": {name: of.family_recall.get(family) for name, of in alone.items()},
        }
        for family, outcome in removals.families.items()
    }


def _relations(bench: CopyBenchmark, pairs: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How the queries of each family stand to their references in the stored pairs; different pictures apart."""
    counted: dict[str, Counter[str]] = {}
    for first, second, relation in pairs.select("path_a", "path_b", "relation").iter_rows():
        placed = bench.query_to_reference(first, second)
        if placed is not None:
            towards = relation if placed.query == first else _TURNED_ROUND.get(relation, relation)
            counted.setdefault(placed.family, Counter())[towards] += 1
    return {family: dict(sorted(counts.items())) for family, counts in sorted(counted.items())}


if __name__ == "__main__":
    raise SystemExit(main())
