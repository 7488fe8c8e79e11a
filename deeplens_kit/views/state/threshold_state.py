"""Thresholds that a person moves, and what they come to.

Takes a threshold lab, holds the bounds and the answer as parameters; must not import Panel or open a store. By default
each change is answered in place. A viewer that answers off its event loop turns `live` off and takes the three steps
itself: `begin`, `compute`, `finish`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import param

from deeplens_kit.errors import DeepLensError
from deeplens_kit.matching.thresholds import Thresholds

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.thresholds import ThresholdLab, ThresholdOutcome

__all__ = ["BORDERLINE_LIMIT", "ThresholdAnswer", "ThresholdRequest", "ThresholdState"]

BORDERLINE_LIMIT = 12
"""Borderline pairs shown: six on each side of the bounds, what one looks through without scrolling for long."""

_STRICT = Thresholds()
_SSCD_START = 0.9
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
        outcome: Its totals; None where there is a problem.
        base: The totals of the strict rule for the same tiers.
        borderline: BORDERLINE; None where there is a problem.
        problem: Why there is no answer; empty where there is one.
    """

    request: ThresholdRequest
    outcome: ThresholdOutcome | None
    base: ThresholdOutcome
    borderline: pl.DataFrame | None
    problem: str


class ThresholdState(param.Parameterized):
    """Bounds and their answer.

    Args:
        lab: Answers for thresholds.

    Attributes:
        pdq_max: Bits of 256 that may differ between plain pictures, inclusive.
        page_pdq_max: Bits that may differ where a picture is page-like, inclusive.
        sscd_alone: Whether SSCD alone can make a copy of plain pictures.
        sscd_alone_min: From which cosine, inclusive; counts only where `sscd_alone` is on.
        tiers: Tiers to propose from.
        live: Each change is answered before the assignment returns.
        outcome: Totals by these bounds; None while there is a problem.
        base: Totals by the strict rule.
        borderline: The pairs nearest to the bounds; None while there is a problem.
        problem: Why there is no answer; empty where there is one.
    """

    pdq_max = param.Integer(default=_STRICT.pdq_max, bounds=(0, 256), label="PDQ: bits that may differ")
    page_pdq_max = param.Integer(default=_STRICT.page_pdq_max, bounds=(0, 256), label="PDQ of pages and icons")
    sscd_alone = param.Boolean(default=False, label="SSCD alone makes a copy")
    sscd_alone_min: Any = param.Number(default=_SSCD_START, bounds=(-1.0, 1.0), step=0.01, label="From this cosine")
    tiers: Any = param.ListSelector(default=list(_TIERS.values()), objects=_TIERS, label="Propose from")
    live = param.Boolean(default=True)
    outcome: Any = param.Parameter(default=None)
    base: Any = param.Parameter(default=None)
    borderline: Any = param.Parameter(default=None)
    problem = param.String(default="")

    BOUNDS = ("pdq_max", "page_pdq_max", "sscd_alone", "sscd_alone_min", "tiers")
    """Parameters that change the answer."""

    def __init__(self, lab: ThresholdLab) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lab = lab
        # The strict rule is always answered, also where the floor is stricter than its bound.
        for name in ("pdq_max", "page_pdq_max"):
            self.param[name].bounds = (0, max(lab.floor.pdq_max_distance, getattr(_STRICT, name)))
        lowest = min(max(lab.floor.sscd_min_cosine, -1.0), 1.0)
        self.param.sscd_alone_min.bounds = (lowest, 1.0)
        self.sscd_alone_min = max(lowest, _SSCD_START)
        self.run()
        self.param.watch(self._answer, list(self.BOUNDS))

    @property
    def thresholds(self) -> Thresholds:
        """The bounds as they stand."""
        alone = float(self.sscd_alone_min) if self.sscd_alone else None
        return Thresholds(pdq_max=self.pdq_max, page_pdq_max=self.page_pdq_max, sscd_alone_min=alone)

    def begin(self) -> ThresholdRequest:
        """What is asked for now."""
        return ThresholdRequest(self.thresholds, tuple(sorted(self.tiers)))

    def compute(self, request: ThresholdRequest) -> ThresholdAnswer:
        """Answer; touches no parameter, so that it may run on any thread."""
        base = self.lab.outcome(_STRICT, request.tiers)
        try:
            outcome = self.lab.outcome(request.thresholds, request.tiers)
            borderline = self.lab.borderline(request.thresholds, BORDERLINE_LIMIT)
        except DeepLensError as error:
            return ThresholdAnswer(request, None, base, None, str(error))
        return ThresholdAnswer(request, outcome, base, borderline, "")

    def finish(self, answer: ThresholdAnswer) -> None:
        """Show an answer; those who watch are told once, when all of it stands."""
        self.param.update(
            outcome=answer.outcome, base=answer.base, borderline=answer.borderline, problem=answer.problem
        )

    def run(self) -> ThresholdOutcome | None:
        """Answer in place; None where there is a problem."""
        answer = self.compute(self.begin())
        self.finish(answer)
        return answer.outcome

    def back_to_strict(self) -> None:
        """Move every bound to where the strict rule has it."""
        self.param.update(pdq_max=_STRICT.pdq_max, page_pdq_max=_STRICT.page_pdq_max, sscd_alone=False)

    def _answer(self, *_events: object) -> None:
        if self.live:
            self.run()
