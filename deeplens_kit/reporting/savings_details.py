"""The parts of the savings report beside its sums, asked of an open workspace and laid into a described report.

Takes an open workspace, a report and the groups behind it, gives the report with breakdowns, interval, overlaps,
scenarios, change, history, payback and lineage; must not choose what to remove, draw or write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.matching import KeepPolicy, Rule
from deeplens_kit.reporting import savings_breakdowns as breakdowns
from deeplens_kit.reporting.report_figures import kpi_of
from deeplens_kit.reporting.savings_assumptions import money_notes, payback_of, payback_words
from deeplens_kit.reporting.savings_change import change_of, change_words, history_of, history_words, read_at
from deeplens_kit.reporting.savings_lineage import LINEAGE_WORDS, ReportSources, labels_digest, lineage_of
from deeplens_kit.reporting.savings_report import SavingsReport

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["REPORT", "ReportAsked", "catalog_versions", "with_details"]

REPORT = "savings"
"""What the ledger calls runs of this report."""

# Two years of Mondays.
_MOST_HISTORY = 104


@dataclass(frozen=True, slots=True)
class ReportAsked:
    """What a report was asked for.

    Attributes:
        rule: When a pair is a copy.
        policy: Which copy stays.
        tiers: Tiers that count; none for those of the rule.
        now: When its numbers are read, with a zone.
        parameters: As the ledger has them of its runs: it is compared with runs that had just these; None for any.
        catalog: Versions of the tables, as `catalog_versions` says before they are read.
        report: What the ledger calls the runs that it is compared with.
    """

    rule: Rule
    policy: KeepPolicy
    tiers: Sequence[str]
    now: datetime
    parameters: Mapping[str, str] | None
    catalog: str
    report: str = REPORT


def catalog_versions(workspace: Workspace) -> str:
    """The versions of the tables as they are now, in words; no row is read."""
    objects, pictures = workspace.catalog.versions()
    return f"objects {objects}, pictures {pictures}, pairs {workspace.catalog.pairs_version()}"


def with_details(
    workspace: Workspace, report: SavingsReport, groups: pl.DataFrame, asked: ReportAsked
) -> SavingsReport:
    """The report with all its parts.

    Args:
        workspace: An open workspace.
        report: Described from these groups.
        groups: GROUPS with `location`.
        asked: What the report was asked for.
    """
    # 1. The same files by what they have in common, and what keeping and reading them costs.
    report = _broken_down(workspace, report, groups, asked.now)
    # 2. How sure it is, and what else could be chosen.
    report, sources = _weighed(workspace, report, groups, asked)
    # 3. What was before.
    report = _compared(workspace, report, groups, asked)
    lineage = lineage_of(report, sources)
    return replace(report, policy=asked.policy.name, lineage=lineage, words=_said(report, lineage=LINEAGE_WORDS))


def _broken_down(workspace: Workspace, report: SavingsReport, groups: pl.DataFrame, now: datetime) -> SavingsReport:
    from deeplens_kit.pipeline.report_breakdowns import BREAKDOWNS, break_down_savings
    from deeplens_kit.pipeline.report_overlaps import overlaps_of_groups
    from deeplens_kit.pipeline.report_payback import prices_used, read_once

    found = break_down_savings(workspace, groups, now)
    named = [name for name in BREAKDOWNS if name != "owner" or found.owners]
    lines = {name: breakdowns.breakdown_lines(found.by[name], name, found.currency) for name in named}
    overlaps = breakdowns.overlap_lines(overlaps_of_groups(workspace, groups))
    payback = payback_of(read_once(workspace), report.numbers)
    said = {
        f"by_{name}": breakdowns.breakdown_words(name, lines.get(name, ()), owners=found.owners) for name in BREAKDOWNS
    }
    return replace(
        report,
        **{f"by_{name}": lines.get(name, ()) for name in BREAKDOWNS},  # type: ignore[arg-type]
        overlaps=overlaps,
        payback=payback,
        money_notes=money_notes(prices_used(workspace, found.places)),
        words=_said(
            report,
            **said,
            overlaps=breakdowns.overlap_words(overlaps),
            payback=payback_words(payback, book=found.currency is not None),
        ),
    )


def _weighed(
    workspace: Workspace, report: SavingsReport, groups: pl.DataFrame, asked: ReportAsked
) -> tuple[SavingsReport, ReportSources]:
    from deeplens_kit.pipeline.report_evidence import evidence_of_report

    found = evidence_of_report(workspace, groups, asked.rule, asked.policy, asked.tiers)
    interval = None if found.supported is None else breakdowns.interval_of(found.supported)
    scenarios = breakdowns.scenario_lines(found.scenarios)
    said = {
        "interval": breakdowns.interval_words(
            interval, found.unsupported, 0 if found.supported is None else found.supported.unframed
        ),
        "scenarios": breakdowns.scenario_words(
            scenarios, policies_left_out=found.policies_left_out, policies_alike=found.policies_alike
        ),
    }
    digest = "" if found.labels is None else labels_digest(found.labels.verdicts)
    sources = ReportSources(asked.rule, asked.catalog, 0 if interval is None else interval.labels, digest)
    return replace(report, interval=interval, scenarios=scenarios, words=_said(report, **said)), sources


def _compared(workspace: Workspace, report: SavingsReport, groups: pl.DataFrame, asked: ReportAsked) -> SavingsReport:
    from deeplens_kit.ledger import ReportRunState
    from deeplens_kit.pipeline.report_change import change_since

    report = replace(report, policy=asked.policy.name)
    runs = [
        run
        for run in workspace.ledger.report_runs(
            asked.report, states=[ReportRunState.FINISHED], parameters=asked.parameters, limit=2 * _MOST_HISTORY
        )
        if read_at(run) < asked.now
    ]
    history = history_of(runs[:_MOST_HISTORY])
    last = max(runs, key=lambda run: (read_at(run), run.run_id), default=None)
    change = None
    if last is not None:
        change = change_of(last, change_since(workspace, groups, read_at(last), asked.now), kpi_of(report))
    said = {"change": change_words(change), "history": history_words(history)}
    return replace(report, change=change, history=history, words=_said(report, **said))


def _said(report: SavingsReport, **more: str) -> Mapping[str, str]:
    return MappingProxyType({**report.words, **more})
