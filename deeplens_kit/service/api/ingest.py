"""Pictures taken in: uploaded, in batches, or by a link; how that stands; and images that are forgotten.

Takes pictures and what is said of them, gives jobs; must not store at a location by itself, nor move or remove a file.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile

from deeplens_kit.errors import DeepLensError, LinkRefusedError, QueryError, RequestError, UnknownNameError
from deeplens_kit.ledger import Location, NoteChange, Scope
from deeplens_kit.ledger.asking import tell_request
from deeplens_kit.pipeline.dropping import drop_object
from deeplens_kit.pipeline.selection_acts import plan_of_object
from deeplens_kit.search.link import LinkLimits, fetch, shown_link
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import MOST_FILES, body_schema, named_in_body, read_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.ingest_answers import ingest_status
from deeplens_kit.service.api.jobs import JobId
from deeplens_kit.service.api.listing import ImageId
from deeplens_kit.service.api.lookups import found_image
from deeplens_kit.service.api.taking_in import Arrival, Arrived, TakingIn, estimated_ms, location_for
from deeplens_kit.service.api.values.ingest import (
    BatchAnswer,
    BatchImage,
    BatchImageAnswer,
    BatchRequest,
    ForgottenAnswer,
    ImageMetadata,
    IngestStatus,
    UploadAnswer,
    UploadOptions,
    UploadRequest,
    UrlMetadata,
    UrlRequest,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.limits import arriving, costly, turnstile_of
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])

_SCHEMES = ("http://", "https://")
_TAKEN = PROBLEMS(400, 401, 403, 409, 413, 415, 422, 424, 429, 503, 507)


@router.post(
    "/upload",
    summary="Upload an image",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE), arriving()],
    responses=_TAKEN,
    openapi_extra=body_schema(UploadRequest),
)
async def upload(request: Request, held: Held, once: Idempotent) -> UploadAnswer:
    """Take one image in: the part `file` of a form, or base64. A job stores it and puts it into the index."""
    async with read_body(request, UploadRequest) as (asked, files):
        if files and asked.image_base64 is not None:
            raise RequestError("A file and 'image_base64' are given; send the picture in one way.")
        note = _note(asked.metadata, asked.collection_id)
        if files:
            came = Arrival(files[0].file.read, files[0].filename or "picture", note)
        elif asked.image_base64 is not None:
            text = asked.image_base64
            came = Arrival(lambda: _decoded("image_base64", text), asked.filename or "picture", note)
        else:
            raise RequestError("There is no picture; send the part 'file' of a form, or 'image_base64'.")
        place, options = asked.storage_location, asked.processing_options
        async with turnstile_of(request).turn():
            return await asyncio.to_thread(
                once,
                lambda: _uploaded(held, place, came, options),
                lambda made: _upload_answer(held, made.name, made.told),
            )


@router.post(
    "/batch",
    summary="Upload several images",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE), arriving()],
    responses=_TAKEN,
    openapi_extra=body_schema(BatchRequest, file_part="files", several=True),
)
async def batch(request: Request, held: Held, once: Idempotent) -> BatchAnswer:
    """Take several images in: parts `files` of a form with their names in `images`, or base64.

    What is no picture is refused by itself; the others are taken in.
    """
    async with read_body(request, BatchRequest, file_part="files", most_files=MOST_FILES) as (
        asked,
        given,
    ):
        files: dict[str, UploadFile] = {}
        for file in given:
            name = file.filename or ""
            if name in files:
                raise RequestError(f"Two files are called {name!r}; give each a name of its own.")
            files[name] = file
        images = asked.images or [BatchImage(filename=name) for name in files]
        _require_matching(images, files)
        came = [
            Arrival(_reader(image, files), image.filename, _note(image.metadata, asked.collection_id))
            for image in images
        ]
        async with turnstile_of(request).turn():
            return await asyncio.to_thread(
                once, lambda: _batched(held, asked, came), lambda made: _batch_answer(held, made.name, made.told)
            )


@router.post(
    "/url",
    summary="Take in the image of a link",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE), arriving()],
    responses=_TAKEN,
)
def by_link(asked: UrlRequest, held: Held, once: Idempotent) -> UploadAnswer:
    """Take in the image that a public link leads to; fetched at once to be looked at, or by the job."""
    return once(lambda: _linked(held, asked), lambda made: _upload_answer(held, made.name, made.told))


def _linked(held: Service, asked: UrlRequest) -> UploadAnswer:
    link, options = asked.image_url.strip(), asked.processing_options
    if not link.lower().startswith(_SCHEMES):
        raise LinkRefusedError("The link is not followed: it must begin with http:// or https://.")
    note = _note(asked.metadata, asked.collection_id)
    if options.validate_url:
        limits = held.workspace.settings
        most = min(limits.ingest.max_bytes, limits.decode.max_bytes)
        seconds = min(options.timeout_ms / 1000, limits.ingest.url_seconds)
        found = fetch(link, LinkLimits(max_bytes=most, seconds=seconds))
        if note.source is None:
            note = _with_source(note, shown_link(link))
        return _uploaded(held, asked.storage_location, Arrival(lambda: found.data, found.name, note), options)
    with named_in_body():
        location = location_for(held.workspace, asked.storage_location)
        held.workspace.ledger.check_note(note)
        taking = TakingIn(held.workspace, location, again=not options.duplicate_check)
        seconds = max(1, round(options.timeout_ms / 1000))
        told = _told(location, None, estimated_ms(held.workspace, 0))
        job = taking.submit_link(link, _note_document(note), url_seconds=seconds, **_options(options))
    return _upload_answer(held, job.job_id, told)


@router.get(
    "/status/{job_id}",
    summary="Show how taking in stands",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def status(job_id: JobId, held: Held) -> IngestStatus:
    """Show how far a job is, which images it stored, which were there, and what went wrong."""
    job = held.workspace.ledger.job(job_id)
    if job.kind != "ingest":
        raise UnknownNameError(
            "upload", job_id, (), advice=f"it is a job of kind {job.kind!r}: ask /api/v1/jobs/{job_id}."
        )
    return ingest_status(job)


@router.delete(
    "/{image_id}",
    summary="Forget an image",
    dependencies=[needs(Scope.IMAGES_DELETE), costly()],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def forget(
    image_id: ImageId,
    held: Held,
    from_storage: Annotated[
        bool, Query(description="Make a plan that moves the file to quarantine, and do nothing else.")
    ] = False,
    why: Annotated[str, Query(max_length=1000, description="The reason, for the audit trail.")] = "",
) -> ForgottenAnswer:
    """Take an image out of the index: later scans leave it out until a scan is asked to include what was forgotten.

    The file stays where it is. With `from_storage=true` nothing is forgotten: a plan is made, a draft, that would move
    the file to quarantine once somebody approved it and had it applied; the last copy of a picture is never moved.
    """
    found = found_image(held.workspace, image_id)
    location_id, path = found.location.location_id, str(found.row["path"])
    others = _others(held, found.digest, found.row["object_id"])
    if from_storage:
        record = plan_of_object(held.workspace, location_id, path)
        return ForgottenAnswer(image_id=image_id, status="planned", plan_id=record.plan_id, remaining_locations=others)
    drop_object(held.workspace, location_id, path, why)
    return ForgottenAnswer(image_id=image_id, status="forgotten", remaining_locations=others)


def _uploaded(held: Service, place: str | None, came: Arrival, options: UploadOptions) -> UploadAnswer:
    with named_in_body():
        location = location_for(held.workspace, place)
    taking = TakingIn(held.workspace, location, again=not options.duplicate_check)
    arrived = taking.take(came)
    told = _told(location, arrived, estimated_ms(held.workspace, 1))
    try:
        job = taking.submit([_item(arrived)], **_options(options))
    except BaseException:
        taking.forget([arrived])
        raise
    return _upload_answer(held, job.job_id, told)


def _told(location: Location, arrived: Arrived | None, expected_ms: int) -> dict[str, Any]:
    """What an answer says beside its job; noted with it, so that it can be said again."""
    told = {
        "image_id": None if arrived is None else arrived.image_id,
        "picture_id": None if arrived is None else arrived.digest,
        "status": "duplicate" if arrived is not None and arrived.is_known else "queued",
        "storage_location": location.name,
        "storage_path": None if arrived is None else arrived.path,
        "estimated_processing_time_ms": expected_ms,
    }
    tell_request(told)
    return told


def _upload_answer(held: Service, job_id: str, told: Mapping[str, Any]) -> UploadAnswer:
    return UploadAnswer(**told, job_id=job_id, created_at=held.workspace.ledger.job(job_id).created_at)


def _reader(image: BatchImage, files: Mapping[str, UploadFile]) -> Callable[[], bytes]:
    """What gives the bytes of an image of a batch."""
    text = image.image_base64
    if text is None:
        return files[image.filename].file.read
    return lambda: _decoded(f"image_base64 of {image.filename!r}", text)


def _batched(held: Service, asked: BatchRequest, came: Sequence[Arrival]) -> BatchAnswer:
    options = asked.processing_options
    with named_in_body():
        location = location_for(held.workspace, asked.storage_location)
    taking = TakingIn(held.workspace, location, again=not options.duplicate_check)
    arrived: list[Arrived] = []
    try:
        for item in came:
            arrived.append(_taken(taking, item))
        taken = [item for item in arrived if item.refusal is None]
        if not taken:
            raise RequestError(f"None of {len(arrived)} images was taken; the first: {arrived[0].refusal}")
        expected = estimated_ms(held.workspace, len(taken))
        workers = {"workers": 0 if options.parallel_processing else 1, "batch_size": options.batch_size}
        told = _told_of_batch(location, arrived, expected)
        job = taking.submit([_item(item) for item in taken], **_options(options), **workers)
    except BaseException:
        # On a disk that is full what came before the last one would be in the way of all that comes.
        taking.forget(arrived)
        raise
    return _batch_answer(held, job.job_id, told)


def _told_of_batch(location: Location, arrived: Sequence[Arrived], expected_ms: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "total_images": len(arrived),
        "estimated_completion": datetime.now(UTC) + timedelta(milliseconds=expected_ms),
        "storage_location": location.name,
        "images": [_batch_image(item) for item in arrived],
    }
    tell_request(BatchAnswer(**told, batch_id="", job_id="", status="").model_dump(mode="json", include=set(told)))
    return told


def _batch_answer(held: Service, job_id: str, told: Mapping[str, Any]) -> BatchAnswer:
    status = str(held.workspace.ledger.job(job_id).state)
    return BatchAnswer(**told, batch_id=job_id, job_id=job_id, status=status)


def _taken(taking: TakingIn, came: Arrival) -> Arrived:
    """What became of one of several; what is wrong with it is its own."""
    try:
        return taking.take(came)
    except DeepLensError as error:
        if error.code in ("store_full", "workspace"):
            raise
        return Arrived(came.name, refusal=error)


def _batch_image(item: Arrived) -> BatchImageAnswer:
    state = "refused" if item.refusal is not None else "duplicate" if item.is_known else "queued"
    return BatchImageAnswer(
        filename=item.name,
        image_id=item.image_id,
        picture_id=item.digest,
        status=state,
        storage_path=item.path,
        error=None if item.refusal is None else str(item.refusal),
    )


def _item(arrived: Arrived) -> dict[str, Any]:
    return {"file": arrived.entry, "note": _note_document(arrived.note), "image_id": arrived.image_id or ""}


def _options(options: UploadOptions) -> dict[str, Any]:
    return {"thumbnails": options.generate_thumbnails, "features": options.extract_features}


def _note(metadata: ImageMetadata, collection: str | None) -> NoteChange:
    source = ""
    if isinstance(metadata, UrlMetadata):
        source = " ".join(part for part in (metadata.source, _shown(metadata.original_url)) if part)
    return NoteChange(
        collection=collection,
        add_tags=tuple(dict.fromkeys(metadata.tags)),
        description=metadata.description or None,
        category=metadata.category or None,
        source=source or None,
    )


def _shown(link: str) -> str:
    """A link as it may be kept: without what may be a key."""
    return shown_link(link) if link else ""


def _with_source(note: NoteChange, source: str) -> NoteChange:
    return NoteChange(note.collection, note.add_tags, note.remove_tags, note.description, note.category, source)


def _note_document(note: NoteChange) -> dict[str, Any]:
    document: dict[str, Any] = {"tags": list(note.add_tags)}
    for name in ("collection", "description", "category", "source"):
        document[name] = getattr(note, name) or ""
    return document


def _require_matching(images: Sequence[BatchImage], files: Iterable[str]) -> None:
    """Refuse a batch of which files and images do not go together."""
    names = [image.filename for image in images]
    if not names:
        raise RequestError("The batch holds no image; send parts 'files' of a form, or images with 'image_base64'.")
    if len(set(names)) < len(names):
        raise RequestError("Two images of the batch have one filename; give each a name of its own.")
    sent = set(files)
    for image in images:
        if (image.image_base64 is None) == (image.filename not in sent):
            said = "has neither a file nor 'image_base64'" if image.image_base64 is None else "is sent twice"
            raise RequestError(f"The image {image.filename!r} {said}; send each in one way.")
    if left := sorted(sent - set(names)):
        raise RequestError(f"The file {left[0]!r} is not among 'images'; name it there, or leave 'images' out.")


def _decoded(name: str, text: str) -> bytes:
    head, comma, rest = text.partition(",")
    body = rest if comma and head.lower().startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise QueryError(f"{name} is no base64: {error}; encode the bytes of a picture file.") from error


def _others(held: Service, digest: str | None, object_id: str) -> int:
    if digest is None:
        return 0
    known = {item.location_id for item in held.workspace.ledger.locations(inactive=True)}
    rows = held.workspace.catalog.objects_of([digest], ["object_id", "location_id"])
    return sum(name != object_id and location in known for name, location in rows.iter_rows())
