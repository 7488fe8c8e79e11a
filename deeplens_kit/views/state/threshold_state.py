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

from deeplens_kit.matching.thresholds import Thresholds, refuse_replaced

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.thresholds import ThresholdLab, ThresholdOutcome

__all__ = ["BORDERLINE_LIMIT", "ThresholdAnswer", "ThresholdRequest", "ThresholdState"]

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
    """

    request: ThresholdRequest
    outcome: ThresholdOutcome
    base: ThresholdOutcome
    borderline: pl.DataFrame


class ThresholdState(param.Parameterized):
    """Bounds and their answer.

    Args:
        lab: Answers for thresholds.

    Attributes:
        likelihood_min: See `Thresholds`.
        page_likelihood_min: See `Thresholds`.
        other_shots_pdq_max: See `Thresholds`.
        tiers: Tiers to propose from.
        live: Each change is answered before the assignment returns.
        outcome: Totals by these bounds.
        base: Totals by the strict rule.
        borderline: The pairs nearest to the bounds.

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
    tiers: Any = param.ListSelector(default=list(_TIERS.values()), objects=_TIERS, label="Propose from")
    live = param.Boolean(default=True)
    outcome: Any = param.Parameter(default=None)
    base: Any = param.Parameter(default=None)
    borderline: Any = param.Parameter(default=None)

    BOUNDS = ("likelihood_min", "page_likelihood_min", "other_shots_pdq_max", "tiers")
    """Parameters that change the answer."""

    def __init__(self, lab: ThresholdLab) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lab = lab
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
        )

    def begin(self) -> ThresholdRequest:
        """What is asked for now."""
        return ThresholdRequest(self.thresholds, tuple(sorted(self.tiers)))

    def compute(self, request: ThresholdRequest) -> ThresholdAnswer:
        """Answer; touches no parameter, so that it may run on any thread."""
        return ThresholdAnswer(
            request,
            outcome=self.lab.outcome(request.thresholds, request.tiers),
            base=self.lab.outcome(_STRICT, request.tiers),
            borderline=self.lab.borderline(request.thresholds, BORDERLINE_LIMIT),
        )

    def finish(self, answer: ThresholdAnswer) -> None:
        """Show an answer; those who watch are told once, when all of it stands."""
        self.param.update(outcome=answer.outcome, base=answer.base, borderline=answer.borderline)

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
