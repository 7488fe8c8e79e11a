"""What became of the objects that were found, described for a page.

Takes COVERAGE and FAILURES, gives lines with every text that the page shows; must not make HTML.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.reporting.words import outcome_words, problem_words
from deeplens_kit.schemas import Outcome
from deeplens_kit.storage.paths import display_path

__all__ = ["CoverageLine", "ReasonLine", "describe_outcomes", "describe_reasons"]

_MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """Objects that came to one outcome; `permille` is their share of all objects, rounded, 1 at least."""

    outcome: str
    label: str
    objects: int
    bytes: int
    permille: int


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """Why objects of one location were not analysed, with a few of them."""

    location: str
    reason: str
    objects: int
    bytes: int
    examples: tuple[str, ...]


def describe_outcomes(coverage: pl.DataFrame) -> tuple[CoverageLine, ...]:
    """How many objects came to each outcome, those that were analysed first."""
    whole = max(1, int(coverage["objects"].sum()))
    by_outcome = coverage.group_by("outcome").agg(pl.col("objects").sum(), pl.col("bytes").sum())
    known = {row["outcome"]: row for row in by_outcome.iter_rows(named=True)}
    order = [*[str(outcome) for outcome in Outcome], *sorted(set(known) - {str(outcome) for outcome in Outcome})]
    return tuple(
        CoverageLine(
            outcome=name,
            label=outcome_words(name),
            objects=known[name]["objects"],
            bytes=known[name]["bytes"],
            permille=max(1, round(1000 * known[name]["objects"] / whole)),
        )
        for name in order
        if name in known
    )


def describe_reasons(coverage: pl.DataFrame, failures: pl.DataFrame) -> tuple[ReasonLine, ...]:
    """Objects that were found and not analysed, then folders that could not be listed (of unknown size)."""
    missed = coverage.filter(pl.col("outcome") != Outcome.INDEXED).sort("objects", "location", descending=[True, False])
    lines = []
    for row in missed.iter_rows(named=True):
        reason = problem_words(row["code"] or row["outcome"])
        same = failures.filter((pl.col("location") == row["location"]) & (pl.col("code") == row["code"]))
        examples = tuple(display_path(path) for path in same["path"].sort().head(_MAX_EXAMPLES))
        lines.append(ReasonLine(display_path(row["location"]), reason, row["objects"], row["bytes"], examples))
    folders = failures.filter(pl.col("stage") == "list").sort("location", "path")
    for key, part in folders.partition_by("location", maintain_order=True, as_dict=True).items():
        examples = tuple(display_path(path) for path in part["path"].head(_MAX_EXAMPLES))
        lines.append(ReasonLine(display_path(str(key[0])), "folder that could not be listed", part.height, 0, examples))
    return tuple(lines)
