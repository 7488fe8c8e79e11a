"""What labels say of the proposals: precision and recall with intervals, at one rule and at every threshold.

Takes an open workspace with samples and labels, gives intervals, the curve and the threshold that can be defended;
must not draw, label or touch a file. Estimates count the pairs that chance drew and no others; equal bytes and equal
samples are facts, told beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import SettingsError, TooFewLabelsError
from deeplens_kit.matching import Rule
from deeplens_kit.pipeline.label_frames import SampleFrame, frame_of
from deeplens_kit.pipeline.label_population import Population, population_of
from deeplens_kit.pipeline.label_sampling import drawn_pairs, sample_ladder, sample_seed
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier

if TYPE_CHECKING:
    from deeplens_kit.evidence import Calibration, Interval, Recommendation, RemovalCurve, Survey

__all__ = [
    "Evaluation",
    "LabelledPopulation",
    "RecommendedThreshold",
    "evaluate",
    "labelled_population",
    "labelled_sample",
    "recommend",
]

_PAIR = ["digest_a", "digest_b"]
_FACTS = (str(Tier.BYTES), str(Tier.PIXELS))


@dataclass(frozen=True, slots=True)
class LabelledPopulation:
    """What the samples and labels of a workspace come to.

    Attributes:
        population: The candidates and proposals.
        level: Of the rule that was asked for; 0 where none was.
        survey: For `evidence`.
        drawn: Pairs that samples for estimates hold.
        labelled: Of these, with a verdict.
        disputed: Pairs with labels on which persons say the opposite of each other: they count as unsure.
        later: Pairs that the sample would hold and does not, because they came after it was drawn: until they are drawn
            and labelled they count as unsure.
        gone: Drawn pairs that no threshold proposes any more.
        beside: Labels of pairs that no sample for estimates holds; they serve the calibration alone.
        verdicts: One row for each labelled pair, as `settled` gives them.
        frame: The keep policies of now and of the samples.
    """

    population: Population
    level: int
    survey: Survey
    drawn: int
    labelled: int
    disputed: int
    later: int
    gone: int
    beside: int
    verdicts: pl.DataFrame
    frame: SampleFrame

    @property
    def left(self) -> int:
        """Drawn pairs that wait for a label."""
        return self.drawn - self.labelled - self.gone


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the proposals of a rule are.

    Attributes:
        labels: The samples and labels.
        rule: That was judged.
        precision: Of the proposals of tier `copy`: the share that are copies of their keeper.
        recall: Of all candidates that are copies, the share that is proposed.
        by_tier: tier, groups, objects, frees_bytes, proven, precision, low, high, lower: `bytes` and `pixels` are
            proven, which needs no label; where nothing can be said the shares are null.
        calibration: From likelihood to the probability of a copy, fitted to all labels; None where they are too few.
        uncalibrated: Why there is none; empty where there is one.
    """

    labels: LabelledPopulation
    rule: Rule
    precision: Interval
    recall: Interval
    by_tier: pl.DataFrame
    calibration: Calibration | None
    uncalibrated: str


@dataclass(frozen=True, slots=True)
class RecommendedThreshold:
    """The threshold that can be defended, or why there is none.

    Attributes:
        labels: The samples and labels.
        found: Threshold, interval, bytes; where nothing can be shown, what can.
        curve: Every threshold with its bounds.
        facts_bytes: What equal bytes and equal samples free at that threshold, or the one at which something is
            shown, without any label.
        objects: Objects of tier `copy` that the threshold proposes; 0 where there is none.
    """

    labels: LabelledPopulation
    found: Recommendation
    curve: RemovalCurve
    facts_bytes: int
    objects: int


def labelled_sample(workspace: Workspace) -> tuple[int, pl.DataFrame, pl.DataFrame]:
    """The samples for estimates and what was said of pairs: their seed, what they drew, and every settled verdict.

    Raises:
        TooFewLabelsError: No sample for estimates was drawn, or none of its pairs has a label.
    """
    seed = sample_seed(workspace)
    if seed is None:
        raise TooFewLabelsError(
            "There is no sample to judge by yet; `deeplens label sample --budget 400` draws one, `deeplens label next` "
            "asks for its labels."
        )
    drawn, verdicts = drawn_pairs(workspace), settled(workspace.ledger.labels())
    if not drawn.join(verdicts, on=_PAIR, how="semi").height:
        raise TooFewLabelsError(
            f"None of the {drawn.height:,} pairs of the sample has a label yet; `deeplens label next` asks for the "
            "first, `deeplens label import` takes them from a file."
        )
    return seed, drawn, verdicts


