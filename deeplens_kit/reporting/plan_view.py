"""What the page of a plan says, as frozen values: described here, drawn elsewhere.

Takes the record of a plan, its steps and facts of the pictures, gives every text that the page shows; must not make
HTML, open a file or load a picture. Steps that free most come first; what the page has no room for is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.evidence_words import picture_facts
from deeplens_kit.reporting.plan_words import action_words, plan_money, proof_words
from deeplens_kit.reporting.words import format_money, relation_words, score_words, tier_words
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.ledger import PlanRecord

__all__ = ["MAX_PLAN_STEPS", "FileView", "PlanView", "StepView", "describe_plan"]

MAX_PLAN_STEPS = 200
"""A page of so many steps is about 5 MB with its thumbnails and opens at once; all steps are in the export."""

_UNSAVED = ("This is no plan yet", "it shows what one would be if the locations were opened for changes")
# How far a plan has come, and what is next.
_STANDING = {
    "draft": ("Nothing has happened yet", "it takes an approval, and applying asks everything again"),
    "approved": ("Nothing has happened yet", "it is approved, and applying asks everything again"),
    "refused": ("Nothing has happened", "a person refused it"),
    "superseded": ("Nothing has happened by it", "another plan took its place"),
    "applying": ("It is being applied", "its journal says how far"),
    "applied": ("It was applied", "its certificate says what became of each file"),
    "undone": ("It was applied and undone", "its journal says what could be restored"),
}


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of a step: the one that is acted on, or its keeper."""

    location: str
    folder: str
    name: str
    digest: str
    size_bytes: int
    facts: str


@dataclass(frozen=True, slots=True)
class StepView:
    """A step with both of its files."""

    step: int
    action: str
    action_says: str
    target: str
    tier: str
    tier_says: str
    relation: str
    relation_says: str
    score: float
    score_says: str
    reason: str
    loses: str
    together: str
    frees_bytes: int
    money: str
    victim: FileView
    keeper: FileView | None


@dataclass(frozen=True, slots=True)
class TotalLine:
    """Steps of one location and tier."""

    location: str
    tier: str
    steps: int
    size_bytes: int
    frees_bytes: int
    money: str


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """Copies of one location that are no step, for one reason."""

    location: str
    reason: str
    objects: int
    size_bytes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """Everything that the page shows."""

    workspace: str
    made_at: datetime
    version: str
    plan_id: str
    state: str
    standing: tuple[str, str]
    author: str
    created_at: datetime
    action_says: str
    tiers: tuple[str, ...]
    rule: str
    policy: str
    digest: str
    steps_in_all: int
    size_bytes: int
    frees_bytes: int
    money: str
    currency: str
    proof_bytes: int
    proof_says: str
    notes: tuple[str, ...]
    approvals: tuple[str, ...]
    totals: tuple[TotalLine, ...]
    left_out: tuple[LeftOutLine, ...]
    left_out_objects: int
    steps: tuple[StepView, ...]


