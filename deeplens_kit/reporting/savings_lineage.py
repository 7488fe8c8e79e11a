"""Where each number of the savings report comes from: rule, labels, versions of the tables, objects and runs.

Takes a described report and what it was made from, gives a line for each number; must not compute one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import polars as pl

from deeplens_kit.matching import Rule
from deeplens_kit.matching.rule_json import rule_to_json
from deeplens_kit.reporting.report_lines import LineageLine
from deeplens_kit.reporting.savings_report import SavingsReport

__all__ = ["LINEAGE_WORDS", "ReportSources", "labels_digest", "lineage_of", "rule_mark"]

_DIGITS = 12

LINEAGE_WORDS = (
    "Every number with what it was made from: the same rule, labels and versions of the tables give the same number. "
    "Digests are the first 12 digits of SHA-256."
)
"""How to read the lineage."""


@dataclass(frozen=True, slots=True)
class ReportSources:
    """What a report was made from.

    Attributes:
        rule: When a pair is a copy.
        catalog: Versions of the tables that it was read from, in words.
        labels: Labels that it rests on.
        labels_digest: Of them; empty for none.
    """

    rule: Rule
    catalog: str
    labels: int = 0
    labels_digest: str = ""


def rule_mark(rule: Rule) -> str:
    """Name, version and digest of a rule: two rules of one name are told apart by it."""
    text = json.dumps(rule_to_json(rule), sort_keys=True)
    return f"{rule.name} (version {rule.version}), {hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def labels_digest(verdicts: pl.DataFrame) -> str:
    """Stands for verdicts, in whatever order they come.

    Args:
        verdicts: Columns digest_a, digest_b and verdict.
    """
    lines = verdicts.select(pl.concat_str("digest_a", "digest_b", "verdict", separator="\t")).to_series().sort()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_DIGITS] if len(lines) else ""


def lineage_of(report: SavingsReport, sources: ReportSources) -> tuple[LineageLine, ...]:
    """A line for each number that the report says."""
    numbers, runs = report.numbers, tuple(run.run_id for run in report.runs)
    mark, found, proposed = rule_mark(sources.rule), report.coverage.objects, numbers.objects
    said: list[tuple[str, str, str, int, int]] = [
        ("Can be freed", f"{numbers.realisable_bytes} bytes", "sum of what each proposed file frees", proposed, 0),
        ("Files proposed", str(proposed), "members of all groups", proposed, 0),
        ("Their size", f"{numbers.gross_bytes} bytes", "sum of their sizes", proposed, 0),
        ("Groups", str(report.totals.groups), "keepers with at least one proposed file", proposed, 0),
        (
            "Analysed",
            f"{report.coverage.analysed_objects} of {found} files",
            "files whose picture is known, of all that were found at the active locations",
            found,
            0,
        ),
        (
            "By folder, owner, format, age and storage class",
            f"{numbers.realisable_bytes} bytes",
            "the same files, each in one line of each table",
            proposed,
            0,
        ),
    ]
    if numbers.money is not None and numbers.money.per_month is not None:
        money = f"{numbers.summary['money_per_month']} {numbers.money.currency} a month"
        said.append(
            ("Money", money, "freed bytes times the price of their place, copies that are paid for", proposed, 0)
        )
    if report.interval is not None:
        interval = f"{report.interval.low_bytes} to {report.interval.high_bytes} bytes"
        formula = (
            "facts, and copies less as many pairs as the labels allow to be wrong: those that free most below, those "
            "that free least above"
        )
        said.append(("Interval", interval, formula, proposed, sources.labels))
    if report.overlaps:
        formula = "different pictures of a folder that another one holds as bytes or copies, of all its pictures"
        said.append(
            ("Overlap of folders", f"{len(report.overlaps)} lines", formula, report.coverage.analysed_objects, 0)
        )
    if report.scenarios:
        formula = "the same pairs by other bounds and keep policies"
        said.append(("Scenarios", f"{len(report.scenarios)} lines", formula, report.coverage.analysed_objects, 0))
    if report.change is not None:
        formula = f"what is proposed against what run {report.change.run_id} proposed; sums of the quarantine"
        said.append(
            ("Change", f"{report.change.new_objects} new, {report.change.gone_objects} gone", formula, proposed, 0)
        )
    if report.payback is not None and report.payback.cost is not None:
        cost = f"{report.payback.cost} {report.payback.currency}"
        formula = "requests and bytes of reading each file once, by the price book"
        said.append(("Cost of reading", cost, formula, sum(line.objects for line in report.payback.lines), 0))
    return tuple(
        LineageLine(
            number,
            value,
            formula,
            mark,
            labels,
            sources.labels_digest if labels else "",
            sources.catalog,
            objects,
            runs,
        )
        for number, value, formula, objects, labels in said
    )