def labelled_population(
    workspace: Workspace, rule: Rule | None = None, *, lab: ThresholdLab | None = None
) -> LabelledPopulation:
    """The candidates of a workspace with what people said of them.

    Args:
        workspace: An open workspace.
        rule: Whose level is wanted; None for the steps of the ladder alone.
        lab: Of this workspace as it is, without decisions or where nothing was decided; None for a new one.

    Raises:
        TooFewLabelsError: No sample for estimates was drawn, or none of its pairs has a label.
    """
    from deeplens_kit import evidence

    # 1. What was drawn and said.
    seed, drawn, verdicts = labelled_sample(workspace)
    labelled = drawn.join(verdicts, on=_PAIR, how="semi")
    # 2. What it speaks of.
    population, level = population_of(lab or workspace, rule, sample_ladder(workspace))
    survey = evidence.Survey.of(
        population.candidates,
        population.proposals,
        population.levels,
        verdicts.select(*_PAIR, "verdict"),
        drawn,
        seed,
    )
    gone = drawn.join(population.candidates, on=_PAIR, how="anti")
    return LabelledPopulation(
        population,
        level,
        survey,
        drawn.height,
        labelled.height,
        verdicts.filter("disputed").height,
        survey.passed_over.join(drawn, on=_PAIR, how="anti").height,
        gone.join(verdicts, on=_PAIR, how="anti").height,
        verdicts.join(drawn, on=_PAIR, how="anti").height,
        verdicts,
        frame_of(workspace, population),
    )


def evaluate(workspace: Workspace, rule: Rule | None = None, *, confidence: float = 0.95) -> Evaluation:
    """How good the proposals of a rule are, by the labels there are.

    Args:
        workspace: An open workspace.
        rule: The bounds; None for the rule in use.
        confidence: Of the intervals, above 0.5 and below 1.

    Raises:
        TooFewLabelsError: As `labelled_population`.
        SettingsError: The confidence is not allowed.
    """
    from deeplens_kit import evidence

    _check_share("confidence", confidence, above=0.5)
    rule = chosen_rule(workspace, rule)
    labels = labelled_population(workspace, rule)
    precision = evidence.precision(labels.survey, labels.level, confidence)
    recall = evidence.recall(labels.survey, labels.level, confidence)
    calibration, why = _calibrated(labels)
    return Evaluation(labels, rule, precision, recall, _by_tier(labels, precision), calibration, why)


def recommend(workspace: Workspace, precision: float = 0.99, *, confidence: float = 0.95) -> RecommendedThreshold:
    """The loosest threshold at which the labels show that precision is at least so high.

    Args:
        workspace: An open workspace.
        precision: That is to be kept, above 0.5 and below 1.
        confidence: With which: of a hundred such promises so many hold at least.

    Raises:
        TooFewLabelsError: As `labelled_population`, or no threshold proposes a copy.
        SettingsError: A share is not allowed.
    """
    from deeplens_kit import evidence

    _check_share("precision", precision, above=0.5)
    _check_share("confidence", confidence, above=0.5)
    labels = labelled_population(workspace)
    curve = evidence.removal_curve(labels.survey, confidence)
    found = evidence.recommend(curve, precision)
    facts = labels.population.facts_at(found.shown_level).filter(pl.col("tier").is_in(_FACTS))
    objects = 0 if found.level is None else int(labels.population.proposed_at(found.level)["objects"].sum())
    return RecommendedThreshold(labels, found, curve, int(facts["realisable_bytes"].sum()), objects)


def _check_share(name: str, value: float, *, above: float) -> None:
    """Refuse a share that is no promise.

    Raises:
        SettingsError: It is not between `above` and 1, both exclusive.
    """
    if not above < value < 1:
        raise SettingsError(
            f"The {name} is {value:g}; it must be above {above:g} and below 1, for example 0.99: no sample shows that "
            "nothing at all is wrong."
        )


def _by_tier(labels: LabelledPopulation, precision: Interval) -> pl.DataFrame:
    facts = labels.population.facts_at(labels.level)
    proven = pl.col("tier").is_in(_FACTS)
    shares = {"precision": precision.estimate, "low": precision.low, "high": precision.high, "lower": precision.lower}
    return facts.select(
        "tier",
        "groups",
        "objects",
        pl.col("realisable_bytes").alias("frees_bytes"),
        proven.alias("proven"),
        *(pl.when(proven).then(1.0).otherwise(pl.lit(value, pl.Float64)).alias(name) for name, value in shares.items()),
    )


def _calibrated(labels: LabelledPopulation) -> tuple[Calibration | None, str]:
    """The calibration by all labels of candidates, drawn or not: given the score, chance does not matter."""
    from deeplens_kit import evidence

    scored = labels.verdicts.join(labels.population.candidates, on=_PAIR)
    try:
        return evidence.calibrate(scored["score"], scored["verdict"]), ""
    except TooFewLabelsError as error:
        return None, str(error)