def describe_plan(
    record: PlanRecord,
    steps: pl.DataFrame,
    pictures: pl.DataFrame,
    names: Mapping[str, str],
    *,
    workspace: str,
    made_at: datetime,
    version: str,
    max_steps: int = MAX_PLAN_STEPS,
) -> PlanView:
    """Describe a plan for the page.

    Args:
        record: The plan.
        steps: PLAN_STEPS.
        pictures: Columns digest, format, width_px, height_px, jpeg_quality of the pictures that are shown.
        names: Names of locations by id.
        workspace: What to call the workspace.
        made_at: When the page was made, with a zone.
        version: Of DeepLens.
        max_steps: Steps that the page shows.
    """
    document = record.document
    totals: Mapping[str, Any] = document.get("totals", {})
    choice: Mapping[str, Any] = document.get("choice", {})
    money = plan_money(totals.get("by_location", ()))
    facts = {row["digest"]: picture_facts(row) for row in pictures.iter_rows(named=True)}
    left = document.get("left_out", ())
    return PlanView(
        workspace=workspace,
        made_at=made_at,
        version=version,
        plan_id=record.plan_id or "not saved",
        state=str(record.state) if record.plan_id else "not saved",
        standing=_STANDING.get(str(record.state), _STANDING["draft"]) if record.plan_id else _UNSAVED,
        author=record.author,
        created_at=record.created_at,
        action_says=action_words(choice.get("action", record.kind)),
        tiers=tuple(choice.get("tiers", ())),
        rule=str(choice.get("rule", {}).get("name", "")),
        policy=str(choice.get("policy", {}).get("name", "")),
        digest=record.steps_digest,
        steps_in_all=record.steps,
        size_bytes=totals.get("bytes", 0),
        frees_bytes=totals.get("frees_bytes", 0),
        money="" if money is None else format_money(money[0]),
        currency="" if money is None else money[1],
        proof_bytes=totals.get("proof_bytes", 0),
        proof_says=proof_words(totals),
        notes=tuple(str(note) for note in document.get("notes", ())),
        approvals=tuple(
            f"{'Approved' if said.approved else 'Refused'} by {said.who} on {said.at:%-d %B %Y, %H:%M} UTC"
            + (f": {said.note}" if said.note else "")
            for said in record.approvals
        ),
        totals=tuple(_total(row) for row in totals.get("by_location", ())),
        left_out=tuple(_left_out(line) for line in left),
        left_out_objects=sum(int(line["objects"]) for line in left),
        steps=tuple(_step(row, facts, names) for row in shown_steps(steps, max_steps).iter_rows(named=True)),
    )


def shown_steps(steps: pl.DataFrame, most: int = MAX_PLAN_STEPS) -> pl.DataFrame:
    """The steps that the page shows: those that free most."""
    return steps.sort("frees_bytes", "victim_size_bytes", "step", descending=[True, True, False]).head(most)


def _step(row: Mapping[str, Any], facts: Mapping[str, str], names: Mapping[str, str]) -> StepView:
    keeper = _file(row, "keeper", facts, names) if row["keeper_path"] is not None else None
    target = row["target"] if row["target"] and row["action"] != "rewrite" else ""
    if row["target_location_id"] is not None:
        target = f"{names.get(row['target_location_id'], '')}: {target}"
    return StepView(
        step=row["step"],
        action=row["action"],
        action_says=action_words(row["action"]),
        target=display_path(target),
        tier=row["tier"] or "",
        tier_says=tier_words(row["tier"]) if row["tier"] else "",
        relation=row["relation"] or "",
        relation_says=relation_words(row["relation"]) if row["relation"] else "",
        score=row["score"] if row["score"] is not None else 0.0,
        score_says=score_words(row["score"]) if row["score"] is not None else "",
        reason=row["reason"],
        loses=row["loses"] or "",
        together=_name_of(row["together"]) if row["together"] else "",
        frees_bytes=row["frees_bytes"],
        money="" if row["money_per_month"] is None else format_money(Decimal(row["money_per_month"])),
        victim=_file(row, "victim", facts, names),
        keeper=keeper,
    )


def _file(row: Mapping[str, Any], end: str, facts: Mapping[str, str], names: Mapping[str, str]) -> FileView:
    folder, slash, name = row[f"{end}_path"].rpartition("/")
    digest = row[f"{end}_digest"] or ""
    return FileView(
        location=display_path(names.get(row[f"{end}_location_id"], row[f"{end}_location_id"])),
        folder=display_path(folder) + slash,
        name=display_path(name),
        digest=digest,
        size_bytes=row[f"{end}_size_bytes"] or 0,
        facts=facts.get(digest, ""),
    )


def _name_of(family_id: str) -> str:
    return display_path(family_id.rpartition("/")[2])


def _total(row: Mapping[str, Any]) -> TotalLine:
    money = "" if row["money_per_month"] is None else format_money(Decimal(row["money_per_month"]))
    return TotalLine(
        display_path(row["location"]), row["tier"] or "", row["steps"], row["bytes"], row["frees_bytes"], money
    )


def _left_out(line: Mapping[str, Any]) -> LeftOutLine:
    examples: Sequence[str] = line["examples"]
    return LeftOutLine(
        display_path(line["location"]), line["message"], line["objects"], line["bytes"], tuple(examples[:3])
    )
