"""The values that the savings report is made of besides its sums: lines of its tables, exact and frozen.

Takes nothing; must not compute, round or draw. Bytes are whole, money is a decimal as text that keeps every digit,
beside it the same in words for people; names are ready to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

__all__ = [
    "BreakdownLine",
    "ChangeLine",
    "FigureChange",
    "HistoryPoint",
    "LineageLine",
    "OverlapLine",
    "Payback",
    "PaybackLine",
    "ReportChange",
    "SavedSoFar",
    "SavingInterval",
    "ScenarioLine",
]


@dataclass(frozen=True, slots=True)
class BreakdownLine:
    """Removable objects that have something in common: a folder, an owner, a format, an age, a storage class.

    Attributes:
        name: What they have in common, for people.
        objects: How many they are.
        gross_bytes: Their sizes.
        realisable_bytes: What their removal frees.
        money: Saved a month by removing them, exact; None where nothing of it has a price.
        share: Of what all removals free, 0..1; 0 where they free nothing.
        spark: realisable_bytes by age, the oldest first, as `AGE_BUCKETS`; empty where age is what the table tells.
        money_words: The money rounded down with its currency; empty where there is none.
    """

    name: str
    objects: int
    gross_bytes: int
    realisable_bytes: int
    money: str | None = None
    share: float = 0.0
    spark: tuple[float, ...] = ()
    money_words: str = ""


@dataclass(frozen=True, slots=True)
class SavingInterval:
    """What the labels leave believable of the bytes that can be freed.

    Equal bytes and equal samples are facts and count whole; of the tier `copy` so much counts as the labels support.

    Attributes:
        realisable_bytes: The headline.
        low_bytes: Lower end: facts, and of the copies what is right at the least.
        high_bytes: Upper end.
        fact_bytes: Of the headline, what needs no label.
        copy_bytes: Of the headline, what rests on labels.
        confidence: Chance, at least, that the interval of a sample holds the truth, 0..1.
        precision: Estimate of the share of copies among proposed pairs of tier `copy`; None without one.
        precision_low: Lower end of its two-sided interval.
        precision_high: Upper end.
        precision_lower: One-sided lower bound: "at least so much".
        labels: Labels used.
    """

    realisable_bytes: int
    low_bytes: int
    high_bytes: int
    fact_bytes: int
    copy_bytes: int
    confidence: float
    precision: float | None
    precision_low: float
    precision_high: float
    precision_lower: float
    labels: int


@dataclass(frozen=True, slots=True)
class OverlapLine:
    """How much of one folder another one holds as well.

    Attributes:
        folder_a: "location:path", the folder that is contained.
        folder_b: "location:path", the folder that holds it.
        share: Of A's different pictures those that B holds too, 0..1; equal bytes count, and copies by the rule.
        pictures: How many these are.
        bytes: Sizes of A's files with these pictures.
        pictures_a: Different pictures of A.
    """

    folder_a: str
    folder_b: str
    share: float
    pictures: int
    bytes: int
    pictures_a: int = 0


@dataclass(frozen=True, slots=True)
class ScenarioLine:
    """What another rule or another keep policy would come to.

    Attributes:
        rule: Its bounds in a few words.
        policy: Name of the keep policy.
        groups: Keepers with at least one removable object.
        objects: Objects proposed for removal.
        realisable_bytes: What their removal frees.
        money: Saved a month, exact; None where nothing has a price.
        precision_low: Lower end of the interval of precision, None where nothing was labelled.
        precision_high: Upper end.
        in_use: Whether it is the rule and the policy of this report.
        money_words: The money rounded down with its currency; empty where there is none.
    """

    rule: str
    policy: str
    groups: int
    objects: int
    realisable_bytes: int
    money: str | None = None
    precision_low: float | None = None
    precision_high: float | None = None
    in_use: bool = False
    money_words: str = ""


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """Objects that came to be proposed, or ceased to be, at one place or by one owner; bytes are what they free."""

    name: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of the headline then and now; texts are exact decimals of money."""

    name: str
    before: int | str | None
    now: int | str | None


