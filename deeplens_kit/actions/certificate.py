"""What was done, as it can be shown to somebody who was not there.

Takes the lines of a journal, the steps of its plan and the files in quarantine, gives two certificates: after applying,
each file with the copy that stays, and after emptying, the bytes that are free against those that were promised. And
where each file's picture is now. Must not look at a storage: it says what was proved when it was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from deeplens_kit.actions.history import RECIPES, StepHistory, history_of
from deeplens_kit.ledger.act_values import JournalEntry, JournalPhase, QuarantinedFile
from deeplens_kit.schemas import ActionKind

__all__ = [
    "CERTIFIED",
    "EMPTIED_FILES",
    "REDIRECTS",
    "certified_files",
    "emptied_files",
    "redirect_map",
    "skipped_steps",
]

CERTIFIED = pl.Schema(
    {
        "step": pl.Int64(),
        "action": pl.String(),
        "location_id": pl.String(),
        "path": pl.String(),
        "size_bytes": pl.Int64(),
        "digest": pl.String(),
        "proved_by": pl.String(),
        "keeper_location_id": pl.String(),
        "keeper_path": pl.String(),
        "keeper_digest": pl.String(),
        "keeper_proved_by": pl.String(),
        "quarantine_path": pl.String(),
        "state": pl.String(),
        "frees_bytes": pl.Int64(),
        "done_at": pl.Datetime("us", "UTC"),
        "expires_at": pl.Datetime("us", "UTC"),
    }
)
"""A row for each step that stands: what it acted on, and the copy that stays."""

EMPTIED_FILES = pl.Schema(
    {
        "step": pl.Int64(),
        "location_id": pl.String(),
        "path": pl.String(),
        "promised_bytes": pl.Int64(),
        "freed_bytes": pl.Int64(),
        "kept_bytes": pl.Int64(),
        "notes": pl.String(),
        "emptied_at": pl.Datetime("us", "UTC"),
    }
)
"""A row for each file that was removed from quarantine for good."""

REDIRECTS = pl.Schema(
    {
        "location_id": pl.String(),
        "path": pl.String(),
        "action": pl.String(),
        "location_id_now": pl.String(),
        "path_now": pl.String(),
        "digest": pl.String(),
        "digest_now": pl.String(),
    }
)
"""Where each picture is now that is not at its old place."""


def certified_files(
    steps: pl.DataFrame, lines: Iterable[JournalEntry], items: Sequence[QuarantinedFile]
) -> pl.DataFrame:
    """CERTIFIED, in the order of the plan.

    Args:
        steps: PLAN_STEPS.
        lines: The journal.
        items: What the application has, or had, in quarantine.
    """
    kept = list(lines)
    at = {(line.step, line.operation): line.at for line in kept if line.phase is JournalPhase.DONE}
    histories, held = history_of(kept), {item.item_id: item for item in items}
    rows = []
    for step in steps.iter_rows(named=True):
        history = histories.get(step["step"])
        if history is None or not _stands(history, ActionKind(step["action"])):
            continue
        rows.append(_certified(step, history, held, at))
    return pl.DataFrame(rows, schema=CERTIFIED, orient="row")


def skipped_steps(steps: pl.DataFrame, lines: Iterable[JournalEntry]) -> pl.DataFrame:
    """Steps that do not stand: step, action, location_id, path, outcome, code, message; "not_tried" where none did.

    Args:
        steps: PLAN_STEPS.
        lines: The journal.
    """
    histories = history_of(lines)
    rows = []
    for step in steps.iter_rows(named=True):
        history = histories.get(step["step"])
        if history is not None and _stands(history, ActionKind(step["action"])):
            continue
        line = None if history is None else history.amiss or history.ended
        outcome, code, message = "not_tried", "", ""
        if line is not None:
            outcome, code, message = (
                ("failed" if history and history.amiss else str(line.phase)),
                line.code,
                line.message,
            )
        elif history is not None:
            outcome = "undone"
        rows.append(
            (step["step"], step["action"], step["victim_location_id"], step["victim_path"], outcome, code, message)
        )
    names = ("step", "action", "location_id", "path", "outcome", "code", "message")
    schema = {name: pl.Int64() if name == "step" else pl.String() for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


def emptied_files(lines: Iterable[JournalEntry]) -> pl.DataFrame:
    """EMPTIED_FILES, in the order in which they were removed.

    Args:
        lines: The journal.
    """
    begun: dict[int, Mapping[str, Any]] = {}
    rows = []
    for line in lines:
        if line.operation != "empty":
            continue
        if line.phase is JournalPhase.BEGUN:
            begun[line.step] = line.facts
        elif line.phase is JournalPhase.DONE:
            facts = {**begun.get(line.step, {}), **line.facts}
            rows.append(
                (
                    line.step,
                    facts["location_id"],
                    facts["path"],
                    facts["state"]["size_bytes"],
                    facts["freed_bytes"],
                    facts["kept_bytes"],
                    " ".join(facts["notes"]),
                    line.at,
                )
            )
    return pl.DataFrame(rows, schema=EMPTIED_FILES, orient="row")


def redirect_map(certified: pl.DataFrame) -> pl.DataFrame:
    """REDIRECTS: from where a picture was to where the one that stays is.

    Args:
        certified: CERTIFIED.
    """
    moved = certified.filter(pl.col("keeper_path").is_not_null() & (pl.col("state") != "restored"))
    return moved.select(
        "location_id",
        "path",
        "action",
        location_id_now="keeper_location_id",
        path_now="keeper_path",
        digest="digest",
        digest_now="keeper_digest",
    )


def _stands(history: StepHistory, action: ActionKind) -> bool:
    names = tuple(act.operation for act in history.done)
    return names == RECIPES[action] and history.amiss is None


def _certified(
    step: Mapping[str, Any],
    history: StepHistory,
    held: Mapping[str, QuarantinedFile],
    at: Mapping[tuple[int, str], Any],
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for act in history.done:
        facts |= act.facts
    keeper = facts.get("keeper") or {}
    item = held.get(str(facts.get("item_id", "")))
    last = history.done[-1].operation
    return {
        "step": step["step"],
        "action": step["action"],
        "location_id": step["victim_location_id"],
        "path": step["victim_path"],
        "size_bytes": item.size_bytes if item else step["victim_size_bytes"],
        "digest": facts.get("digest"),
        "proved_by": facts.get("proved_by"),
        "keeper_location_id": keeper.get("location_id"),
        "keeper_path": keeper.get("path"),
        "keeper_digest": keeper.get("digest"),
        "keeper_proved_by": keeper.get("proved_by"),
        "quarantine_path": facts.get("quarantine_path"),
        "state": str(item.state) if item else "done",
        "frees_bytes": step["frees_bytes"],
        "done_at": at.get((step["step"], last)),
        "expires_at": item.expires_at if item else None,
    }
