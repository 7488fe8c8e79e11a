"""A savings report that says everything a report can say, with names that mean harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deeplens_kit.evidence import Interval
from deeplens_kit.reporting.coverage_report import CoverageReport, LocationLine, MissedLine
from deeplens_kit.reporting.evidence_report import CurveLine, EvidenceReport, TierLine
from deeplens_kit.reporting.report_lines import (
    BreakdownLine,
    ChangeLine,
    FigureChange,
    HistoryPoint,
    LineageLine,
    OverlapLine,
    Payback,
    PaybackLine,
    ReportChange,
    SavedSoFar,
    SavingInterval,
    ScenarioLine,
)
from deeplens_kit.reporting.savings_report import SavingsReport

HOSTILE = "=HYPERLINK(\"http://evil.example\") <script>alert('x')</script>"
_DAY = datetime(2026, 2, 1, tzinfo=UTC)
_NAMES = {
    "by_folder": ("Archive:2019/a name that is quite long/first week", HOSTILE, "Shop:catalogue/spring", "all others"),
    "by_owner": ("maria", "-unknown-", "@dev"),
    "by_format": ("JPEG", "PNG", "TIFF"),
    "by_age": ("more than 5 years", "1 to 5 years", "less than a year"),
    "by_storage_class": ("STANDARD", "GLACIER_IR"),
}  # fmt: skip


def enriched(report: SavingsReport) -> SavingsReport:
    """A report with a line or more of each kind that the page can show."""
    whole = report.totals.realisable_bytes
    breakdowns = {
        field: tuple(
            BreakdownLine(
                name=name,
                objects=3 * (len(names) - at),
                gross_bytes=whole // (at + 1),
                realisable_bytes=whole // (at + 2),
                money="0.0123456789",
                share=1 / (at + 2),
                spark=(0.0, 2.0, 9.0, float(at)) if field != "by_age" else (),
                money_words="0.01 EUR",
            )
            for at, name in enumerate(names)
        )
        for field, names in _NAMES.items()
    }
    since = SavedSoFar(4, 4_000_000, 3, 3_100_000, 1, 900_000)
    change = ReportChange(
        run_id="0123456789abcdef0123456789abcdef",
        at=_DAY + timedelta(days=21),
        new_objects=7,
        new_bytes=1_234_567,
        new_by_location=(ChangeLine("Archive", 5, 1_000_000), ChangeLine("Shop & <Web>", 2, 234_567)),
        new_by_owner=(ChangeLine("maria", 6, 1_100_000), ChangeLine(HOSTILE, 1, 134_567)),
        new_by_folder=(ChangeLine("Archive:2026/03", 7, 1_234_567),),
        gone_objects=3,
        gone_bytes=3_100_000,
        gone_why=(ChangeLine("removed by a plan", 3, 3_100_000),),
        since=since,
        ever=replace(since, emptied_objects=41, emptied_bytes=88_000_000),
        figures=(FigureChange("Can be freed", 5_000_000, whole), FigureChange("Money a month", "0.10", "0.12")),
        words=("The rule was <another> one then.",),
    )
    history = tuple(
        HistoryPoint(
            _DAY + timedelta(days=7 * at),
            {"realisable_bytes": whole // 4 * (4 - at), "found_objects": 14 + at, "analysed_objects": 8 + at},
            f"{at:032x}",
        )
        for at in range(4)
    )  # fmt: skip
    return replace(
        report,
        **breakdowns,
        interval=SavingInterval(whole, whole // 2, whole, whole // 3, whole // 2, 0.95, 0.97, 0.93, 0.99, 0.94, 400),
        overlaps=(
            OverlapLine("Shop:phone backup", "Archive:2019", 0.9712, 33, 7_000_000, 34),
            OverlapLine(HOSTILE, "Archive:2020", 0.5, 5, 1_000_000, 10),
        ),
        scenarios=(
            ScenarioLine("likelihood at least 0.9", "quality first", 3, 7, whole, "0.12", 0.93, 0.99, True, "0.12 EUR"),
            ScenarioLine("likelihood at least 0.9", "oldest first", 3, 6, whole // 2, None, None, None, False, ""),
            ScenarioLine("likelihood at least 0.7", "quality first", 4, 9, whole + 999_999, "0.15", None, None, False,
                         "0.15 EUR"),
        ),
        change=change,
        history=history,
        payback=Payback(
            "EUR",
            (PaybackLine("Archive", 10, 9_000_000, "0.002", "0.12", 1), PaybackLine(HOSTILE, 4, 9, None, None, None)),
            "0.002",
            "0.12",
            1,
            "Reading everything once costs 0.01 EUR, which has come back after 1 month.",
        ),
        money_notes=("Storage is billed by the month; `deeplens prices check` says which prices are old.",),
        lineage=(
            LineageLine("Can be freed", f"{whole:,} bytes", "sum of frees_bytes", "strict 3 (ab12cd34ef)", 400,
                        "9f86d081884c", "groups 12, pairs 9", 7, ("0123456789abcdef", "fedcba9876543210")),
        ),
        words={
            "by_folder": "No folder lies within another; the rest is one line.",
            "overlaps": "Of a folder's different pictures those that another folder holds too.",
            "history": "Every finished report with the same parameters is a point.",
            "lineage": "Runs are named by the beginning of their ids.",
        },
    )  # fmt: skip


def rich_coverage(report: SavingsReport) -> CoverageReport:
    """A coverage report with a line or more of each kind."""
    missed = tuple(
        MissedLine(name, f"{HOSTILE}/{at}.jpg", "damaged: the decoder gave up", size)
        for at, (name, size) in enumerate((("Archive", 61_000), ("Shop & <Web>", None)))
    )
    return CoverageReport(
        workspace=report.workspace,
        made_at=report.made_at,
        version=report.version,
        notes=("A folder could not be listed; run `deeplens index` again.",),
        coverage=report.coverage,
        outcomes=report.outcomes,
        by_location=(LocationLine("Archive", report.coverage), LocationLine(HOSTILE, report.coverage)),
        reasons=report.reasons,
        largest=missed,
        missed_in_all=9,
        runs=report.runs,
        history=report.history,
    )


def rich_evidence(report: SavingsReport) -> EvidenceReport:
    """An evidence report with a line or more of each kind."""
    interval = Interval(0.97, 0.93, 0.99, 0.94, 0.95, 800, 400, 9, 3)
    past = tuple(replace(point, figures={"labels": 90, "precision_lower": 0.9}) for point in report.history)
    return EvidenceReport(
        workspace=report.workspace,
        made_at=report.made_at,
        version=report.version,
        rule=report.rule,
        rule_lines=report.rule_lines,
        notes=(),
        labels_in_all=412,
        verdicts=(("same", 390), ("different", 22)),
        persons=((HOSTILE, 400), ("maria@desk", 12)),
        samples=("Drawn 1 March 2026 (stratified): 400 pairs, 400 labelled, 0 left.",),
        precision=interval,
        recall=replace(interval, estimate=None, low=0.5),
        by_tier=(
            TierLine("bytes", 2, 1000, True, 1.0, 1.0),
            TierLine("copy", 5, 5000, False, 0.97, 0.94),
        ),
        curve=(CurveLine(0.98, 4, 1000, 4, 0, 1.0, 0.99, 0.98), CurveLine(0.9, 9, 5000, 9, 1, 0.97, 0.94, 0.93)),
        lines=("By 400 labels of 400 drawn pairs.",),
        recommended=("Threshold: likelihood 0.98.", "`deeplens label next` asks for more."),
        threshold=0.98,
        history=past,
    )
