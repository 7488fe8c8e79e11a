"""Labels: what people say of pairs of pictures, which pair is asked next, and what the labels prove.

Takes pictures and verdicts, gives labels and intervals; writes to the ledger and touches no file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from deeplens_kit.errors import NamedInBodyError, SettingsError
from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline import (
    draw_sample,
    evaluate,
    label_progress,
    list_labels,
    next_pair,
    rule_named,
    withdraw_label,
)
from deeplens_kit.pipeline.labelling import LabelProgress, record_label
from deeplens_kit.schemas import Verdict
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.ids import ID_PATTERN
from deeplens_kit.service.api.lookups import digest_of
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.judgements import (
    EvaluationAnswer,
    LabelAnswer,
    LabelProgressAnswer,
    LabelRequest,
    LabelResult,
    PairAnswer,
    SampleRequest,
    Share,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.limits import costly
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/labels", tags=["labels"])

PairEnd = Annotated[str, Query(pattern=ID_PATTERN, description="An image_id or a picture_id.")]


@router.get(
    "",
    summary="List labels",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_all(
    held: Held,
    verdict: Annotated[list[Literal["same", "different", "unsure"]], Query(max_length=3)] = [],  # noqa: B006
    withdrawn: bool = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LabelAnswer]:
    """List labels, the latest first."""
    frame = list_labels(held.workspace, verdict or None, withdrawn=withdrawn)
    return page_of(frame.rows(named=True), limit, cursor, ("labels", tuple(verdict), withdrawn), _label)


@router.post(
    "",
    summary="Label a pair",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def label(asked: LabelRequest, held: Held, once: Idempotent) -> LabelResult:
    """Say of two pictures whether they are the same; saying it again changes it. Nothing is removed by it."""
    return once(lambda: _labelled(held, asked))


def _labelled(held: Service, asked: LabelRequest) -> LabelResult:
    with named_in_body():
        pair = _pair(held, asked.first, asked.second)
    counts, sample_id = record_label(held.workspace, pair, Verdict(asked.verdict), asked.note)
    return LabelResult(
        picture_a=pair[0],
        picture_b=pair[1],
        verdict=asked.verdict,
        changed=counts.added + counts.changed > 0,
        sample_id=sample_id,
    )


@router.delete(
    "",
    summary="Withdraw a label",
    status_code=204,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    response_class=Response,
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def withdraw(first: PairEnd, second: PairEnd, held: Held) -> Response:
    """Take back what you said of a pair; it stays on record as withdrawn."""
    withdraw_label(held.workspace, *(digest_of(held.workspace, end) for end in (first, second)))
    return Response(status_code=204)


@router.get(
    "/next",
    summary="Show the next pair to label",
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses={204: {"description": "No pair waits."}, **PROBLEMS(401, 403, 422, 429, 503)},
    response_model=PairAnswer,
)
def next_to_label(held: Held) -> Any:
    """Show the next pair of the latest sample that waits for a label."""
    found = next_pair(held.workspace)
    if found is None:
        return Response(status_code=204)
    return PairAnswer(
        picture_a=found.digest_a,
        picture_b=found.digest_b,
        place_a=f"{found.location_a}:{found.path_a}",
        place_b=f"{found.location_b}:{found.path_b}",
        likelihood=found.likelihood,
        sample_id=found.sample_id,
        left=found.left,
    )


@router.get(
    "/samples",
    summary="Show how far labelling is",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_samples(held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[LabelProgressAnswer]:
    """List the samples that were drawn, the latest first, with how many pairs of each are labelled."""
    return page_of(label_progress(held.workspace), limit, cursor, "samples", _progress)


@router.post(
    "/samples",
    summary="Draw a sample of pairs",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def draw(asked: SampleRequest, held: Held, once: Idempotent) -> LabelProgressAnswer:
    """Draw pairs to be labelled, by chance for estimates, or near a threshold."""
    return once(lambda: _drawn(held, asked), lambda made: _sample(held, made.name))


@router.get(
    "/evaluation",
    summary="Show what the labels prove",
    dependencies=[needs(Scope.IMAGES_READ), costly()],
    responses=PROBLEMS(401, 403, 409, 422, 429, 503),
)
def evaluation(
    held: Held,
    rule: Annotated[str | None, Query(max_length=200, description="Of a rule; the one in use by default.")] = None,
    confidence: Annotated[float, Query(gt=0.5, lt=1)] = 0.95,
) -> EvaluationAnswer:
    """Show precision and recall of a rule's proposals with their intervals, by the labels."""
    with named_in_body():
        judged = rule_named(held.workspace, rule) if rule is not None else None
    came = evaluate(held.workspace, judged, confidence=confidence)
    return EvaluationAnswer(
        rule=f"{came.rule.name}@{came.rule.version}",
        precision=_share(came.precision),
        recall=_share(came.recall),
        drawn=came.labels.drawn,
        labelled=came.labels.labelled,
        by_tier=came.by_tier.to_dicts(),
        notes=[came.uncalibrated] if came.uncalibrated else [],
    )


def _drawn(held: Service, asked: SampleRequest) -> LabelProgressAnswer:
    drawn = draw_sample(held.workspace, asked.budget, near_threshold=asked.near_threshold, strictest=asked.strictest)
    return _sample(held, drawn.sample.sample_id)


def _sample(held: Service, sample_id: str) -> LabelProgressAnswer:
    found = [item for item in label_progress(held.workspace) if item.sample.sample_id == sample_id]
    return _progress(found[0])


def _pair(held: Service, first: str, second: str) -> tuple[str, str]:
    ends = [digest_of(held.workspace, end) for end in (first, second)]
    if ends[0] == ends[1]:
        raise SettingsError("Both are byte for byte the same, which is known without a label; name two pictures.")
    known = set(held.workspace.catalog.pictures(ends, columns=["digest"])["digest"])
    for end in ends:
        if end not in known:
            raise NamedInBodyError(f"There is no picture {end[:12]}… here; take its id from an answer of this API.")
    return min(ends), max(ends)


def _label(row: dict[str, Any]) -> LabelAnswer:
    return LabelAnswer(
        picture_a=row["digest_a"],
        picture_b=row["digest_b"],
        **{name: row[name] for name in ("verdict", "who", "labelled_at", "sample_id", "note", "place_a", "place_b")},
        withdrawn_at=row.get("withdrawn_at"),
        withdrawn_by=row.get("withdrawn_by"),
    )


def _progress(item: LabelProgress) -> LabelProgressAnswer:
    sample = item.sample
    return LabelProgressAnswer(
        sample_id=sample.sample_id,
        kind=sample.kind,
        created_at=sample.created_at,
        who=sample.who,
        pairs=sample.items,
        labelled=item.labelled,
        unsure=item.unsure,
        disputed=item.disputed,
        gone=item.gone,
        left=item.left,
    )


def _share(interval: Any) -> Share:
    return Share(share=interval.estimate, low=interval.low, high=interval.high)
