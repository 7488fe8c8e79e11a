"""What is taken in and what comes of it, as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Id, Name, Text
from deeplens_kit.service.api.values.jobs import JobTiming, ProgressFigures

__all__ = [
    "BatchAnswer",
    "BatchImage",
    "BatchImageAnswer",
    "BatchOptions",
    "BatchRequest",
    "ExtractRequest",
    "ForgottenAnswer",
    "ImageMetadata",
    "IngestError",
    "IngestResults",
    "IngestStatus",
    "IngestedImage",
    "ScanRequest",
    "UploadAnswer",
    "UploadOptions",
    "UploadRequest",
    "UrlMetadata",
    "UrlOptions",
    "UrlRequest",
]


class ImageMetadata(Body):
    """What is said of an image."""

    tags: list[Name] = Field(default=[], max_length=100)
    description: Text = ""
    category: Text = ""


class UrlMetadata(ImageMetadata):
    """What is said of an image that comes by a link."""

    source: Text = Field(default="", description="Where it comes from, in words.")
    original_url: str = Field(default="", max_length=8192, description="The page or link that it comes from.")


class UploadOptions(Body):
    """What is done with an upload."""

    generate_thumbnails: bool = True
    extract_features: bool = Field(
        default=True, description="False: it is stored, and the next scan computes its features."
    )
    duplicate_check: bool = Field(default=True, description="Whether what is stored already is left out.")


class BatchOptions(UploadOptions):
    """What is done with a batch."""

    parallel_processing: bool = Field(
        default=True, description="Whether several images are worked on at the same time."
    )
    batch_size: int = Field(default=32, ge=1, le=1000, description="Images that are put into the index together.")


class UrlOptions(UploadOptions):
    """What is done with a link."""

    validate_url: bool = Field(
        default=True, description="Fetch it at once, and refuse what is no picture; else the job does, and says so."
    )
    timeout_ms: int = Field(default=30_000, ge=100, le=600_000, description="How long the link may take.")


class UploadRequest(Body):
    """One image, as the part `file` of a form or as base64."""

    collection_id: Name | None = Field(
        default=None, description="Name of a collection; made where there is none of the name."
    )
    storage_location: Name | None = Field(
        default=None, description="Where it goes; may be left out where one location takes new files."
    )
    metadata: ImageMetadata = ImageMetadata()
    processing_options: UploadOptions = UploadOptions()
    image_base64: str | None = Field(default=None, description="The bytes of the file, where no form is sent.")
    filename: str = Field(default="", max_length=255, description="What to call it, where no form is sent.")


class BatchImage(Body):
    """One image of a batch."""

    filename: str = Field(min_length=1, max_length=255, description="Of the part `files` that it is.")
    metadata: ImageMetadata = ImageMetadata()
    content_type: str | None = Field(
        default=None, max_length=100, pattern=r"^[\w.+-]+/[\w.+-]+$", examples=["image/jpeg"]
    )
    image_base64: str | None = Field(default=None, description="The bytes of the file, where no form is sent.")


class BatchRequest(Body):
    """Several images, as parts `files` of a form, or as base64."""

    images: list[BatchImage] = Field(
        default=[], max_length=1000, description="In a form it may be left out: all files then."
    )
    collection_id: Name | None = None
    storage_location: Name | None = None
    processing_options: BatchOptions = BatchOptions()


class UrlRequest(Body):
    """One image by a link."""

    image_url: str = Field(min_length=1, max_length=8192, examples=["https://example.org/cat.jpg"])
    collection_id: Name | None = None
    storage_location: Name | None = None
    metadata: UrlMetadata = UrlMetadata()
    processing_options: UrlOptions = UrlOptions()


class UploadAnswer(Answer):
    """What becomes of an upload."""

    image_id: str | None = Field(description="Which it will have; null for a link that the job fetches.")
    picture_id: str | None
    status: str = Field(description="queued, or duplicate: the same bytes are stored already, as image_id.")
    job_id: str
    storage_location: str
    storage_path: str | None = Field(description="Where it will be, within the location.")
    estimated_processing_time_ms: int
    created_at: datetime


class BatchImageAnswer(Answer):
    """What becomes of an image of a batch."""

    filename: str
    image_id: str | None
    picture_id: str | None
    status: str = Field(description="queued, duplicate or refused.")
    storage_path: str | None
    error: str | None = None


class BatchAnswer(Answer):
    """What becomes of a batch."""

    batch_id: str = Field(description="The same as job_id.")
    job_id: str
    total_images: int
    estimated_completion: datetime
    status: str
    storage_location: str
    images: list[BatchImageAnswer]


class IngestError(Answer):
    """An image that was not taken in."""

    image_id: str | None = Field(description="Null where nobody knows its bytes.")
    filename: str
    error: str = Field(description="Its code.")
    details: str


class IngestedImage(Answer):
    """What became of an image."""

    filename: str
    status: str = Field(description="queued, stored, known, refused or failed.")
    image_id: str | None
    picture_id: str | None = None
    storage_path: str | None = None
    indexed: bool = False
    copies: list[Id] = Field(default=[], description="Images that hold the same picture, or a copy of it.")


class IngestResults(Answer):
    """What came of a job."""

    successful_uploads: int
    duplicates_found: int
    errors: list[IngestError]
    images: list[IngestedImage]


class IngestStatus(Answer):
    """How taking in stands."""

    job_id: str
    status: str = Field(description="queued, running, done, failed, cancelled or dead.")
    progress: ProgressFigures
    timing: JobTiming
    results: IngestResults
    error: str | None = Field(default=None, description="Why the job as a whole went wrong.")


class ForgottenAnswer(Answer):
    """What became of an image that is not to be known any more."""

    image_id: str
    status: str = Field(description="forgotten, or planned: a plan to move it to quarantine waits for approval.")
    plan_id: str | None = None
    remaining_locations: int = Field(description="Other places where the same content is stored and stays known.")


class ScanRequest(Body):
    """What is to be scanned."""

    storage_locations: list[Name] = Field(
        default=[], max_length=100, description="Names; empty for all that are active."
    )
    retry_failed: bool = Field(default=False, description="Read files again that failed, though they did not change.")
    accept_gone: bool = Field(
        default=False, description="Take a location at its word that lists nothing of what it held."
    )
    find_duplicates: bool = Field(default=True, description="Look for copies afterwards.")
    include_forgotten: bool = Field(
        default=False, description="Take up again what was forgotten by DELETE /ingest/{image_id}."
    )


class ExtractRequest(Body):
    """Which pictures get the features that they lack."""

    storage_locations: list[Name] = Field(
        default=[], max_length=100, description="Names; empty for all that are active."
    )
    image_ids: list[Id] = Field(default=[], max_length=10_000, description="These pictures alone.")
