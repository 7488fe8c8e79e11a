"""What acting speaks of: one step with its files, how it is to be done, and what became of it.

Takes rows of PLAN_STEPS, gives frozen values; must not touch a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from deeplens_kit.schemas import PLAN_STEPS, ActionKind

__all__ = ["ActStep", "ApplyOptions", "Doubt", "FileAt", "Outcome", "SkipCode", "StepResult", "steps_of"]


class Outcome(StrEnum):
    """What became of a step. `POSSIBLE`: a dry run found nothing against it."""

    DONE = "done"
    POSSIBLE = "possible"
    SKIPPED = "skipped"
    FAILED = "failed"


class SkipCode(StrEnum):
    """Why a step is skipped; stable, as journals keep them."""

    NO_LOCATION = "no_location"
    NOT_OPENED = "not_opened"
    PROTECTED = "protected"
    TIER = "tier_not_permitted"
    NO_KEEPER = "no_keeper"
    KEEPER_ACTED_ON = "keeper_acted_on"
    SAME_FILE = "same_file"
    VICTIM_GONE = "victim_gone"
    VICTIM_CHANGED = "victim_changed"
    VICTIM_OTHER = "victim_other_content"
    KEEPER_GONE = "keeper_gone"
    KEEPER_CHANGED = "keeper_changed"
    KEEPER_OTHER = "keeper_other_content"
    KEEPER_LESS_READABLE = "keeper_less_readable"
    UNREADABLE = "unreadable"
    TAKEN = "name_taken"
    CANNOT = "storage_cannot"
    TOO_LARGE = "too_large"
    NO_CONTENT = "no_content"
    TOGETHER = "together"


class Doubt(Exception):
    """Something speaks against a step: it is skipped.

    Args:
        code: Why, stable.
        message: Why, in a sentence.
    """

    def __init__(self, code: SkipCode, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file by where it is.

    Attributes:
        location_id: The location.
        path: Encoded, relative to it.
    """

    location_id: str
    path: str


@dataclass(frozen=True, slots=True)
class ActStep:
    """One row of PLAN_STEPS, as far as acting needs it; the attributes are its columns.

    Attributes:
        step: Number.
        action: What is done.
        victim: The file that is acted on.
        victim_digest: SHA-256 of it; None where nobody knows.
        victim_basis: How that is known.
        victim_token: Its change token when the plan was made.
        victim_size_bytes: Bytes.
        victim_link_id: As link_id in objects.
        keeper: The file that stays; None where the step needs none.
        keeper_digest: Of it.
        keeper_basis: Of it.
        keeper_token: Of it.
        keeper_link_id: Of it.
        tier: How strong the evidence is; None where none is needed.
        frees_bytes: What emptying the quarantine of it frees.
        target: Where a moved or new file goes; None for other actions.
        storage_class: The class that it gets; None for other actions.
        group_id: Of the group; None where no group asks for it.
        together: Steps of one name are done all or none; None for one that stands alone.
    """

    step: int
    action: ActionKind
    victim: FileAt
    victim_digest: str | None
    victim_basis: str | None
    victim_token: str
    victim_size_bytes: int
    victim_link_id: str | None = None
    keeper: FileAt | None = None
    keeper_digest: str | None = None
    keeper_basis: str | None = None
    keeper_token: str | None = None
    keeper_link_id: str | None = None
    tier: str | None = None
    frees_bytes: int = 0
    target: FileAt | None = None
    storage_class: str | None = None
    group_id: str | None = None
    together: str | None = None


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How steps are done.

    Attributes:
        tiers: Tiers of evidence that may be acted on; `scene` never is.
        proof: "token": an unchanged strong token proves the digest that was read under it; "read": all is read; "none":
            nothing is read or proved, for a rehearsal alone.
        quarantine_days: Until a file in quarantine expires; 0: never by itself.
        stop_after_failures: Steps that fail before all stops; 0 for no bound.
        stop_at_skip_share: Share of steps skipped, of those tried, at which all stops; inclusive.
        steps_per_second: Of each location; 0 for no limit.
    """

    tiers: tuple[str, ...] = ("bytes", "pixels", "copy")
    proof: str = "token"
    quarantine_days: int = 30
    stop_after_failures: int = 10
    stop_at_skip_share: float = 0.2
    steps_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step.

    Attributes:
        step: Number.
        outcome: How it ended.
        code: Why it was skipped or failed; empty otherwise.
        message: The same in a sentence.
        frees_bytes: What emptying the quarantine frees, where it was done or could be.
        read_bytes: Bytes that were read to prove digests.
    """

    step: int
    outcome: Outcome
    code: str = ""
    message: str = ""
    frees_bytes: int = 0
    read_bytes: int = 0


def steps_of(frame: pl.DataFrame) -> list[ActStep]:
    """Rows of PLAN_STEPS as values, in the order of acting.

    Raises:
        TypeError: The frame does not fit the schema.
    """
    return [_step_of(row) for row in PLAN_STEPS.check(frame).sort("step").iter_rows(named=True)]


def _step_of(row: dict[str, object]) -> ActStep:
    action = ActionKind(str(row["action"]))
    same = {
        name: row[name]
        for name in ("victim_digest", "victim_basis", "victim_token", "victim_size_bytes", "victim_link_id")
    }
    same |= {name: row[name] for name in ("keeper_digest", "keeper_basis", "keeper_token", "keeper_link_id")}
    same |= {name: row[name] for name in ("tier", "frees_bytes", "group_id", "together")}
    classed = action is ActionKind.STORAGE_CLASS
    return ActStep(
        step=int(str(row["step"])),
        action=action,
        victim=FileAt(str(row["victim_location_id"]), str(row["victim_path"])),
        keeper=_file_at(row["keeper_location_id"], row["keeper_path"]),
        target=None if classed else _file_at(row["target_location_id"], row["target"]),
        storage_class=str(row["target"]) if classed and row["target"] is not None else None,
        **same,  # type: ignore[arg-type]
    )


def _file_at(location_id: object, path: object) -> FileAt | None:
    return None if location_id is None or path is None else FileAt(str(location_id), str(path))
