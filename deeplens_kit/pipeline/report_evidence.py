"""What a report says of its own headline: the interval that the labels leave, and what other rules would come to.

Takes an open workspace, groups and the rule behind them, gives frozen values; must not draw, label or touch a file. One
threshold lab answers for all rules, and for the labels too where nothing was decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import SettingsError, TooFewLabelsError
from deeplens_kit.matching import KeepPolicy, Rule
from deeplens_kit.matching.removal_levels import rule_at
from deeplens_kit.pipeline.evaluating import LabelledPopulation, labelled_population
from deeplens_kit.pipeline.keep_policies import known_policies
from deeplens_kit.pipeline.label_sampling import sample_seed
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import exact
from deeplens_kit.schemas import Tier

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval

__all__ = [
    "CONFIDENCE",
    "ReportEvidence",
    "Scenario",
    "SupportedBytes",
    "believable_bytes",
    "evidence_of_report",
]

CONFIDENCE = 0.95
"""Of the intervals of a report."""

_LIKELIHOODS = (0.98, 0.95, 0.9, 0.8, 0.7)
# Every other keep policy reads and orders all pairs anew, some 20 seconds for each million pictures; inclusive.
_MOST_PICTURES_FOR_POLICIES = 100_000
_PAIR = ["digest_a", "digest_b"]


@dataclass(frozen=True, slots=True)
class SupportedBytes:
    """Bytes that the labels leave believable.

    Attributes:
        low_bytes: At least so much is freed by removing true copies, see `believable_bytes`.
        high_bytes: At most.
        fact_bytes: Freed by equal bytes and equal samples, which need no label.
        copy_bytes: Freed by copies.
        precision: Of the copies, with its interval.
        labels: Labelled pairs that the interval rests on.
        unframed: Pairs of now that no sample could have drawn, because it was drawn under another keep policy.
    """

    low_bytes: int
    high_bytes: int
    fact_bytes: int
    copy_bytes: int
    precision: Interval
    labels: int
    unframed: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a rule and a keep policy would come to.

    Attributes:
        rule: The rule.
        policy: The keep policy.
        groups: Keepers with at least one removable object.
        objects: Objects proposed for removal.
        realisable_bytes: What their removal frees.
        precision: Of the copies, where labels judge this rule; None elsewhere.
        in_use: Whether it is what the report itself goes by.
        money: Saved a month; None where nothing has a price.
        currency: Of the money; None where there is none.
    """

    rule: Rule
    policy: str
    groups: int
    objects: int
    realisable_bytes: int
    precision: Interval | None
    in_use: bool
    money: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """What a report says of its own headline.

    Attributes:
        supported: The interval; None where `unsupported` says why.
        unsupported: A sentence; empty where there is an interval.
        scenarios: By policy, that of the report first; of each the rule of the report first, then the strictest.
        policies_left_out: Whether other keep policies were not tried because that takes too long at this size.
        policies_alike: Names of those that come to the same as that of the report by every rule; no scenario is theirs.
        labels: What the labels come to; None where there are none.
    """

    supported: SupportedBytes | None
    unsupported: str
    scenarios: tuple[Scenario, ...]
    policies_left_out: bool
    policies_alike: tuple[str, ...]
    labels: LabelledPopulation | None


def evidence_of_report(
    workspace: Workspace, groups: pl.DataFrame, rule: Rule, policy: KeepPolicy, tiers: Sequence[str] = ()
) -> ReportEvidence:
    """The interval of the headline, and the scenarios.

    Args:
        workspace: An open workspace.
        groups: GROUPS by this rule and policy.
        rule: The rule of the report.
        policy: Its keep policy.
        tiers: Tiers that it counts; none for those of the rule.
    """
    if not workspace.catalog.count_pictures():
        return ReportEvidence(None, "Nothing was analysed yet.", (), False, (), None)
    # 1. What the labels say.
    lab = ThresholdLab(workspace, policy)
    labels, why = _labels(workspace, rule, policy, lab)
    supported = None if labels is None else _supported(labels, groups)
    # 2. What other thresholds would come to, and other policies where that is soon told.
    others = {name: other for name, other in known_policies(workspace).items() if other != policy}
    left_out = bool(others) and lab.pictures > _MOST_PICTURES_FOR_POLICIES
    found = _scenarios(lab, rule, policy, tiers, labels, in_use=True)
    del lab
    ours, alike = _sums(found), []
    for other in () if left_out else others.values():
        theirs = _scenarios(ThresholdLab(workspace, other), rule, other, tiers)
        if _sums(theirs) == ours:
            alike.append(other.name)
        else:
            found += theirs
    return ReportEvidence(supported, why, tuple(found), left_out, tuple(alike), labels)


