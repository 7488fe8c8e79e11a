"""Locations, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Name

__all__ = [
    "KindAnswer",
    "OptionAnswer",
    "StorageAnswer",
    "StorageChange",
    "StorageRequest",
    "StorageTest",
]

_OPTIONS = "Of its kind: see /api/v1/storage/kinds. A secret is a reference, as ${keyring:SERVICE/USER}, never itself."


class StorageRequest(Body):
    """A location that is to be added."""

    name: Name = Field(examples=["photos"])
    url: str = Field(min_length=1, max_length=2000, description="A folder of the server, or a URL.")
    options: dict[str, Any] = Field(default={}, max_length=100, description=_OPTIONS)
    active: bool = Field(default=True, description="Whether scans of all locations take it in.")
    unreachable: bool = Field(default=False, description="Add it though it cannot be reached now.")


class StorageChange(Body):
    """All that can be said of a location; what is left out has its default again."""

    name: Name | None = Field(default=None, description="Another name; it stays where this is left out.")
    url: str | None = Field(default=None, max_length=2000, description="Its address, which does not change.")
    options: dict[str, Any] = Field(default={}, max_length=100, description=_OPTIONS)
    active: bool = True


class StorageAnswer(Answer):
    """A location."""

    name: str
    location_id: str
    kind: str
    url: str
    options: dict[str, Any]
    permissions: str = Field(description="What it is opened for: read, create or change.")
    active: bool
    created_at: datetime


class StorageTest(Answer):
    """What a location says when it is asked."""

    name: str
    state: str = Field(description="ok, or the code of what is wrong.")
    message: str
    may_read: bool | None
    may_write: bool | None
    clock_skew_seconds: float | None
    capacity_bytes: int | None
    free_bytes: int | None
    remarks: str


class OptionAnswer(Answer):
    """An option of a kind."""

    name: str
    takes: str
    default: str
    meaning: str
    secret: bool


class KindAnswer(Answer):
    """A kind of location."""

    kind: str
    title: str
    url: str
    options: list[OptionAnswer]
