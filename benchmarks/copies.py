"""How many copies the default rule finds in a benchmark folder, how many of its removals would be right.

The pictures are indexed by the product itself, in a new workspace: what is scored are the pairs that it stores and
the removals that it proposes, beside what PDQ, pHash and small SSCD each reach alone over all pairs.

    python -m benchmarks.copies BENCH [--json] [--export FOLDER]

BENCH holds `images/`, `manifest.csv` and `ignore.csv`; see `benchmarks.copy_scores` for the measures.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.copy_scores import PRECISIONS, Answered, CopyBenchmark, PairScores, RemovalScores
from benchmarks.report import Report
from deeplens_kit.features import available, dihedral_pdq, dihedral_phash
from deeplens_kit.pipeline import Workspace, index, list_failures, list_groups, list_objects, list_pairs
from deeplens_kit.storage import decode_path
from deeplens_kit.telemetry import configure_logging

__all__ = ["main", "measure"]

SEED = 0
"""Nothing is drawn at random; the seed stands in the report because every report has one."""
_IMAGES = "images"
_RULE = "default rule"
_VIEWS = ("full", "core")
_BLOCK_ROWS = 64
"""Queries compared at once: 64 x 100,000 references of PDQ take 200 MB."""
_SHOWN_PRECISIONS = (0.99, 0.999)


def measure(folder: Path, workspace_folder: Path, export: Path | None = None) -> Report:
    """Index the pictures of a benchmark, score pairs and removals.

    Args:
        folder: The benchmark.
        workspace_folder: For a new workspace.
        export: Where to write `pairs.csv` and `groups.csv`, the answer that is scored; None to keep it.

    Returns:
        A report with a row per signal, figures of the removals, and what became of the families.
    """
    benches = {view: CopyBenchmark(folder, core=view == "core") for view in _VIEWS}
    with Workspace.create(workspace_folder) as workspace:
        # 1. index and match, as a user would
        workspace.ledger.add_location(_IMAGES, str(folder / _IMAGES), {})
        began = time.perf_counter()
        (run,) = index(workspace)
        seconds = time.perf_counter() - began
        # 2. the answer of the default rule
        pairs = _with_manifest_paths(list_pairs(workspace), "path_a", "path_b").select("path_a", "path_b", "score")
        groups = _with_manifest_paths(list_groups(workspace).groups, "path").select("group_id", "path", "is_keeper")
        if export is not None:
            _export(export, pairs, groups)
        # 3. its figures, beside those of single signals
        report = Report("copies", SEED)
        answers = {view: bench.answer(pairs.iter_rows()) for view, bench in benches.items()}
        ranked = {view: bench.score_pairs(answers[view]) for view, bench in benches.items()}
        report.add(signal=_RULE, **{view: _pair_figures(ranked[view]) for view in _VIEWS})
        signals = {view: _single_signals(workspace, bench) for view, bench in benches.items()}
        for name in signals["full"]:
            alone = {view: benches[view].score_pairs(signals[view][name]) for view in _VIEWS}
            report.add(signal=f"{name} alone", **{view: _pair_figures(alone[view]) for view in _VIEWS})
        removals = {view: bench.score_removals(groups.iter_rows()) for view, bench in benches.items()}
        report.figures |= {
            "pictures": len(benches["full"].paths),
            "index_seconds": round(seconds, 1),
            "not_analysed": list_failures(workspace).height,
            "missing_features": dict(run.missing_features),
            "removals": {view: _removal_figures(removals[view]) for view in _VIEWS},
            "families": _families(ranked["full"], removals["full"]),
        }
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.copies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path, metavar="BENCH", help="folder with images/, manifest.csv and ignore.csv")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write pairs.csv and groups.csv there")
    options = parser.parse_args(arguments)
    configure_logging(level="warning")
    if not (options.bench / "manifest.csv").is_file() or not (options.bench / _IMAGES).is_dir():
        print(f"error: {str(options.bench)!r} is no benchmark: it needs manifest.csv and images/", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="deeplens-copies-") as scratch:
        report = measure(options.bench, Path(scratch, "workspace"), options.export)
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        _print_tables(report.as_dict())
    return 0


def _with_manifest_paths(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Paths as the manifest has them: relative to the benchmark, in the file system's own spelling."""
    return frame.with_columns(
        pl.col(column).map_elements(lambda path: f"{_IMAGES}/{decode_path(path)}", return_dtype=pl.String)
        for column in columns
    )


def _export(folder: Path, pairs: pl.DataFrame, groups: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pairs.write_csv(folder / "pairs.csv")
    with (folder / "groups.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(groups.columns)
        writer.writerows((group, path, int(keeps)) for group, path, keeps in groups.iter_rows())


def _single_signals(workspace: Workspace, bench: CopyBenchmark) -> dict[str, Answered]:
    """All query-reference pairs, ranked by each signal that the workspace holds; higher is more alike."""
    places = _with_manifest_paths(list_objects(workspace).filter(pl.col("digest").is_not_null()), "path")
    rows = [(bench.row(path), digest) for path, digest in places.select("path", "digest").iter_rows()]
    digest_of = {row: digest for row, digest in rows if row is not None}
    pictures = workspace.catalog.pictures(columns=["digest", "pdq", "phash"])
    found: dict[str, Answered] = {}
    for name, column in (("PDQ", "pdq"), ("pHash", "phash")):
        known = pictures.drop_nulls(column)
        variants = dihedral_pdq(_pdq(known)) if column == "pdq" else dihedral_phash(known[column].to_numpy())
        words = np.ascontiguousarray(variants).view(np.uint64).reshape(8, known.height, -1)
        at, queries, references = _chosen(bench, digest_of, known["digest"].to_list())
        found[name] = _ranked(
            queries, references, (_closeness(words, at[block], at[references]) for block in _blocks(queries))
        )
    for spec in (extractor.spec for extractor in available(workspace.settings.features).extractors.values()):
        if spec.kind == "vector":
            digests, vectors = workspace.catalog.vectors(spec)
            at, queries, references = _chosen(bench, digest_of, digests)
            wide = vectors.astype(np.float32)
            found[spec.name] = _ranked(
                queries, references, (wide[at[block]] @ wide[at[references]].T for block in _blocks(queries))
            )
    return found


def _pdq(pictures: pl.DataFrame) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pictures["pdq"]), np.uint8).reshape(-1, 32)


