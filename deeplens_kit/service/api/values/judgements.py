"""Labels and rules, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Id, Name, Text

__all__ = [
    "EvaluationAnswer",
    "LabelAnswer",
    "LabelProgressAnswer",
    "LabelRequest",
    "LabelResult",
    "PairAnswer",
    "RuleAnswer",
    "RuleDiffAnswer",
    "RuleRequest",
    "SampleRequest",
    "Share",
    "ThresholdValues",
]


class LabelRequest(Body):
    """What a person says of two pictures."""

    first: Id = Field(description="An image_id or picture_id.")
    second: Id
    verdict: Literal["same", "different", "unsure"]
    note: Text = ""


class LabelAnswer(Answer):
    """A label."""

    picture_a: str
    picture_b: str
    verdict: str
    who: str
    labelled_at: datetime
    sample_id: str | None
    note: str
    place_a: str | None = Field(description="LOCATION:path of a file that holds it.")
    place_b: str | None
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None


class LabelResult(Answer):
    """What came of a label."""

    picture_a: str
    picture_b: str
    verdict: str
    changed: bool = Field(description="False where it stood already.")
    sample_id: str | None = Field(description="The sample that asked for it; null: no estimate counts it.")


class PairAnswer(Answer):
    """A pair that waits for a label."""

    picture_a: str
    picture_b: str
    place_a: str
    place_b: str
    likelihood: float | None
    sample_id: str
    left: int = Field(description="Pairs that wait in that sample, this one among them.")


class LabelProgressAnswer(Answer):
    """How far the labelling of a sample is."""

    sample_id: str
    kind: str
    created_at: datetime
    who: str
    pairs: int
    labelled: int
    unsure: int
    disputed: int
    gone: int
    left: int


class SampleRequest(Body):
    """A sample that is to be drawn."""

    budget: int = Field(ge=1, le=100_000, description="Pairs of it in all; a larger one holds the smaller.")
    near_threshold: float | None = Field(default=None, ge=0, le=1)
    strictest: float | None = Field(default=None, ge=0.5, le=1)


class Share(Answer):
    """A share with its interval."""

    share: float | None
    low: float | None
    high: float | None


class EvaluationAnswer(Answer):
    """What labels say of the proposals of a rule."""

    rule: str
    precision: Share
    recall: Share
    drawn: int
    labelled: int
    by_tier: list[dict[str, Any]]
    notes: list[str]


class ThresholdValues(Body):
    """Bounds on the evidence of a copy, all inclusive."""

    likelihood_min: float | None = Field(default=None, ge=0, le=1)
    page_likelihood_min: float | None = Field(default=None, ge=0, le=1)
    other_shots_pdq_max: int | None = Field(default=None, ge=0, le=256)
    page_tone_min: float | None = Field(default=None, ge=0, le=1)
    pdq_quality_min: int | None = Field(default=None, ge=0, le=100)


class RuleRequest(Body):
    """A rule that is to be saved: by thresholds, or whole, as `document` of an answer has it."""

    name: Name
    thresholds: ThresholdValues | None = None
    document: dict[str, Any] | None = None
    note: Text = ""


class RuleAnswer(Answer):
    """A version of a rule."""

    name: str
    version: int
    in_use: bool
    note: str
    who: str | None
    at: datetime | None
    retired_at: datetime | None
    document: dict[str, Any]


class RuleDiffAnswer(Answer):
    """What tells two rules apart."""

    first: str
    second: str
    bounds: list[dict[str, Any]] = Field(description="Each bound that differs: bound, first, second.")
    outcomes: list[dict[str, Any]] = Field(description="What it comes to here: what, first, second, more.")
