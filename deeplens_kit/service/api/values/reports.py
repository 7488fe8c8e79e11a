"""Reports that can be made, and those that were, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body

__all__ = ["ReportAnswer", "ReportParameter", "ReportRequest", "ReportRunAnswer"]


class ReportParameter(Answer):
    """A parameter of a report."""

    name: str
    kind: str
    default: Any
    meaning: str


class ReportAnswer(Answer):
    """A report that can be made."""

    name: str
    tells: str
    parameters: list[ReportParameter]


class ReportRequest(Body):
    """How a report is to be made."""

    parameters: dict[str, str | int | float | bool | list[str]] = Field(default={}, max_length=50)
    pdf: bool = False
    mail: bool = False


class ReportRunAnswer(Answer):
    """One run of a report."""

    run_id: str
    report: str
    schedule: str | None
    parameters: dict[str, str]
    status: str = Field(description="running, finished, failed or interrupted.")
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    attempt: int
    figures: dict[str, Any]
    message: str
    author: str
    page_url: str | None = Field(description="Where its page is fetched, if this server keeps it.")
    files: list[str] = Field(description="Names of the files beside the page.")
