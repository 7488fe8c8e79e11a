"""What all bodies and answers of the API share: strictness, pages, and the job that a request began.

Takes JSON, gives frozen values; must not look anything up. An unknown field of a body is refused with the nearest that
there is: a misspelt threshold must not search without one.
"""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

__all__ = ["Answer", "Body", "Id", "JobStarted", "Name", "Page", "Text"]

_Item = TypeVar("_Item")

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{4,2000}$", examples=["MWYzYTliL2NhdC5qcGc"])]
"""An image_id or a picture_id."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""Of a location, collection, rule ..."""

Text = Annotated[str, Field(max_length=10_000)]
"""Free text of people."""


class Answer(BaseModel):
    """What the API gives."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Body(BaseModel):
    """What the API takes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, given: Any) -> Any:
        """Refuse an unknown field by its name, with the nearest that there is."""
        if not isinstance(given, dict):
            return given
        known = list(cls.model_fields)
        for name in given:
            if name in known:
                continue
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
            raise PydanticCustomError(
                "unknown_field", "There is no field named {name}; {hint}", {"name": repr(str(name)[:80]), "hint": hint}
            )
        return given


class Page(Answer, Generic[_Item]):
    """One page of a list.

    Attributes:
        items: In order.
        next_cursor: For the next page; null on the last.
        total: How many there are in all, where that is known.
    """

    items: list[_Item]
    next_cursor: str | None = None
    total: int | None = None


class JobStarted(Answer):
    """A job that was put into the queue.

    Attributes:
        job_id: Ask for it under /api/v1/jobs/{job_id}.
        kind: What it does.
        status: How it stands: "queued" as a rule.
        created_at: UTC.
        status_url: Where it is asked for.
    """

    job_id: str
    kind: str
    status: str
    created_at: datetime
    status_url: str
