"""What the API says of the whole workspace: figures, models, collections."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Id, Name, Text

__all__ = [
    "CollectionAnswer",
    "CollectionChange",
    "CollectionMembers",
    "CollectionRequest",
    "DuplicateFigures",
    "FormatFigures",
    "LocationFigures",
    "ModelAnswer",
    "OutcomeFigures",
    "OverviewAnswer",
]


class LocationFigures(Answer):
    """What lies at a location."""

    storage_location: str
    images: int
    indexed: int
    total_bytes: int
    last_run_at: datetime | None
    last_run_status: str | None


class FormatFigures(Answer):
    """How many pictures are in a format, at a location."""

    storage_location: str
    format: str
    pictures: int


class OutcomeFigures(Answer):
    """What became of images."""

    status: str
    images: int
    total_bytes: int


class DuplicateFigures(Answer):
    """What copies come to, by the rule and the keep policy in use."""

    groups: int
    removable_images: int
    gross_bytes: int
    reclaimable_bytes: int


class OverviewAnswer(Answer):
    """The workspace in figures."""

    total_images: int = Field(description="Stored files that were found, pictures or not.")
    indexed_images: int
    total_pictures: int = Field(description="Different contents that can be searched.")
    total_bytes: int
    coverage: str = Field(description="The analysed share of the files, in words.")
    storage_locations: list[LocationFigures]
    outcomes: list[OutcomeFigures]
    formats: list[FormatFigures]
    duplicates: DuplicateFigures
    jobs: dict[str, int] = Field(description="How many jobs stand how.")
    notes: list[str]


class ModelAnswer(Answer):
    """A model, or what computes a vector by rule."""

    name: str
    purposes: list[str]
    kind: str
    installed: bool
    enabled: bool = Field(description="Whether indexing computes it.")
    reason: str = Field(description="What is missing; empty where nothing is.")
    dimensions: int | None
    size_bytes: int | None
    licence: str
    source: str
    custom: bool


class CollectionAnswer(Answer):
    """A collection."""

    collection_id: str = Field(description="Its name.")
    description: str
    created_at: datetime
    pictures: int


class CollectionRequest(Body):
    """A collection that is to be made."""

    collection_id: Name
    description: Text = ""


class CollectionMembers(Body):
    """Images that are put into a collection, or taken out of it."""

    image_ids: list[Id] = Field(min_length=1, max_length=1000)
    action: Literal["add", "remove"] = "add"


class CollectionChange(Answer):
    """What came of putting images into a collection, or taking them out."""

    collection_id: str
    changed: int
    unchanged: int = Field(description="They were in it, or were not.")
