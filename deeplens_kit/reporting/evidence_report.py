"""What the evidence report says, as frozen values: what labels say of the proposals, and what they do not say.

Takes an open workspace, gives a report with every number and text that it shows; must not make HTML, draw a sample or
take a label. Where there are too few labels it says so and how to get them: nothing is made up in their place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import TooFewLabelsError
from deeplens_kit.reporting.label_words import evaluation_lines, progress_line, recommendation_lines
from deeplens_kit.reporting.report_lines import HistoryPoint
from deeplens_kit.reporting.report_past import own_version, past_points
from deeplens_kit.reporting.rule_words import rule_lines
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval
    from deeplens_kit.matching import Rule
    from deeplens_kit.pipeline import Evaluation, Workspace

__all__ = ["CurveLine", "EvidenceReport", "TierLine", "evidence_figures", "report_evidence"]

# Steps of the curve that a table shows, evenly spread; all of them are in the files.
_MAX_STEPS = 12


@dataclass(frozen=True, slots=True)
class TierLine:
    """What one strength of evidence proposes, and how sure that is; shares are None where nothing can be said."""

    name: str
    objects: int
    frees_bytes: int
    proven: bool
    precision: float | None
    lower: float | None


@dataclass(frozen=True, slots=True)
class CurveLine:
    """What one threshold would propose and free, with bounds of its precision."""

    threshold: float
    pairs: int
    frees_bytes: int
    labelled: int
    wrong: int
    precision: float | None
    lower: float
    simultaneous: float


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """Everything that the report says.

    Attributes:
        workspace: What to call it.
        made_at: When the numbers were read, with a zone.
        version: Of DeepLens.
        rule: Name and version of the rule that is judged.
        rule_lines: Its bounds in words.
        notes: Sentences on what weakens the estimates.
        labels_in_all: Labels there are, whatever they are of.
        verdicts: (verdict, pairs), of what several persons' labels come to.
        persons: (who, labels), the most first.
        samples: How far each sample is, in sentences, the latest first.
        precision: Of the proposed copies; None where `why_not` says why.
        recall: Among the candidates; None likewise.
        by_tier: What each tier proposes, and how sure that is.
        curve: Thresholds with bounds, the strictest first; a few of them.
        lines: The evaluation in sentences.
        recommended: The threshold that can be defended, in sentences.
        threshold: Of the recommendation; None where there is none.
        why_not: Why nothing is estimated; empty where something is.
        history: Figures of earlier reports, the oldest first.
        curve_rows: Exact: every step.
        labels: Exact: every label.
    """

    workspace: str
    made_at: datetime
    version: str
    rule: str
    rule_lines: tuple[str, ...]
    notes: tuple[str, ...]
    labels_in_all: int
    verdicts: tuple[tuple[str, int], ...]
    persons: tuple[tuple[str, int], ...]
    samples: tuple[str, ...]
    precision: Interval | None = None
    recall: Interval | None = None
    by_tier: tuple[TierLine, ...] = ()
    curve: tuple[CurveLine, ...] = ()
    lines: tuple[str, ...] = ()
    recommended: tuple[str, ...] = ()
    threshold: float | None = None
    why_not: str = ""
    history: tuple[HistoryPoint, ...] = ()
    curve_rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    labels: pl.DataFrame = field(default_factory=pl.DataFrame)


def report_evidence(
    workspace: Workspace,
    *,
    rule: Rule | str | None = None,
    precision: float = 0.99,
    confidence: float = 0.95,
    run: str = "",
) -> EvidenceReport:
    """What the labels of a workspace say now, described.

    Args:
        workspace: An open workspace.
        rule: That is judged, by itself or by its name; None or an empty text for the rule in use.
        precision: That a recommended threshold is to keep, above 0.5 and below 1.
        confidence: Of the intervals, above 0.5 and below 1.
        run: The report's run in the ledger, which is no part of its history; empty for none.

    Raises:
        SettingsError: A share is not allowed.
        UnknownNameError: There is no such rule.
    """
    from dataclasses import replace

    from deeplens_kit.evidence import CURVE
    from deeplens_kit.pipeline import caveats, chosen_rule, evaluate, label_progress, recommend
    from deeplens_kit.pipeline.verdicts import settled

    judged = chosen_rule(workspace, rule or None)
    labels = workspace.ledger.labels()
    report = EvidenceReport(
        workspace=display_path(workspace.directory.name),
        made_at=datetime.now().astimezone(),
        version=own_version(),
        rule=f"{judged.name} (version {judged.version})",
        rule_lines=rule_lines(judged),
        notes=(),
        labels_in_all=labels.height,
        verdicts=_counted(settled(labels), "verdict"),
        persons=_counted(labels, "who"),
        samples=tuple(
            f"Drawn {item.sample.created_at:%-d %B %Y} ({item.sample.kind}): {progress_line(item)}."
            for item in label_progress(workspace)
        ),
        history=past_points(workspace, "evidence", run),
        curve_rows=CURVE.empty(),
        labels=labels,
    )
    try:
        found = evaluate(workspace, judged, confidence=confidence)
        advised = recommend(workspace, precision, confidence=confidence)
    except TooFewLabelsError as error:
        return replace(report, why_not=str(error), notes=tuple(caveats(workspace, current=True)))
    rows = advised.curve.rows
    return replace(
        report,
        notes=tuple(caveats(workspace, current=found.labels.population.current)),
        precision=found.precision,
        recall=found.recall,
        by_tier=_tiers(found),
        curve=_curve(rows),
        lines=tuple(evaluation_lines(found)),
        recommended=tuple(line for line in recommendation_lines(advised) if line not in evaluation_lines(found)),
        threshold=advised.found.threshold,
        curve_rows=rows,
    )


def evidence_figures(report: EvidenceReport) -> dict[str, object]:
    """The exact numbers that the history of reports keeps; None where nothing can be said."""
    precision, recall = report.precision, report.recall
    return {
        "labels": report.labels_in_all,
        "precision": precision.estimate if precision is not None else None,
        "precision_lower": precision.lower if precision is not None else None,
        "recall_lower": recall.lower if recall is not None else None,
        "threshold": report.threshold,
        "rule": report.rule,
        "made_at": report.made_at.isoformat(),
    }


def _counted(rows: pl.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    counts = rows.group_by(column).len("count").sort("count", column, descending=[True, False])
    return tuple((display_path(str(name)), int(count)) for name, count in counts.iter_rows())


def _tiers(found: Evaluation) -> tuple[TierLine, ...]:
    return tuple(
        TierLine(
            row["tier"], row["objects"], row["frees_bytes"], row["proven"], row["precision"], row["lower"]
        )
        for row in found.by_tier.iter_rows(named=True)
    )  # fmt: skip


def _curve(rows: pl.DataFrame) -> tuple[CurveLine, ...]:
    step = max(1, -(-rows.height // _MAX_STEPS))
    names = ("threshold", "pairs", "frees_bytes", "labelled", "wrong", "precision", "lower", "simultaneous")
    return tuple(CurveLine(*(row[name] for name in names)) for row in rows.gather_every(step).iter_rows(named=True))
