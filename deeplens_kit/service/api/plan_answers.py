"""Plans and applications of the ledger as values of the API.

Takes records and rows of steps, gives what goes out as JSON; must not ask a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.ledger import Application, PlanRecord
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.values.plans import (
    ApplicationAnswer,
    PlanAnswer,
    PlanApprovalAnswer,
    PlanChange,
    PlanStep,
)

__all__ = ["application_answer", "plan_answer", "plan_change", "plan_step"]


def plan_answer(record: PlanRecord) -> PlanAnswer:
    """A plan without its steps."""
    document = record.document
    return PlanAnswer(
        plan_id=record.plan_id,
        kind=record.kind,
        status=str(record.state),
        author=record.author,
        created_at=record.created_at,
        steps=record.steps,
        steps_digest=record.steps_digest,
        totals=dict(document.get("totals", {})),
        left_out=[dict(line) for line in document.get("left_out", ())],
        notes=[str(note) for note in document.get("notes", ())],
        approvals=[
            PlanApprovalAnswer(
                approved=said.approved,
                who=said.who,
                at=said.at,
                note=said.note,
                is_current=said.steps_digest == record.steps_digest,
            )
            for said in record.approvals
        ],
        replaces=record.replaces or None,
        replaced_by=record.replaced_by or None,
    )


def plan_step(row: Mapping[str, Any], names: Mapping[str, str]) -> PlanStep:
    """A step.

    Args:
        row: Of PLAN_STEPS.
        names: Of locations, by their ids.
    """
    keeper = row["keeper_location_id"]
    return PlanStep(
        step=row["step"],
        action=row["action"],
        group_id=row["group_id"],
        image_id=image_id_of(f"{row['victim_location_id']}/{row['victim_path']}"),
        picture_id=row["victim_digest"],
        storage_location=names.get(row["victim_location_id"], row["victim_location_id"]),
        file_path=row["victim_path"],
        file_size=row["victim_size_bytes"],
        keeper_image_id=None if keeper is None else image_id_of(f"{keeper}/{row['keeper_path']}"),
        keeper_storage_location=None if keeper is None else names.get(keeper, keeper),
        keeper_file_path=row["keeper_path"],
        **{name: row[name] for name in ("tier", "relation", "score", "reason", "loses", "frees_bytes")},
        money_per_month=row["money_per_month"],
        target=row["target"],
    )


def plan_change(row: Mapping[str, Any], names: Mapping[str, str]) -> PlanChange:
    """What tells two plans apart, at one file.

    Args:
        row: Of PLAN_DIFF.
        names: Of locations, by their ids.
    """
    location_id = row["victim_location_id"]

    def keeper(when: str) -> str | None:
        place = row[f"keeper_location_id_{when}"]
        return None if place is None else f"{names.get(place, place)}:{row[f'keeper_path_{when}']}"

    same = ("step", "action", "tier", "frees_bytes")
    return PlanChange(
        change=row["change"],
        image_id=image_id_of(f"{location_id}/{row['victim_path']}"),
        storage_location=names.get(location_id, location_id),
        file_path=row["victim_path"],
        what=row["what"],
        keeper_before=keeper("before"),
        keeper_after=keeper("after"),
        **{f"{name}_{when}": row[f"{name}_{when}"] for name in same for when in ("before", "after")},
    )


def application_answer(item: Application) -> ApplicationAnswer:
    """One applying of a plan."""
    return ApplicationAnswer(
        application_id=item.application_id,
        plan_id=item.plan_id,
        status=str(item.state),
        who=item.who,
        started_at=item.started_at,
        finished_at=item.finished_at,
        figures=dict(item.figures),
        message=item.message,
    )
