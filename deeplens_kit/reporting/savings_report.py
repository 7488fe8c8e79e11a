"""What the savings report says, as frozen values: described here, drawn elsewhere.

Takes the frames of an answer and the rule behind it, gives a report with every number and text that it shows; must not
make HTML, open a file or load a picture. Rounding is for people: the exact numbers come along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import polars as pl

from deeplens_kit.matching import Rule
from deeplens_kit.reporting.duplicates_view import (
    CoverageLine,
    DuplicatesFrames,
    GroupView,
    ReasonLine,
    SavingLine,
    describe_duplicates,
)
from deeplens_kit.reporting.report_lines import (
    BreakdownLine,
    HistoryPoint,
    LineageLine,
    OverlapLine,
    Payback,
    ReportChange,
    SavingInterval,
    ScenarioLine,
)
from deeplens_kit.reporting.rule_words import rule_lines
from deeplens_kit.reporting.savings_numbers import GROUP_COLUMNS, SavingsNumbers, add_up_savings, by_freed
from deeplens_kit.reporting.totals import CoverageTotals, Totals, removable
from deeplens_kit.schemas import Tier
from deeplens_kit.storage.paths import display_path

__all__ = [
    "MAX_GROUPS",
    "AmountLine",
    "RunLine",
    "SavingsFrames",
    "SavingsReport",
    "WithheldLine",
    "describe_savings",
]

# Twenty groups with their pictures are about 1 MB, which a mail still takes.
MAX_GROUPS = 20
# More points than pixels of the drawing show nothing.
_MAX_POINTS = 300
_STRENGTH = {str(tier): number for number, tier in enumerate(Tier)}


@dataclass(frozen=True, slots=True)
class SavingsFrames:
    """The frames of an answer about savings.

    Attributes:
        groups: GROUPS with the column location.
        withheld: WITHHELD.
        pairs: PAIRS, or the columns of it that hold the evidence.
        pictures: Columns digest, format, width_px, height_px, jpeg_quality of the pictures in groups.
        coverage: COVERAGE with the column location.
        failures: FAILURES with the column location.
        savings: SAVINGS with the column location, by location and tier.
        runs: Columns kind, location, run_id, state, started_at, finished_at of the runs that it rests on.
        features: Keys of the features that pictures have.
        current: Whether the pairs are those of the files that are indexed now.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    pairs: pl.DataFrame
    pictures: pl.DataFrame
    coverage: pl.DataFrame
    failures: pl.DataFrame
    savings: pl.DataFrame
    runs: pl.DataFrame = field(default_factory=pl.DataFrame)
    features: tuple[str, ...] = ()
    current: bool = True


@dataclass(frozen=True, slots=True)
class AmountLine:
    """Removable objects of one tier, or of one location; `groups` with at least one of them."""

    name: str
    groups: int
    objects: int
    gross_bytes: int
    realisable_bytes: int


