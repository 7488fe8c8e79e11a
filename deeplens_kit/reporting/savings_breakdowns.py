"""The breakdowns, overlaps and scenarios of the savings report as lines: exact numbers with names for people.

Takes frames and values of the pipeline, gives lines and the sentences that belong to their tables; must not compute a
sum or read a store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.reporting.report_lines import BreakdownLine, OverlapLine, SavingInterval, ScenarioLine
from deeplens_kit.reporting.rule_words import rule_title
from deeplens_kit.reporting.words import format_bytes, format_money, format_percent, place_words
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline.report_evidence import Scenario, SupportedBytes

__all__ = [
    "breakdown_lines",
    "breakdown_words",
    "interval_of",
    "interval_words",
    "money_words",
    "overlap_lines",
    "overlap_words",
    "scenario_lines",
    "scenario_words",
]

MOST_LINES = 20
"""Of a breakdown; the rest is one line more."""

_UNKNOWN = {
    "folder": "elsewhere",
    "owner": "no owner named",
    "format": "not known",
    "age": "not known",
    "storage_class": "none named by the storage",
}
_READ = {
    "folder": "The folders that hold most of what can be freed. A file counts once: in the deepest folder named here "
    "that it lies in. What no named folder holds is elsewhere.",
    "owner": "Owners are those that owners.yaml beside workspace.toml names; the first entry that fits a file counts.",
    "format": "Of the files that would go, by what they really are, whatever their names end in.",
    "age": "Time since a file that would go was changed last, as its storage says.",
    "storage_class": "What the storage calls the way that it keeps the files that would go.",
}
_NOBODY = (
    "No owner is named, so what could be freed cannot be told by owner; name them in owners.yaml beside workspace.toml."
)
_NOTHING = "Nothing is proposed for removal, so there is nothing to break down."


def breakdown_lines(frame: pl.DataFrame, by: str, currency: str | None) -> tuple[BreakdownLine, ...]:
    """Lines of a breakdown, those that free most first.

    Args:
        frame: BREAKDOWN.
        by: What it is broken down by; of ages the oldest comes first.
        currency: Of the money; None for none.
    """
    if by == "age":
        from deeplens_kit.savings import AGE_BUCKETS

        order = {words: number for number, (words, _) in enumerate(AGE_BUCKETS)}
        frame = frame.sort(pl.col("name").replace_strict(order, default=len(order), return_dtype=pl.Int64))
    total = int(frame["realisable_bytes"].sum())
    rows = [dict(row) for row in frame.iter_rows(named=True)]
    if by == "folder":
        # What is elsewhere is the rest, however much it is.
        rows.sort(key=lambda row: row["name"] is None)
    elif len(rows) > MOST_LINES + 1:
        rows = [*rows[:MOST_LINES], _together(rows[MOST_LINES:])]
    return tuple(_line(row, by, total, currency) for row in rows)


def breakdown_words(by: str, lines: Sequence[BreakdownLine], *, owners: bool) -> str:
    """How to read a breakdown, or why there is none."""
    if by == "owner" and not owners:
        return _NOBODY
    return _READ[by] if lines else _NOTHING


def money_words(money: Decimal | None, currency: str | None) -> str:
    """Money that is saved with its currency, rounded down; empty where there is none."""
    return "" if money is None or currency is None else f"{format_money(money)} {currency}"


def overlap_lines(frame: pl.DataFrame) -> tuple[OverlapLine, ...]:
    """Lines of `overlaps_of_groups`."""
    return tuple(
        OverlapLine(
            display_path(row["place_a"]),
            display_path(row["place_b"]),
            row["share"],
            row["pictures"],
            row["bytes"],
            row["pictures_a"],
        )
        for row in frame.iter_rows(named=True)
    )


def overlap_words(lines: Sequence[OverlapLine]) -> str:
    """How to read the overlaps, or why there is none."""
    if not lines:
        return "No folder is held by another one by half or more."
    first = lines[0]
    share = format_percent(first.pictures, first.pictures_a)
    at_first, at_other = (place_words(place, with_all=True) for place in (first.folder_a, first.folder_b))
    return (
        f"Of the different pictures in {at_first} {share} lie in {at_other} too, "
        "as the same bytes or as a copy of the one or the other. A folder is listed where at least half of it is held; "
        "a line for each two folders, not for those within them."
    )


def interval_of(supported: SupportedBytes) -> SavingInterval:
    """The interval of the headline."""
    precision = supported.precision
    return SavingInterval(
        realisable_bytes=supported.fact_bytes + supported.copy_bytes,
        low_bytes=supported.low_bytes,
        high_bytes=supported.high_bytes,
        fact_bytes=supported.fact_bytes,
        copy_bytes=supported.copy_bytes,
        confidence=precision.confidence,
        precision=precision.estimate,
        precision_low=precision.low,
        precision_high=precision.high,
        precision_lower=precision.lower,
        labels=supported.labels,
    )


def interval_words(interval: SavingInterval | None, unsupported: str, unframed: int = 0) -> str:
    """What the labels say of the headline, or why they say nothing."""
    if interval is None:
        return f"No interval: {unsupported}" if unsupported else "No interval: nothing was labelled."
    other = f" The sample was drawn under another keep policy, without {unframed:,} pairs."
    drawn = other if unframed else ""
    return (
        f"With {_percent(interval.confidence)} confidence {format_bytes(interval.low_bytes)} to "
        f"{format_bytes(interval.high_bytes)} of it are freed by removing true copies, by {interval.labels:,} labels: "
        f"{format_bytes(interval.fact_bytes)} are equal bytes or equal samples, which need none, and of the pairs that "
        f"are copies by likelihood {_percent(interval.precision_low)} to {_percent_up(interval.precision_high)} are."
        f"{drawn}"
    )


def scenario_lines(scenarios: Sequence[Scenario]) -> tuple[ScenarioLine, ...]:
    """Lines of the scenarios, in their order."""
    from deeplens_kit.savings import exact_text

    return tuple(
        ScenarioLine(
            rule=rule_title(item.rule),
            policy=item.policy,
            groups=item.groups,
            objects=item.objects,
            realisable_bytes=item.realisable_bytes,
            precision_low=None if item.precision is None else item.precision.low,
            precision_high=None if item.precision is None else item.precision.high,
            in_use=item.in_use,
            money=None if item.money is None else exact_text(item.money),
            money_words=money_words(item.money, item.currency),
        )
        for item in scenarios
    )


def scenario_words(
    lines: Sequence[ScenarioLine], *, policies_left_out: bool, policies_alike: Sequence[str] = ()
) -> str:
    """How to read the scenarios, or why there are none."""
    if not lines:
        return "Nothing was analysed, so no other rule would come to anything."
    rest = " Other keep policies are left out at this size; `deeplens policy compare` tells of one." * policies_left_out
    if policies_alike:
        rest += f" These keep policies come to the same in every line: {', '.join(map(display_path, policies_alike))}."
    return (
        "What other thresholds and keep policies would propose of the same pairs; precision is that of the proposed "
        f"copies, where labels judge it.{rest}"
    )


def _together(rows: Sequence[dict[str, object]]) -> dict[str, object]:
    from deeplens_kit.savings import exact, exact_text

    sums = {name: sum(int(str(row[name])) for row in rows) for name in ("objects", "gross_bytes", "realisable_bytes")}
    priced = [Decimal(str(row["money_per_month"])) for row in rows if row["money_per_month"] is not None]
    with exact():
        money = exact_text(sum(priced, Decimal(0))) if priced else None
    ages = [sum(values) for values in zip(*(row["by_age"] for row in rows), strict=True)]
    return {"name": f"{len(rows):,} others", **sums, "money_per_month": money, "by_age": ages}


def _line(row: dict[str, object], by: str, total: int, currency: str | None) -> BreakdownLine:
    freed, money = int(str(row["realisable_bytes"])), row["money_per_month"]
    return BreakdownLine(
        name=_UNKNOWN[by] if row["name"] is None else display_path(str(row["name"])),
        objects=int(str(row["objects"])),
        gross_bytes=int(str(row["gross_bytes"])),
        realisable_bytes=freed,
        money=None if money is None else str(money),
        share=freed / total if total else 0.0,
        spark=() if by == "age" else tuple(float(value) for value in row["by_age"]),  # type: ignore[attr-defined]
        money_words=money_words(None if money is None else Decimal(str(money)), currency),
    )


def _percent(share: float) -> str:
    """Cut, not rounded: what is a bound below must not look higher."""
    return f"{int(share * 1000 + 1e-6) / 10:g} %"


def _percent_up(share: float) -> str:
    """Rounded up: what is a bound above must not look lower."""
    return f"{math.ceil(share * 1000 - 1e-6) / 10:g} %"
