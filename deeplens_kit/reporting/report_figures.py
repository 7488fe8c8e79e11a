"""The few figures of a report that its history keeps: exact numbers, small enough for a row of the ledger.

Takes a described report, gives a mapping that JSON can hold; must not round or compute anything that the report does
not say. Money is text, which keeps every digit.
"""

from __future__ import annotations

from deeplens_kit.reporting.savings_report import SavingsReport

__all__ = ["kpi_of"]

_MONEY = ("currency", "money_per_month", "money_once")


def kpi_of(report: SavingsReport) -> dict[str, object]:
    """What `end_report_run` keeps of a report, for the history and for the next comparison.

    Returns:
        objects, gross_bytes, realisable_bytes, groups, found_objects, analysed_objects, and where there are prices
        currency, money_per_month and money_once; by_tier and by_location: realisable bytes by name; rule, policy and
        made_at.
    """
    summary = report.numbers.summary
    money: dict[str, object] = {name: summary[name] for name in _MONEY if name in summary}
    return {
        "objects": report.numbers.objects,
        "gross_bytes": report.numbers.gross_bytes,
        "realisable_bytes": report.numbers.realisable_bytes,
        "groups": report.totals.groups,
        "found_objects": report.coverage.objects,
        "analysed_objects": report.coverage.analysed_objects,
        **money,
        "by_tier": {line.name: line.realisable_bytes for line in report.by_tier},
        "by_location": {line.name: line.realisable_bytes for line in report.by_location},
        "rule": report.rule,
        "policy": report.policy,
        "made_at": report.made_at.isoformat(),
    }
