"""What plans, their applications and what is said of them are, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer, Body, Name, Text

__all__ = [
    "ApplicationAnswer",
    "PlanAnswer",
    "PlanApprovalAnswer",
    "PlanApproveRequest",
    "PlanChange",
    "PlanRefuseRequest",
    "PlanRequest",
    "PlanStep",
    "PlanTrimRequest",
]


class PlanRequest(Body):
    """What is wanted of a plan."""

    tiers: list[Literal["bytes", "pixels", "copy"]] | None = Field(
        default=None, max_length=3, description="Evidence that is strong enough; bytes and pixels where it is left out."
    )
    action: Literal["remove", "hardlink", "symlink", "reflink", "redirect", "move", "storage_class"] = "remove"
    rule: Name | None = Field(default=None, description="Name of a rule; the one in use where it is left out.")
    policy: Name | None = Field(default=None, description="Name of a keep policy; the one in use where it is left out.")
    storage_locations: list[Name] = Field(default=[], max_length=100, description="Files elsewhere are passed over.")
    limit: int | None = Field(default=None, ge=1, le=10_000_000, description="Steps at most.")
    move_to: str = Field(default="", max_length=2000, description="With move: LOCATION or LOCATION/folder.")
    storage_class: str = Field(default="", max_length=100, description="With the action of that name.")
    merge_metadata: bool = False


class PlanApprovalAnswer(Answer):
    """A person's yes or no."""

    approved: bool
    who: str
    at: datetime
    note: str
    is_current: bool = Field(description="Whether it was said of the steps that the plan has.")


class PlanAnswer(Answer):
    """A plan without its steps."""

    plan_id: str
    kind: str
    status: str = Field(description="draft, approved, refused, applying, applied, undone or superseded.")
    author: str
    created_at: datetime
    steps: int
    steps_digest: str = Field(description="What an approval is of.")
    totals: dict[str, Any]
    left_out: list[dict[str, Any]] = Field(description="Copies that are no step, by location and reason.")
    notes: list[str]
    approvals: list[PlanApprovalAnswer]
    replaces: str | None
    replaced_by: str | None


class PlanStep(Answer):
    """One step of a plan."""

    step: int
    action: str
    group_id: str | None
    image_id: str
    picture_id: str | None
    storage_location: str
    file_path: str
    file_size: int
    keeper_image_id: str | None
    keeper_storage_location: str | None
    keeper_file_path: str | None
    tier: str | None
    relation: str | None
    score: float | None
    reason: str
    loses: str | None
    frees_bytes: int
    money_per_month: str | None = Field(description="An exact decimal.")
    target: str | None


class PlanChange(Answer):
    """What tells two plans apart, at one file."""

    change: str = Field(description="added, gone or changed.")
    image_id: str
    storage_location: str
    file_path: str
    what: str
    step_before: int | None
    step_after: int | None
    action_before: str | None
    action_after: str | None
    tier_before: str | None
    tier_after: str | None
    keeper_before: str | None = Field(description="LOCATION:path.")
    keeper_after: str | None
    frees_bytes_before: int | None
    frees_bytes_after: int | None


class PlanApproveRequest(Body):
    """A yes."""

    note: Text = ""
    steps_digest: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Of the steps that were looked at: refused where it has others.",
    )


class PlanRefuseRequest(Body):
    """A no."""

    why: Text = ""


class PlanTrimRequest(Body):
    """What is taken out of a plan."""

    drop: list[int] = Field(default=[], max_length=100_000, description="Numbers of steps.")
    drop_groups: list[Name] = Field(default=[], max_length=10_000)
    only_locations: list[Name] = Field(default=[], max_length=100)


class ApplicationAnswer(Answer):
    """One applying of a plan."""

    application_id: str
    plan_id: str
    status: str = Field(description="running, paused, halted, finished, undoing or undone.")
    who: str
    started_at: datetime
    finished_at: datetime | None
    figures: dict[str, Any]
    message: str