def _chosen(
    bench: CopyBenchmark, digest_of: dict[int, str], digests: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Place of each row's picture among `digests` (-1: none), and the queries and references that have one."""
    place = {digest: number for number, digest in enumerate(digests)}
    at = np.array([place.get(digest_of.get(row, ""), -1) for row in range(len(bench.paths))], np.int64)
    return at, bench.queries[at[bench.queries] >= 0], bench.references[at[bench.references] >= 0]


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS))


def _closeness(words: NDArray[np.uint64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Minus the Hamming distance of each pair, best of eight orientations, both ways round: as the product compares."""

    def nearest(turned: NDArray[np.int64], upright: NDArray[np.int64]) -> NDArray[np.int64]:
        best = np.full((len(turned), len(upright)), np.iinfo(np.int64).max)
        for variant in words:
            differing = variant[turned][:, None, :] ^ words[0][upright][None, :, :]
            np.minimum(best, np.bitwise_count(differing).sum(axis=2, dtype=np.int64), out=best)
        return best

    return -np.minimum(nearest(first, second), nearest(second, first).T)


def _ranked(
    queries: NDArray[np.int64], references: NDArray[np.int64], blocks: Iterator[NDArray[np.number]]
) -> Answered:
    scores = [block.astype(np.float64).ravel() for block in blocks]
    return Answered(
        np.repeat(queries, len(references)),
        np.tile(references, len(queries)),
        np.concatenate(scores) if scores else np.zeros(0),
    )


def _pair_figures(scores: PairScores) -> dict[str, object]:
    recall = {f"recall_at_precision_{level}": scores.recall_at[level] for level in PRECISIONS}
    return {"pairs_listed": scores.listed, "positives": scores.positives, "micro_ap": scores.micro_ap, **recall}


def _removal_figures(scores: RemovalScores) -> dict[str, object]:
    return {
        "proposed": scores.proposed,
        "precision": scores.precision,
        "recall": scores.recall,
        "proposed_twice": scores.proposed_twice,
        "wrong": [list(pair) for pair in scores.wrong],
        "originals_removed": scores.originals_removed,
        "originals_kept": scores.originals_kept,
        "original_keepers": dict(scores.original_keepers),
    }


def _families(ranked: PairScores, removals: RemovalScores) -> dict[str, dict[str, object]]:
    return {
        family: {**asdict(outcome), "pair_recall_at_precision_0.99": ranked.family_recall.get(family)}
        for family, outcome in removals.families.items()
    }


def _print_tables(report: dict[str, Any]) -> None:
    for key in ("date", "seed", "machine", "pictures", "index_seconds", "not_analysed", "missing_features"):
        print(f"{key.replace('_', ' ')}: {report[key]}")
    print(
        f"\n{'query-reference pairs':<24}" + "".join(f"{view + ' ' + name:>14}" for view in _VIEWS for name in _HEADS)
    )
    for row in report["rows"]:
        cells = [row[view][key] for view in _VIEWS for key in _KEYS]
        print(f"{row['signal']:<24}" + "".join(f"{cell:>14.3f}" for cell in cells))
    print(
        f"\n{'removals':<12}{'proposed':>10}{'precision':>12}{'recall':>10}{'wrong':>8}{'twice':>8}{'originals':>11}{'kept':>8}"
    )
    removals = report["removals"]
    for view in _VIEWS:
        of = removals[view]
        figures = f"{of['proposed']:>10}{of['precision']:>12.4f}{of['recall']:>10.4f}"
        print(
            f"{view:<12}{figures}{len(of['wrong']):>8}{of['proposed_twice']:>8}{of['originals_removed']:>11}{of['originals_kept']:>8}"
        )
    stand_ins = ", ".join(f"{family} {count}" for family, count in removals["full"]["original_keepers"].items())
    print(f"  originals give way to: {stand_ins or 'nothing'}")
    for keeper, removed in removals["full"]["wrong"]:
        print(f"  wrong: {removed} for {keeper}")
    heads = ("pictures", "removed", "kept", "wrong", "left")
    print(f"\n{'family':<16}" + "".join(f"{head:>10}" for head in heads) + f"{'pairs R@P.99':>16}")
    for family, of in report["families"].items():
        recall = of["pair_recall_at_precision_0.99"]
        shown = "-" if recall is None else f"{recall:.3f}"
        print(f"{family:<16}" + "".join(f"{of[head]:>10}" for head in heads) + f"{shown:>16}")


_HEADS = ("micro-AP", *(f"R@P{level}" for level in _SHOWN_PRECISIONS))
_KEYS = ("micro_ap", *(f"recall_at_precision_{level}" for level in _SHOWN_PRECISIONS))


if __name__ == "__main__":
    raise SystemExit(main())