@dataclass(frozen=True, slots=True)
class SavedSoFar:
    """What applied plans did within a time.

    Attributes:
        quarantined_objects: Files that were moved to quarantine, without those that came back; also where they were
            removed for good since.
        quarantined_bytes: Their sizes: freed once the quarantine is emptied.
        emptied_objects: Files that were removed for good.
        emptied_bytes: What the storages then reported free.
        restored_objects: Files that were moved to quarantine and came back.
        restored_bytes: Their sizes.
    """

    quarantined_objects: int = 0
    quarantined_bytes: int = 0
    emptied_objects: int = 0
    emptied_bytes: int = 0
    restored_objects: int = 0
    restored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ReportChange:
    """What is otherwise than in the last finished run of this report with the same parameters.

    Attributes:
        run_id: Of that run.
        at: When its numbers were read.
        new_objects: Objects that are proposed now and were not then.
        new_bytes: What their removal frees.
        new_by_location: The same by location, the most first.
        new_by_owner: By owner, where owners are named.
        new_by_folder: By folder, at most ten.
        gone_objects: Objects that were proposed then and are not now.
        gone_bytes: What their removal would have freed then.
        gone_why: (reason in words, objects, bytes), the most first.
        since: What applied plans did since.
        ever: What applied plans did in all.
        figures: Headline figures then and now.
        known: Whether that run kept what it proposed; without it nothing is said of new and gone objects.
        words: What limits the comparison, in sentences; empty where nothing does.
    """

    run_id: str
    at: datetime
    new_objects: int
    new_bytes: int
    new_by_location: tuple[ChangeLine, ...]
    new_by_owner: tuple[ChangeLine, ...]
    new_by_folder: tuple[ChangeLine, ...]
    gone_objects: int
    gone_bytes: int
    gone_why: tuple[ChangeLine, ...]
    since: SavedSoFar
    ever: SavedSoFar
    figures: tuple[FigureChange, ...]
    known: bool = True
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The figures that an earlier run kept, as `report_figures.kpi_of` makes them."""

    at: datetime
    figures: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class PaybackLine:
    """What reading one location cost, or costs again, against what its removals save.

    Attributes:
        location: Its name.
        objects: Files that are read.
        read_bytes: Their sizes.
        cost: Of listing and reading them all once, exact; None where a price is not stated.
        per_month: Saved a month, exact; None where nothing has a price.
        months: Until the saving is more than the cost, in whole months; None where it never is, or is not known.
        unstated: Keys of the price book that are missing.
    """

    location: str
    objects: int
    read_bytes: int
    cost: str | None
    per_month: str | None
    months: int | None
    unstated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Payback:
    """What reading everything once costs, and after how many months that has come back.

    Attributes:
        currency: An ISO 4217 code.
        lines: By location.
        cost: Of all of them, exact; None where the price of any is not known.
        per_month: Saved a month, exact; None where nothing has a price.
        months: As in a line, of all.
        words: The same as a sentence.
    """

    currency: str
    lines: tuple[PaybackLine, ...]
    cost: str | None
    per_month: str | None
    months: int | None
    words: str


@dataclass(frozen=True, slots=True)
class LineageLine:
    """Where a number comes from.

    Attributes:
        number: Which one, in words.
        value: Exact, as text.
        formula: How it is made, in words.
        rule: Name, version and digest of the rule; empty where none is behind it.
        labels: Labels that it rests on; 0 for none.
        labels_digest: SHA-256 of them, the first 12 digits; empty for none.
        catalog: Versions of the tables that it was read from.
        objects: Objects counted.
        run_ids: The runs that wrote what it was read from.
    """

    number: str
    value: str
    formula: str
    rule: str
    labels: int
    labels_digest: str
    catalog: str
    objects: int
    run_ids: tuple[str, ...]
