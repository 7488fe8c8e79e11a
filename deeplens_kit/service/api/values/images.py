"""What the API says of images and pictures, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Name, Text
from deeplens_kit.service.api.values.search import PictureMetadata, Place

__all__ = ["Feature", "ImageAnswer", "ImageFailure", "ImageFeatures", "ImageItem", "ImageNoteChange", "ImageNotes"]


class ImageNotes(Answer):
    """What people say of an image."""

    collection_id: str | None = Field(default=None, description="Name of its collection.")
    tags: list[str] = Field(default=[])
    description: str = ""
    category: str = ""
    source: str = ""


class ImageFailure(Answer):
    """Why an image could not be analysed."""

    code: str
    message: str
    failed_at: datetime | None = None


class ImageAnswer(Answer):
    """An image: one stored file, and the picture that it holds."""

    image_id: str
    picture_id: str | None = Field(description="SHA-256 of its content; null where it was never read.")
    storage_location: str
    file_path: str
    status: str = Field(description="What became of it: indexed, unsupported, unreadable ...")
    file_size: int
    modified_at: datetime | None
    storage_class: str | None
    locations: list[Place] = Field(description="Every place where the same content is stored, this one among them.")
    metadata: PictureMetadata | None
    notes: ImageNotes
    thumbnail_url: str | None
    group_ids: list[str] = Field(description="Groups of copies that hold it: /api/v1/search/duplicates tells them.")
    failure: ImageFailure | None = None


class ImageItem(Answer):
    """A picture in a list, with its places."""

    image_id: str
    picture_id: str
    storage_location: str
    file_path: str
    locations: list[Place]
    metadata: PictureMetadata
    thumbnail_url: str


class ImageNoteChange(Body):
    """What is to be said of an image; what is left out stays, an empty text takes it back."""

    collection_id: str | None = Field(default=None, max_length=200, description="Made where there is none of the name.")
    add_tags: list[Name] = Field(default=[], max_length=100)
    remove_tags: list[Name] = Field(default=[], max_length=100)
    description: Text | None = None
    category: Text | None = None
    source: Text | None = None


class Feature(Answer):
    """Numbers that were computed from a picture."""

    name: str
    key: str = Field(description="Name, version and weights: equal keys can be compared.")
    kind: Literal["hash", "vector", "regions", "measure"]
    size: int = Field(description="Bits of a hash, dimensions of a vector, count of measures.")
    metric: str
    hash: str | None = Field(default=None, description="Of a hash, hexadecimal.")
    values: dict[str, float | bool | None] | None = Field(default=None, description="Of measures, by name.")
    vector: list[float] | None = Field(default=None, description="Of a vector, where it was asked for.")


class ImageFeatures(Answer):
    """The features of a picture."""

    picture_id: str
    image_id: str
    features: list[Feature]
