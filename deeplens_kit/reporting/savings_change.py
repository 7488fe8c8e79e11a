"""What changed since the last report, and the figures of earlier ones, as lines and sentences.

Takes the run of an earlier report and what changed since, gives frozen values; must not read a store or compute bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.report_lines import (
    ChangeLine,
    FigureChange,
    HistoryPoint,
    ReportChange,
    SavedSoFar,
)
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.ledger import ReportRun
    from deeplens_kit.ledger.saved_sums import SavedSums
    from deeplens_kit.pipeline.report_change import ProposalChange

__all__ = ["change_of", "change_words", "history_of", "history_words", "read_at"]

_FIGURES = ("objects", "gross_bytes", "realisable_bytes", "groups", "found_objects", "analysed_objects")
_MONEY = ("money_per_month", "money_once")
_MOST_FOLDERS = 10
_GONE = {
    "moved": "taken by an applied plan",
    "missing": "no longer at its place",
    "keeper": "it stays now, others go for it",
    "other": "a decision, a rule, a keep policy or a match is another one",
}
_FIRST = "This is the first report with these parameters, so there is nothing to compare it with."
_NOT_KEPT = (
    "The last report left no list of what it proposed, so what is new and what is gone cannot be told; the figures can."
)


def read_at(run: ReportRun) -> datetime:
    """When the numbers of a run were read: as it says itself, else when it began."""
    said = run.figures.get("made_at")
    try:
        found = datetime.fromisoformat(said) if isinstance(said, str) else run.started_at
    except ValueError:
        return run.started_at
    return found if found.tzinfo is not None else run.started_at


def change_of(run: ReportRun, found: ProposalChange, figures: Mapping[str, Any]) -> ReportChange:
    """What changed since a run.

    Args:
        run: The earlier one.
        found: What changed.
        figures: Of this report, as `kpi_of` makes them.
    """
    new, gone = found.new, found.gone
    known = new is not None and gone is not None
    if new is None or gone is None:
        empty = pl.DataFrame(
            schema=dict.fromkeys(("location", "owner", "folder", "reason"), pl.String) | {"frees_bytes": pl.Int64}
        )
        new = gone = empty
    owned = new.filter(pl.col("owner").is_not_null())
    unowned = new.filter(pl.col("owner").is_null()).with_columns(owner=pl.lit("no owner named"))
    return ReportChange(
        run_id=run.run_id,
        at=read_at(run),
        new_objects=new.height,
        new_bytes=int(new["frees_bytes"].sum()),
        new_by_location=_lines(new, "location"),
        new_by_owner=_lines(pl.concat([owned, unowned]), "owner") if owned.height else (),
        new_by_folder=_lines(new, "folder")[:_MOST_FOLDERS],
        gone_objects=gone.height,
        gone_bytes=int(gone["frees_bytes"].sum()),
        gone_why=tuple(ChangeLine(_GONE[line.name], line.objects, line.bytes) for line in _lines(gone, "reason")),
        since=_saved(found.since),
        ever=_saved(found.ever),
        figures=tuple(
            FigureChange(name, run.figures.get(name), figures.get(name))
            for name in (*_FIGURES, *_money_of(run, figures))
        ),
        known=known,
        words=tuple(_limits(run, figures, known=known)),
    )


def change_words(change: ReportChange | None) -> str:
    """How to read what changed, or why there is nothing to compare."""
    if change is None:
        return _FIRST
    return " ".join(
        (
            "New is what is proposed now and was not then, gone what was proposed then and is not now, each with what "
            "its removal frees; a file that was moved is both.",
            *change.words,
        )
    )


def history_of(runs: Sequence[ReportRun]) -> tuple[HistoryPoint, ...]:
    """The figures of runs, the oldest first; of those alone that kept any.

    Args:
        runs: Finished ones.
    """
    points = (HistoryPoint(read_at(run), run.figures, run.run_id) for run in runs if run.figures)
    return tuple(sorted(points, key=lambda point: (point.at, point.run_id)))


def history_words(history: Sequence[HistoryPoint]) -> str:
    """How to read the history, or why there is none."""
    if not history:
        return "No earlier report with these parameters has finished; the next one begins the history."
    return "Of each finished report with these parameters the figures as it gave them then."


def _money_of(run: ReportRun, figures: Mapping[str, Any]) -> list[str]:
    """The amounts that can be held against each other: of two currencies none can."""
    if _is_other_currency(run, figures):
        return []
    return [name for name in _MONEY if name in figures or name in run.figures]


def _is_other_currency(run: ReportRun, figures: Mapping[str, Any]) -> bool:
    return "currency" in run.figures and "currency" in figures and run.figures["currency"] != figures["currency"]


def _limits(run: ReportRun, figures: Mapping[str, Any], *, known: bool) -> list[str]:
    said = [] if known else [_NOT_KEPT]
    if "rule" in run.figures and run.figures["rule"] != figures.get("rule"):
        said.append(f"The rule was another one then: {run.figures['rule']}.")
    if "policy" in run.figures and run.figures["policy"] != figures.get("policy"):
        said.append(f"The keep policy was another one then: {run.figures['policy']}.")
    if _is_other_currency(run, figures):
        said.append(f"Money was in {run.figures['currency']} then; the amounts cannot be compared.")
    return said


def _lines(frame: pl.DataFrame, by: str) -> tuple[ChangeLine, ...]:
    sums = frame.group_by(by).agg(objects=pl.len(), bytes=pl.col("frees_bytes").sum())
    ordered = sums.sort("bytes", "objects", by, descending=[True, True, False])
    return tuple(ChangeLine(display_path(name), objects, size) for name, objects, size in ordered.iter_rows())


def _saved(sums: SavedSums) -> SavedSoFar:
    return SavedSoFar(*(getattr(sums, item.name) for item in fields(SavedSoFar)))
