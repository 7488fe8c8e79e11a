"""Plans as files: CSV and Parquet, and a manifest that the workspace signs; and whether a manifest is right.

Takes an open workspace and a plan, gives bytes; writes nothing but the workspace's signing key where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deeplens_kit.actions import (
    CheckedManifest,
    checked_manifest,
    manifest_pieces,
    steps_as_csv,
    steps_as_parquet,
)
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.pipeline.plan_facts import location_names
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.signing_key import public_key, signing_key
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["PLAN_ENDINGS", "VerifiedManifest", "export_plan", "verify_manifest"]

PLAN_ENDINGS = (".csv", ".parquet", ".json")
"""What the name of an exported plan ends in, which says its form; `.json` is the signed manifest."""


@dataclass(frozen=True, slots=True)
class VerifiedManifest:
    """A manifest whose signature and digest are right.

    Attributes:
        manifest: What it says.
        ours: It was signed by this workspace; None where the workspace has signed nothing yet.
        known: The workspace has this plan with these very steps.
    """

    manifest: CheckedManifest
    ours: bool | None
    known: bool


def export_plan(workspace: Workspace, plan_id: str, ending: str) -> Iterable[bytes]:
    """A plan as the content of a file, in pieces.

    Args:
        workspace: An open workspace.
        plan_id: The plan.
        ending: One of `PLAN_ENDINGS`.

    Raises:
        SettingsError: There is no such form.
    """
    record = workspace.ledger.plan(plan_id)
    if ending.lower() not in PLAN_ENDINGS:
        raise SettingsError(
            f"A plan cannot be written as {ending!r}; name a file that ends in {', '.join(PLAN_ENDINGS)}."
        )
    steps = load_steps(workspace, record)
    if ending.lower() == ".csv":
        return [steps_as_csv(steps, location_names(workspace))]
    if ending.lower() == ".parquet":
        return [steps_as_parquet(steps)]
    return manifest_pieces(steps, _told(workspace, record), signing_key(workspace))


def verify_manifest(workspace: Workspace, content: bytes) -> VerifiedManifest:
    """Check a manifest: its signature, the digest of its steps, and whether it is of this workspace.

    Raises:
        PlanError: It is no manifest, or something in it was altered.
    """
    manifest = checked_manifest(content)
    ours = public_key(workspace)
    try:
        record = workspace.ledger.plan(str(manifest.plan.get("plan_id", "")))
        known = record.steps_digest == manifest.plan["steps_digest"]
    except (SettingsError, UnknownNameError):
        known = False
    return VerifiedManifest(manifest, None if ours is None else ours == manifest.public_key, known)


def _told(workspace: Workspace, record: PlanRecord) -> dict[str, Any]:
    return {
        "plan_id": record.plan_id,
        "kind": record.kind,
        "state": str(record.state),
        "author": record.author,
        "created_at": record.created_at.isoformat(),
        "document": dict(record.document),
        "replaces": record.replaces,
        "locations": location_names(workspace),
        "approvals": [
            {
                "approved": said.approved,
                "who": said.who,
                "at": said.at.isoformat(),
                "note": said.note,
                "steps_digest": said.steps_digest,
            }
            for said in record.approvals
        ],
    }