def _labels(
    workspace: Workspace, rule: Rule, policy: KeepPolicy, lab: ThresholdLab
) -> tuple[LabelledPopulation | None, str]:
    # A rule is judged without decisions; where nothing was decided the lab is that of such a rule too.
    if sample_seed(workspace) is not None and not workspace.ledger.decisions().is_empty():
        lab = ThresholdLab(workspace, policy, decided=False)
    try:
        return labelled_population(workspace, rule, lab=lab), ""
    except TooFewLabelsError as error:
        return None, str(error)


def _supported(labels: LabelledPopulation, groups: pl.DataFrame) -> SupportedBytes:
    from deeplens_kit import evidence

    found = evidence.precision(labels.survey, labels.level, CONFIDENCE)
    # 1. What the copies free, pair by pair: of one that is wrong none of its objects may go.
    keepers = groups.filter("is_keeper").select("group_id", keeper_digest="digest")
    members = groups.filter(~pl.col("is_keeper")).join(keepers, on="group_id")
    copies = members.filter(pl.col("tier") == str(Tier.COPY))
    pairs = (
        copies.select(
            "frees_bytes",
            digest_a=pl.min_horizontal("digest", "keeper_digest"),
            digest_b=pl.max_horizontal("digest", "keeper_digest"),
        )
        .group_by(_PAIR)
        .agg(pl.col("frees_bytes").sum())
    )
    said = labels.verdicts.select(*_PAIR, "verdict")
    judged = pairs.join(said, on=_PAIR, how="left").with_columns(pl.col("verdict").fill_null(""))
    # 2. As many wrong pairs as the interval allows, in the worst place and in the best.
    most, fewest = (round((1 - share) * found.pairs) for share in (found.low, found.high))
    low, high = believable_bytes(judged, fewest, most)
    copy_bytes = int(copies["frees_bytes"].sum())
    facts = int(members["frees_bytes"].sum()) - copy_bytes
    return SupportedBytes(facts + low, facts + high, facts, copy_bytes, found, found.labelled, labels.frame.unframed)


def believable_bytes(pairs: pl.DataFrame, fewest: int, most: int) -> tuple[int, int]:
    """What pairs free at the least and at the most that are right, where from `fewest` to `most` of them are wrong.

    Pairs that are labelled `different` are wrong and those labelled `same` are right; the others are wrong in the worst
    case where they free most, and in the best where they free least.

    Args:
        pairs: Columns frees_bytes and verdict, empty where nobody said any.
        fewest: From 0.
        most: At least as many.
    """
    known = pairs.filter(pl.col("verdict") == "different")["frees_bytes"]
    rest = pairs.filter(~pl.col("verdict").is_in(["same", "different"]))["frees_bytes"].sort()
    right = int(pairs["frees_bytes"].sum()) - int(known.sum())
    worst, best = (max(0, count - len(known)) for count in (most, fewest))
    return right - int(rest.tail(worst).sum()), right - int(rest.head(best).sum())


def _scenarios(
    lab: ThresholdLab,
    rule: Rule,
    policy: KeepPolicy,
    tiers: Sequence[str],
    labels: LabelledPopulation | None = None,
    *,
    in_use: bool = False,
) -> list[Scenario]:
    """The rule of the report first, then the steps that there are, the strictest first."""
    from deeplens_kit import evidence

    steps = [rule_at(likelihood) for likelihood in _LIKELIHOODS]
    asked = [rule, *(each for each in steps if each != rule)]
    found = []
    for each in asked:
        try:
            lab.floor.refuse_looser(each)
        except SettingsError:
            # Such pairs are not stored, so nobody can say what it would come to.
            continue
        outcome = lab.outcome(each, list(tiers) or each.tiers)
        level = None if labels is None else _level(labels, rule, each)
        precision = None
        if labels is not None and level is not None:
            precision = evidence.precision(labels.survey, level, CONFIDENCE)
        sums = (outcome.groups, outcome.objects, outcome.realisable_bytes)
        used = in_use and each == rule
        found.append(Scenario(each, policy.name, *sums, precision, used, *_money(outcome.money)))
    return found


def _sums(scenarios: Sequence[Scenario]) -> list[tuple[object, ...]]:
    return [(each.rule, each.groups, each.objects, each.realisable_bytes, each.money) for each in scenarios]


def _money(rows: pl.DataFrame | None) -> tuple[Decimal | None, str | None]:
    """What MONEY adds up to a month, and in which currency."""
    priced = [] if rows is None else rows["money_per_month"].drop_nulls().to_list()
    if rows is None or not priced:
        return None, None
    with exact():
        return sum(map(Decimal, priced), Decimal(0)), str(rows["currency"][0])


def _level(labels: LabelledPopulation, rule: Rule, other: Rule) -> int | None:
    """The level of the population that stands for a rule; None where none does."""
    if other == rule:
        return labels.level
    rules = labels.population.rules
    return rules.index(other) if other in rules else None
