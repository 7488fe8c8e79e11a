"""Commands that judge by labels: how good a rule is, and which threshold can be defended.

Takes thresholds and shares, gives intervals and the curve of bytes against precision; reads the workspace alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import RuleName
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import format_bytes

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.evidence import Interval
    from deeplens_kit.matching import Rule
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.benchmark_check import TruthCheck
    from deeplens_kit.pipeline.evaluating import LabelledPopulation

__all__ = ["evaluate", "recommend"]

_Confidence = Annotated[
    float, typer.Option(metavar="SHARE", help="How sure to be, for example 0.95: one promise in twenty may fail.")
]
_Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth", metavar="FOLDER", help="A benchmark folder that is indexed: say what its manifest.csv says as well."
    ),
]


def evaluate(
    context: typer.Context,
    rule_name: RuleName = None,
    likelihood_min: Annotated[
        float | None, typer.Option("--likelihood-min", metavar="LIKELIHOOD", help="0 to 1; by default the rule in use.")
    ] = None,
    page_likelihood_min: Annotated[
        float | None,
        typer.Option("--page-likelihood-min", metavar="LIKELIHOOD", help="The same for pages; by default alike."),
    ] = None,
    confidence: _Confidence = 0.95,
    truth: _Truth = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say how good the proposals of a rule are, by the labels: precision and recall with their intervals."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.label_words import evaluation_lines, truth_lines

        rule = _rule(workspace, rule_name, likelihood_min, page_likelihood_min)
        found = pipeline.evaluate(workspace, rule, confidence=confidence)
        check = pipeline.check_against(workspace, truth, rule) if truth is not None else None
        notes = pipeline.caveats(workspace, current=found.labels.population.current)
    rows = found.by_tier
    summary: dict[str, object] = {"rule": rule.name, "confidence": confidence, **_counts(found.labels)}
    summary |= {"precision": _exact(found.precision), "recall": _exact(found.recall), "truth": _checked(check)}
    summary |= {"uncalibrated": found.uncalibrated, "notes": notes}
    closing = [*evaluation_lines(found), *(truth_lines(check, found.precision) if check else [])]
    say_notes(notes)
    give(Answer("evaluate", rows, lambda: _tiers_sheet(rows), summary, closing), as_json=as_json, csv=csv)


def recommend(
    context: typer.Context,
    precision: Annotated[
        float, typer.Option(metavar="SHARE", help="Least share of the copies proposed that are to be right.")
    ] = 0.99,
    confidence: _Confidence = 0.95,
    truth: _Truth = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Name the loosest threshold at which the labels show this precision, or what they do show. Changes nothing."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.label_words import recommendation_lines, truth_lines

        found = pipeline.recommend(workspace, precision, confidence=confidence)
        what, labels = found.found, found.labels
        level = what.shown_level
        check = pipeline.check_against(workspace, truth, labels.population.rules[level]) if truth is not None else None
        notes = pipeline.caveats(workspace, current=labels.population.current)
        used = pipeline.chosen_rule(workspace)
    rows = found.curve.rows
    summary: dict[str, object] = {"asked": what.asked, "confidence": what.confidence, "threshold": what.threshold}
    summary |= {"pairs": what.pairs, "objects": found.objects, "frees_bytes": what.frees_bytes}
    summary |= {"facts_bytes": found.facts_bytes, "precision": _exact(what.interval) if what.interval else None}
    summary |= {"shown_threshold": what.shown_threshold, "shown_precision": what.shown_precision}
    summary |= {"more_labels": what.more_labels, "more_budget": what.more_budget}
    summary |= {"said": what.said, "truth": _checked(check), **_counts(labels)}
    summary |= {"rule_in_use": used.name, "notes": notes}
    closing = [*recommendation_lines(found), *(truth_lines(check, what.interval) if check else [])]
    if what.threshold is not None:
        bounds = f"--likelihood-min {what.threshold:g} --page-likelihood-min {what.threshold:g}"
        closing.append(f"Keep it: deeplens rules save NAME {bounds}; then deeplens rules use NAME")
    say_notes(notes)
    answer = Answer("recommend", rows, lambda: _curve_sheet(rows, what.threshold), summary, closing)
    give(answer, as_json=as_json, csv=csv)


def _rule(
    workspace: Workspace, name: str | None, likelihood_min: float | None, page_likelihood_min: float | None
) -> Rule:
    """The rule that is meant: a named one, the strict one with other bounds, or by default the one in use.

    Raises:
        SettingsError: Both are given.
    """
    from deeplens_kit import pipeline
    from deeplens_kit.matching import Thresholds

    if likelihood_min is None and page_likelihood_min is None:
        return pipeline.chosen_rule(workspace, name)
    if name is not None:
        raise SettingsError("Name a rule or its bounds: --rule, or --likelihood-min and --page-likelihood-min.")
    strict = Thresholds()
    plain = strict.likelihood_min if likelihood_min is None else likelihood_min
    page = plain if page_likelihood_min is None else page_likelihood_min
    return Thresholds(likelihood_min=plain, page_likelihood_min=page).rule()


def _tiers_sheet(rows: pl.DataFrame) -> Sheet:
    from deeplens_kit.reporting.label_words import format_share

    numbers = (Column(name, "right") for name in ("groups", "files", "frees", "precision"))
    columns = (Column("tier"), *numbers, Column("interval"))
    lines = [
        (
            row["tier"],
            f"{row['groups']:,}",
            f"{row['objects']:,}",
            format_bytes(row["frees_bytes"]),
            "proven" if row["proven"] else format_share(row["precision"]),
            "" if row["proven"] else f"{format_share(row['low'])} to {format_share(row['high'])}",
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "Nothing is proposed.")


def _curve_sheet(rows: pl.DataFrame, threshold: float | None) -> Sheet:
    from deeplens_kit.reporting.label_words import format_share

    names = ("threshold", "pairs", "frees", "labelled", "wrong", "unsure", "precision", "at least", "for all at once")
    columns = (*(Column(name, "right") for name in names), Column(""))
    lines = [
        (
            f"{row['threshold']:g}",
            f"{row['pairs']:,}",
            format_bytes(row["frees_bytes"]),
            f"{row['labelled']:,}",
            f"{row['wrong']:,}",
            f"{row['unsure']:,}",
            format_share(row["precision"]),
            format_share(row["lower"]),
            format_share(row["simultaneous"]),
            "<- recommended" if row["threshold"] == threshold else "",
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No threshold.")


def _exact(interval: Interval) -> dict[str, object]:
    names = ("estimate", "low", "high", "lower", "pairs", "labelled", "wrong", "unsure")
    return {name: getattr(interval, name) for name in names}


def _counts(labels: LabelledPopulation) -> dict[str, object]:
    names = ("drawn", "labelled", "left", "later", "gone", "disputed", "beside")
    counts: dict[str, object] = {name: getattr(labels, name) for name in names}
    counts["candidates"] = labels.population.candidates.height
    return counts | {f"sample_{name}": getattr(labels.frame, name) for name in ("drawn_by", "unframed")}


def _checked(check: TruthCheck | None) -> dict[str, object] | None:
    if check is None:
        return None
    names = ("proposed", "right", "wrong", "ignored", "unlisted", "removable", "precision", "recall", "copy_precision")
    return {name: getattr(check, name) for name in names}