@dataclass(frozen=True, slots=True)
class WithheldLine:
    """Matches that are not proposed for one reason."""

    reason: str
    tier: str
    matches: int


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run that the numbers rest on."""

    kind: str
    location: str
    run_id: str
    state: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SavingsReport:
    """Everything that the report says.

    Attributes:
        workspace: What to call it.
        made_at: When the numbers were read, with a zone.
        version: Of DeepLens.
        rule: The name and version of the rule.
        rule_lines: Its bounds in words.
        features: Keys of the features that pictures have.
        runs: The runs that the numbers rest on, the oldest first.
        notes: Sentences on what the numbers do not cover.
        totals: Of all groups.
        coverage: How much of what was found was analysed.
        outcomes: What became of every object.
        reasons: Why objects were not analysed.
        by_tier: What each tier would free.
        by_location: What each location would get back, the most first.
        lines: The same by location and tier.
        concentration: (groups, bytes): what the groups that free most would free together.
        groups: Those that free most, with pictures and evidence.
        groups_in_all: How many there are.
        withheld: Matches that are not proposed, by reason.
        numbers: Exact sums, as `deeplens savings --json` gives them.
        members: Every object of every group, as `deeplens duplicates --csv` gives them.
        coverage_rows: Columns location, outcome, code, objects, bytes.
        by_folder: What the folders that hold most would get back; none lies within another, the rest is one line.
        by_owner: What each owner would get back, where owners are named.
        by_format: By file format.
        by_age: By the time since a file was changed last.
        by_storage_class: By what the storage calls the way that it keeps an object.
        interval: What the labels leave believable of the headline; None where `words["interval"]` says why not.
        overlaps: Folders that others hold, the most telling first.
        scenarios: What other rules and keep policies would come to.
        change: Since the last finished run of this report; None for the first.
        history: Figures of earlier runs, the oldest first.
        payback: Cost of reading against money saved; None without a price book.
        money_notes: What the money rests on, in sentences.
        lineage: Where each number comes from.
        policy: Name of the keep policy; empty where that was not said.
        words: By the name of a field above: how to read it, or why there is nothing of it; ready to be shown.
    """

    workspace: str
    made_at: datetime
    version: str
    rule: str
    rule_lines: tuple[str, ...]
    features: tuple[str, ...]
    runs: tuple[RunLine, ...]
    notes: tuple[str, ...]
    totals: Totals
    coverage: CoverageTotals
    outcomes: tuple[CoverageLine, ...]
    reasons: tuple[ReasonLine, ...]
    by_tier: tuple[AmountLine, ...]
    by_location: tuple[AmountLine, ...]
    lines: tuple[SavingLine, ...]
    concentration: tuple[tuple[int, int], ...]
    groups: tuple[GroupView, ...]
    groups_in_all: int
    withheld: tuple[WithheldLine, ...]
    numbers: SavingsNumbers
    members: pl.DataFrame
    coverage_rows: pl.DataFrame
    by_folder: tuple[BreakdownLine, ...] = ()
    by_owner: tuple[BreakdownLine, ...] = ()
    by_format: tuple[BreakdownLine, ...] = ()
    by_age: tuple[BreakdownLine, ...] = ()
    by_storage_class: tuple[BreakdownLine, ...] = ()
    interval: SavingInterval | None = None
    overlaps: tuple[OverlapLine, ...] = ()
    scenarios: tuple[ScenarioLine, ...] = ()
    change: ReportChange | None = None
    history: tuple[HistoryPoint, ...] = ()
    payback: Payback | None = None
    money_notes: tuple[str, ...] = ()
    lineage: tuple[LineageLine, ...] = ()
    policy: str = ""
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def withheld_in_all(self) -> int:
        """Matches that are not proposed."""
        return sum(line.matches for line in self.withheld)


def describe_savings(
    frames: SavingsFrames,
    *,
    workspace: str,
    made_at: datetime,
    version: str,
    rule: Rule,
    notes: Sequence[str] = (),
    max_groups: int = MAX_GROUPS,
) -> SavingsReport:
    """Describe an answer for the report.

    Args:
        frames: The answer.
        workspace: What to call the workspace.
        made_at: When the answer was given, with a zone.
        version: Of DeepLens.
        rule: When a pair is a copy.
        notes: Sentences on what the answer does not cover.
        max_groups: Groups that are shown with pictures; those that free most come first.
    """
    shared = describe_duplicates(
        _as_duplicates(frames),
        workspace=workspace,
        made_at=made_at,
        version=version,
        notes=notes,
        max_groups=max_groups,
    )
    ranked = by_freed(frames.groups)
    return SavingsReport(
        workspace=workspace,
        made_at=made_at,
        version=version,
        rule=f"{rule.name} (version {rule.version})",
        rule_lines=rule_lines(rule),
        features=frames.features,
        runs=_runs(frames.runs),
        notes=shared.notes,
        totals=shared.totals,
        coverage=shared.coverage,
        outcomes=shared.outcomes,
        reasons=shared.reasons,
        by_tier=_amounts(frames.groups, "tier"),
        by_location=_amounts(frames.groups, "location"),
        lines=shared.savings,
        concentration=_concentration(frames.groups),
        groups=shared.groups,
        groups_in_all=shared.groups_in_all,
        withheld=_withheld(frames.withheld),
        numbers=add_up_savings(frames.savings, shared.coverage, current=frames.current, notes=notes),
        members=ranked.select(GROUP_COLUMNS),
        coverage_rows=frames.coverage.select("location", "outcome", "code", "objects", "bytes").sort(
            "location", "outcome", "code"
        ),
    )


def _as_duplicates(frames: SavingsFrames) -> DuplicatesFrames:
    """Withheld matches are counted by reason here, so that their pictures are not described."""
    nowhere = pl.DataFrame(schema={"object_id": pl.String, "location": pl.String, "path": pl.String})
    return DuplicatesFrames(
        groups=frames.groups,
        withheld=frames.withheld.clear(),
        pairs=frames.pairs,
        pictures=frames.pictures,
        places=nowhere,
        coverage=frames.coverage,
        failures=frames.failures,
    )


def _amounts(groups: pl.DataFrame, by: str) -> tuple[AmountLine, ...]:
    lines = (
        removable(groups)
        .group_by(by)
        .agg(
            groups=pl.col("group_id").n_unique(),
            objects=pl.len(),
            gross=pl.col("size_bytes").sum(),
            realisable=pl.col("frees_bytes").sum(),
        )
        .sort("realisable", by, descending=[True, False])
    )
    if by == "tier":
        lines = lines.sort(pl.col("tier").replace_strict(_STRENGTH, return_dtype=pl.Int8))
    return tuple(
        AmountLine(display_path(row[by]), row["groups"], row["objects"], row["gross"], row["realisable"])
        for row in lines.iter_rows(named=True)
    )


def _concentration(groups: pl.DataFrame) -> tuple[tuple[int, int], ...]:
    """What the first, the first two, … groups free together; thinned out evenly, the last one always there."""
    freed = removable(groups).group_by("group_id").agg(pl.col("frees_bytes").sum())["frees_bytes"]
    running = freed.sort(descending=True).cum_sum().to_list()
    step = max(1, len(running) // _MAX_POINTS)
    chosen = sorted({*range(0, len(running), step), len(running) - 1}) if running else []
    return tuple((at + 1, running[at]) for at in chosen)


def _withheld(withheld: pl.DataFrame) -> tuple[WithheldLine, ...]:
    lines = withheld.group_by("reason", "tier").len("matches").sort("matches", "reason", descending=[True, False])
    return tuple(WithheldLine(row["reason"], row["tier"], row["matches"]) for row in lines.iter_rows(named=True))


def _runs(runs: pl.DataFrame) -> tuple[RunLine, ...]:
    return tuple(
        RunLine(row["kind"], display_path(row["location"]), row["run_id"], row["state"], row["finished_at"])
        for row in runs.iter_rows(named=True)
    )
