"""Labels from elsewhere: files of labels, and benchmark folders whose truth stands for a person.

Takes an open workspace and a path, writes labels to the ledger, all of a file or none; must not touch a picture. Rows
are matched by digest, so that it does not matter where a folder lies or by what name it was indexed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import LabelCounts
from deeplens_kit.pipeline.benchmark_folder import read_benchmark
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.label_files import LabelLine, Problems, read_label_file
from deeplens_kit.pipeline.subjects import file_named
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["LabelImport", "import_benchmark", "import_labels"]


@dataclass(frozen=True, slots=True)
class LabelImport:
    """What came of an import.

    Attributes:
        labels: Labels that were read.
        by_verdict: How many of each verdict.
        counts: What of them is new.
        absent: Labels of pairs of which a picture is in no active location now; they are kept all the same.
        unknown: Pairs that the manifest says nothing of, so that they stay without a label.
    """

    labels: int
    by_verdict: dict[str, int]
    counts: LabelCounts
    absent: int = 0
    unknown: int = 0


def import_labels(workspace: Workspace, path: Path) -> LabelImport:
    """Read a file of labels into the ledger.

    Args:
        workspace: An open workspace.
        path: As `read_label_file` wants it; places are "location:path" of indexed files, or paths of this machine.

    Raises:
        SettingsError: It cannot be read or a line is wrong; nothing is imported then.
    """
    # 1. What the file says, with the digests of what it names by place.
    lines = read_label_file(path)
    problems = Problems(path)
    files = active_files(workspace).filter(pl.col("digest").is_not_null())
    pairs = _digests(workspace, files, lines, problems)
    _refuse_contradictions(lines, pairs, problems)
    problems.refuse()
    # 2. Into the ledger, all in one transaction.
    frame = pl.DataFrame(
        [
            (*pairs[line.line], line.verdict, line.who, line.labelled_at, line.note)
            for line in lines
        ],
        schema=_SCHEMA,
        orient="row",
    )  # fmt: skip
    counts = workspace.ledger.record_labels(_with_samples(workspace, frame))
    known = set(files["digest"])
    absent = sum(not known.issuperset(pairs[line.line]) for line in lines)
    return LabelImport(frame.height, _by_verdict(frame), counts, absent)


def import_benchmark(workspace: Workspace, folder: Path, sample_id: str | None = None) -> LabelImport:
    """Label pairs by the truth of a benchmark folder.

    Args:
        workspace: An open workspace in which the files of the folder are indexed.
        folder: With `manifest.csv` and `ignore.csv`; two pictures of one source are the same, those of sources that
            are to be ignored unsure, all others different.
        sample_id: Label the pairs of this draw; None for every stored pair.

    Raises:
        SettingsError: There is no manifest, it is wrong, or no indexed picture is in it; nothing is imported then.
    """
    # 1. The truth, and the pairs that it is asked for.
    truth = read_benchmark(folder)
    ends = ["digest_a", "digest_b"]
    asked = workspace.catalog.pairs() if sample_id is None else workspace.ledger.label_items(sample_id)
    pairs = asked.select(ends).unique().sort(ends)
    if not truth.sources.keys() & set(active_files(workspace)["digest"]):
        raise SettingsError(
            f"No indexed file is listed in {str(folder / 'manifest.csv')!r}: its sha256 are those of other files; add "
            f"the folder with `deeplens locations add NAME {folder}` and run `deeplens index`."
        )
    # 2. Its verdicts, in the place of a person's.
    verdicts = list(truth.verdicts(pairs.iter_rows()))
    judged = pairs.with_columns(
        verdict=pl.Series(verdicts, dtype=pl.String), who=pl.lit(f"benchmark {folder.resolve().name}")
    ).drop_nulls("verdict")
    if sample_id is not None:
        judged = judged.with_columns(sample_id=pl.lit(sample_id))
    counts = workspace.ledger.record_labels(judged)
    return LabelImport(judged.height, _by_verdict(judged), counts, unknown=pairs.height - judged.height)


_SCHEMA = {
    "digest_a": pl.String(),
    "digest_b": pl.String(),
    "verdict": pl.String(),
    "who": pl.String(),
    "labelled_at": pl.Datetime("us", "UTC"),
    "note": pl.String(),
}


def _with_samples(workspace: Workspace, frame: pl.DataFrame) -> pl.DataFrame:
    """The labels with the latest sample that asks for each, where one does."""
    asked = [
        workspace.ledger.label_items(sample.sample_id).select(
            "digest_a", "digest_b", sample_id=pl.lit(sample.sample_id)
        )
        for sample in workspace.ledger.label_samples()
    ]
    if not asked:
        return frame
    first = pl.concat(asked).unique(["digest_a", "digest_b"], keep="first", maintain_order=True)
    return frame.join(first, on=["digest_a", "digest_b"], how="left", maintain_order="left")


def _digests(
    workspace: Workspace, files: pl.DataFrame, lines: list[LabelLine], problems: Problems
) -> dict[int, tuple[str, str]]:
    """The pair of digests of each line, the smaller first."""
    places = dict(files.select(pl.format("{}:{}", "location", "path"), "digest").iter_rows())
    by_id = dict(files.select("object_id", "digest").iter_rows())
    found: dict[int, tuple[str, str]] = {}
    for line in lines:
        ends = []
        for text in line.ends:
            digest = text if line.by_digest else places.get(text)
            if digest is None:
                digest = by_id.get(file_named(text, files, workspace) or "")
            if digest is None:
                problems.add(
                    line.line, f"there is no indexed file {text!r}; give location:path as `deeplens pairs` does"
                )
            else:
                ends.append(digest)
        if len(ends) < len(line.ends):
            continue
        if ends[0] == ends[1]:
            problems.add(line.line, "the two files are byte for byte the same, which is known without a label")
        found[line.line] = (min(ends), max(ends))
    return found


def _refuse_contradictions(lines: list[LabelLine], pairs: dict[int, tuple[str, str]], problems: Problems) -> None:
    """Two verdicts of one person on one pair, of which nothing says which is the later."""
    said: dict[tuple[tuple[str, str], str | None, datetime | None], LabelLine] = {}
    for line in lines:
        if line.line not in pairs:
            continue
        first = said.setdefault((pairs[line.line], line.who, line.labelled_at), line)
        if first.verdict != line.verdict:
            problems.add(
                line.line,
                f"it says {line.verdict} of the pair of which line {first.line} says {first.verdict}; keep one of "
                "them, or give each its labelled_at",
            )


def _by_verdict(frame: pl.DataFrame) -> dict[str, int]:
    return dict(sorted(Counter(frame["verdict"]).items()))
