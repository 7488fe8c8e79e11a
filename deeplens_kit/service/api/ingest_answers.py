"""How a job that takes pictures in stands, as a value of the API.

Takes a job with its rows, gives what goes out as JSON; must not ask the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.ledger import Job
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.job_answers import figures_of, timing_of
from deeplens_kit.service.api.values.ingest import IngestedImage, IngestError, IngestResults, IngestStatus

__all__ = ["ingest_status"]

_BAD = ("refused", "failed")


def ingest_status(job: Job) -> IngestStatus:
    """How a job stands, and what came of each image so far."""
    items = job.parameters.get("items", ())
    rows = {int(row["item"]): row for row in job.result.get("rows", ())}
    images = [_image(item, rows.get(number)) for number, item in enumerate(items)]
    return IngestStatus(
        job_id=job.job_id,
        status=str(job.state),
        progress=figures_of(job, total=len(items)),
        timing=timing_of(job),
        results=IngestResults(
            successful_uploads=sum(image.status == "stored" for image in images),
            duplicates_found=sum(image.status == "known" or bool(image.copies) for image in images),
            errors=[_error(item, rows[number]) for number, item in enumerate(items) if _is_bad(rows.get(number))],
            images=images,
        ),
        error=job.error or None,
    )


def _is_bad(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["state"] in _BAD


def _image(item: Mapping[str, Any], row: Mapping[str, Any] | None) -> IngestedImage:
    expected = str(item.get("image_id", "")) or None
    if row is None:
        return IngestedImage(filename=_name(item), status="queued", image_id=expected)
    matches = [image_id_of(match["image_id"]) for match in row["matches"]]
    stored = image_id_of(row["image_id"]) if row["image_id"] else None
    known = matches[0] if row["state"] == "known" and matches else None
    return IngestedImage(
        filename=_name(item),
        status=row["state"],
        image_id=stored or known or (expected if _is_bad(row) else None),
        picture_id=row["digest"],
        storage_path=row["path"],
        indexed=row["indexed"],
        copies=[name for name in matches if name != (stored or known)],
    )


def _error(item: Mapping[str, Any], row: Mapping[str, Any]) -> IngestError:
    return IngestError(
        image_id=str(item.get("image_id", "")) or None,
        filename=_name(item),
        error=row["code"],
        details=row["message"],
    )


def _name(item: Mapping[str, Any]) -> str:
    """What the sender called it: behind the folder of its entry in the spool; of a link its last part."""
    text = str(item.get("file") or item.get("url") or "")
    return text.partition("?")[0].rpartition("/")[2] or "picture"
