"""Thresholds that a person moves, and what they come to.

Takes a threshold lab, holds the bounds and the answer as parameters; must not import Panel or open a store. By default
each change is answered in place. A viewer that answers off its event loop turns `live` off and takes the three steps
itself: `begin`, `compute`, `finish`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import param
import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.rules import STRICT
from deeplens_kit.matching.thresholds import Thresholds, refuse_replaced
from deeplens_kit.views.state.desk_state import DeskState, Pair

if TYPE_CHECKING:
    from deeplens_kit.matching.rules import Rule
    from deeplens_kit.pipeline.lab_evidence import LabEstimate, LabEvidence
    from deeplens_kit.pipeline.thresholds import ThresholdLab, ThresholdOutcome
    from deeplens_kit.views.state.lab_acts import LabActs

__all__ = ["BORDERLINE_LIMIT", "LabelAnswer", "ThresholdAnswer", "ThresholdRequest", "ThresholdState"]

BORDERLINE_LIMIT = 12
"""Borderline pairs shown: six on each side of the bounds, what one looks through without scrolling for long."""

_STRICT = Thresholds()
# Digits of a likelihood that a slider sets: what it computes on the way is not exact.
_DIGITS = 4
_TIERS = {"Equal bytes": "bytes", "Equal pixels": "pixels", "Copies": "copy"}


@dataclass(frozen=True, slots=True)
class ThresholdRequest:
    """What was asked for; later moves do not reach it, and two that are equal have one answer."""

    thresholds: Thresholds
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ThresholdAnswer:
    """What a request came to.

    Attributes:
        request: What was asked for.
        outcome: Its totals.
        base: The totals of the strict rule for the same tiers.
        borderline: BORDERLINE.
        histogram: HISTOGRAM.
    """

    request: ThresholdRequest
    outcome: ThresholdOutcome
    base: ThresholdOutcome
    borderline: pl.DataFrame
    histogram: pl.DataFrame


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """What labels say of a request.

    Attributes:
        request: What was asked for.
        estimate: Precision and recall.
        marks: The labelled pairs with their scores, as `LabEvidence.marks` gives them.
    """

    request: ThresholdRequest
    estimate: LabEstimate
    marks: pl.DataFrame


class ThresholdState(param.Parameterized):
    """Bounds and their answer.

    Args:
        lab: Answers for thresholds.
        acts: The workspace of the lab, for labels and saved rules; None for figures alone.
        may_write: Whether whoever looks may label and save.

    Attributes:
        likelihood_min: See `Thresholds`.
        page_likelihood_min: See `Thresholds`.
        other_shots_pdq_max: See `Thresholds`.
        page_tone_min: See `Thresholds`.
        pdq_quality_min: See `Thresholds`.
        tiers: Tiers to propose from.
        live: Each change is answered before the assignment returns.
        outcome: Totals by these bounds.
        base: Totals by the strict rule.
        borderline: The pairs nearest to the bounds.
        histogram: How many pairs there are at each score.
        estimate: What the labels say of these bounds; None until `load_evidence`.
        marks: The labelled pairs with their scores; None until then.

    Raises:
        SettingsError: A bound is set that was replaced by another.
    """

    likelihood_min: Any = param.Number(
        default=_STRICT.likelihood_min, bounds=(0.0, 1.0), step=0.01, label="Least likelihood of a copy"
    )
    page_likelihood_min: Any = param.Number(
        default=_STRICT.page_likelihood_min, bounds=(0.0, 1.0), step=0.01, label="The same for pages and crowds"
    )
    other_shots_pdq_max = param.Integer(
        default=_STRICT.other_shots_pdq_max,
        bounds=(0, 256),
        label="Bits that may differ where the cameras noted different times",
    )
    page_tone_min: Any = param.Number(
        default=_STRICT.page_tone_min, bounds=(0.0, 1.0), step=0.01, label="Share of one tone that makes a page"
    )
    pdq_quality_min = param.Integer(
        default=_STRICT.pdq_quality_min, bounds=(0, 100), label="Least quality at which a picture can be told"
    )
    tiers: Any = param.ListSelector(default=list(_TIERS.values()), objects=_TIERS, label="Propose from")
    live = param.Boolean(default=True)
    outcome: Any = param.Parameter(default=None)
    base: Any = param.Parameter(default=None)
    borderline: Any = param.Parameter(default=None)
    histogram: Any = param.Parameter(default=None)
    estimate: Any = param.Parameter(default=None)
    marks: Any = param.Parameter(default=None)

    BOUNDS = (*(item.name for item in dataclasses.fields(Thresholds)), "tiers")
    """Parameters that change the answer."""

    def __init__(self, lab: ThresholdLab, acts: LabActs | None = None, *, may_write: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lab, self.acts, self.may_write = lab, acts, may_write and acts is not None
        self.desk = DeskState(acts if may_write else None)
        self.evidence: LabEvidence | None = None
        self._bases: dict[tuple[str, ...], ThresholdOutcome] = {}
        self.run()
        self.param.watch(self._answer, list(self.BOUNDS))

    def __setattr__(self, name: str, value: object) -> None:
        # A bound that is gone would be taken for an attribute like any other, and change nothing.
        refuse_replaced("threshold", [name], self.BOUNDS)
        super().__setattr__(name, value)

    @property
    def thresholds(self) -> Thresholds:
        """The bounds as they stand."""
        return Thresholds(
            likelihood_min=round(float(self.likelihood_min), _DIGITS),
            page_likelihood_min=round(float(self.page_likelihood_min), _DIGITS),
            other_shots_pdq_max=self.other_shots_pdq_max,
            page_tone_min=round(float(self.page_tone_min), _DIGITS),
            pdq_quality_min=self.pdq_quality_min,
        )

    @property
    def rule(self) -> Rule:
        """The rule of the bounds and tiers as they stand."""
        rule = self.thresholds.rule()
        tiers = tuple(tier for tier in rule.tiers if tier in self.tiers)
        return rule if tiers == rule.tiers else dataclasses.replace(rule, tiers=tiers)

    def begin(self) -> ThresholdRequest:
        """What is asked for now."""
        return ThresholdRequest(self.thresholds, tuple(sorted(self.tiers)))

    def compute(self, request: ThresholdRequest) -> ThresholdAnswer:
        """Answer; touches no parameter, so that it may run on any thread."""
        if request.tiers not in self._bases:
            # Once: no move changes it.
            self._bases[request.tiers] = self.lab.outcome(_STRICT, request.tiers)
        return ThresholdAnswer(
            request,
            outcome=self.lab.outcome(request.thresholds, request.tiers),
            base=self._bases[request.tiers],
            borderline=self.lab.borderline(request.thresholds, BORDERLINE_LIMIT),
            histogram=self.lab.histogram(request.thresholds),
        )

    def finish(self, answer: ThresholdAnswer) -> None:
        """Show an answer; those who watch are told once, when all of it stands."""
        self.param.update(
            outcome=answer.outcome, base=answer.base, borderline=answer.borderline, histogram=answer.histogram
        )
        if self.desk.source == "bounds":
            self.desk.show(self.asked_pairs)

    @property
    def asked_pairs(self) -> list[Pair]:
        """The borderline pairs as they are shown: copies and then the others, on either side the nearest first."""
        found = self.borderline.with_columns(away=pl.col("margin").abs())
        ordered = found.sort("accepted", "away", descending=[True, False], maintain_order=True)
        return list(ordered.select("digest_a", "digest_b").iter_rows())

    def read_evidence(self) -> LabEvidence | None:
        """What the labels of now say, None where the lab stands alone; touches no parameter."""
        return None if self.acts is None else self.acts.lab_evidence(self.lab, self.evidence)

    def take_evidence(self, evidence: LabEvidence) -> None:
        """Hold what `read_evidence` gave; the estimate for these bounds is asked for apart."""
        self.evidence = evidence
        self.desk.know(evidence.labels)

    def judge(self, request: ThresholdRequest) -> LabelAnswer | None:
        """What the labels say of a request, None before there is evidence; touches no parameter."""
        if self.evidence is None:
            return None
        rule = request.thresholds.rule()
        return LabelAnswer(request, self.evidence.estimate(rule), self.evidence.marks(rule))

    def take(self, answer: LabelAnswer) -> None:
        """Show what labels say."""
        self.param.update(estimate=answer.estimate, marks=answer.marks)

    def load_evidence(self) -> None:
        """Read what the labels say, and show it; for a million pictures it takes some seconds."""
        found = self.read_evidence()
        if found is not None:
            self.take_evidence(found)
            judged = self.judge(self.begin())
            if judged is not None:
                self.take(judged)

    def save(self, name: str, note: str = "", *, use: bool = False) -> str:
        """Save the bounds as a rule; touches no parameter.

        Args:
            name: Of the rule; saved again with other bounds it becomes the next version.
            note: Why, in words.
            use: Judge by it from now on.

        Returns:
            What was done, in a sentence.

        Raises:
            SettingsError: The name is not allowed, no tier is chosen, or the lab stands alone.
        """
        if self.acts is None:
            raise SettingsError("This lab stands alone: there is no workspace to save a rule in.")
        if not self.tiers:
            raise SettingsError("No tier is chosen, so that the rule would propose nothing; choose at least one.")
        if not name.strip():
            raise SettingsError("The rule has no name yet; give it one, for example 'careful'.")
        saved = self.acts.save_rule(name.strip(), self.rule, note.strip())
        done = f"Saved as {saved.name!r}, version {saved.version}."
        if not use:
            return f"{done} `deeplens rules use {saved.name}` puts it in use."
        self.acts.use_rule(saved.name)
        return f"{done} It is in use from now on, here and in every command and report that names no other rule."

    def start_from(self, name: str) -> None:
        """Move every bound to where a saved rule has it.

        Args:
            name: As for `Workbench.rule`.

        Raises:
            SettingsError: There is no such rule (UnknownNameError), or it says more than bounds can.
        """
        if self.acts is None:
            raise SettingsError("This lab stands alone: it knows no saved rule.")
        rule = self.acts.rule(name)
        bounds = Thresholds.of(dataclasses.replace(rule, tiers=STRICT.tiers))
        if bounds is None:
            raise SettingsError(
                f"The rule {name!r} has clauses of its own, which no slider shows; `deeplens rules show {name}` does."
            )
        self.param.update(**dataclasses.asdict(bounds), tiers=[str(tier) for tier in rule.tiers])

    def run(self) -> ThresholdOutcome:
        """Answer in place."""
        answer = self.compute(self.begin())
        self.finish(answer)
        return answer.outcome

    def back_to_strict(self) -> None:
        """Move every bound to where the strict rule has it."""
        self.param.update(**dataclasses.asdict(_STRICT))

    def _answer(self, *_events: object) -> None:
        if self.live:
            self.run()
            judged = self.judge(self.begin())
            if judged is not None:
                self.take(judged)
