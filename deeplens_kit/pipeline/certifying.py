"""Certificates of an application: what was done and proved, what is free now, and where each picture is.

Takes an open workspace and the id of an application, gives frozen values and frames; must not touch a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from deeplens_kit.actions.certificate import certified_files, emptied_files, redirect_map, skipped_steps
from deeplens_kit.ledger import Application, JournalEntry, PlanRecord, QuarantineState
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind

__all__ = ["Certificate", "certificate"]

CERTIFICATE_VERSION = 1

_MOVED = (
    "A file that was moved to another location has its bytes there, and its time where the storage can set it. "
    "Permissions and extended attributes go along from a folder of this machine to another where its file system takes "
    "them; else they, tags, metadata and content type stayed with what is in quarantine, and end when that is emptied."
)
_TOLD = 20
_WITHOUT_ACL = (
    "On S3 and Google Cloud Storage an object that is moved gets the access that its bucket gives to new objects: "
    "access lists (ACLs) of its own do not come back by undoing."
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an application did, as its journal has it.

    Attributes:
        plan: The plan, with who approved it.
        application: The application as it stands.
        made_at: UTC.
        files: CERTIFIED with `location` and `keeper_location`, names: each step that stands.
        skipped: Steps that do not, with the reason: step, action, location, path, outcome, code, message.
        emptied: EMPTIED_FILES with `location`: what was removed for good.
        redirects: REDIRECTS with `location` and `location_now`: from each old place to that of the picture that stays.
        journal_lines: Of the journal.
        journal_head: Digest of its last line, which stands for all of them.
        audit_lines: Of the audit trail.
        audit_head: Digest of its last line.
        notes: What was not carried along, or will not come back, in sentences.
    """

    plan: PlanRecord
    application: Application
    made_at: datetime
    files: pl.DataFrame
    skipped: pl.DataFrame
    emptied: pl.DataFrame
    redirects: pl.DataFrame
    journal_lines: int
    journal_head: str
    audit_lines: int
    audit_head: str
    notes: tuple[str, ...] = ()

    @property
    def totals(self) -> Mapping[str, int]:
        """Counts and bytes."""
        held = self.files.filter(pl.col("state") == str(QuarantineState.HELD))
        by_outcome = dict(self.skipped.group_by("outcome").len().iter_rows())
        return {
            "steps": self.plan.steps,
            "done": self.files.height,
            **{name: by_outcome.get(name, 0) for name in ("skipped", "failed", "undone", "not_tried")},
            "in_quarantine": held.height,
            "in_quarantine_bytes": int(held["size_bytes"].sum()),
            "will_free_bytes": int(held["frees_bytes"].sum()),
            "emptied": self.emptied.height,
            "promised_bytes": int(self.emptied["promised_bytes"].sum()),
            "freed_bytes": int(self.emptied["freed_bytes"].sum()),
            "missing": self.files.filter(pl.col("state") == str(QuarantineState.MISSING)).height,
        }

    def to_json(self) -> dict[str, Any]:
        """The whole certificate, as JSON can hold it."""
        plan, application = self.plan, self.application
        return {
            "certificate": CERTIFICATE_VERSION,
            "made_at": self.made_at.isoformat(),
            "plan": {
                "plan_id": plan.plan_id,
                "kind": plan.kind,
                "author": plan.author,
                "created_at": plan.created_at.isoformat(),
                "steps_digest": plan.steps_digest,
                "approvals": [
                    {"approved": item.approved, "who": item.who, "at": item.at.isoformat(), "note": item.note}
                    for item in plan.approvals
                ],
            },
            "application": {
                "application_id": application.application_id,
                "state": str(application.state),
                "who": application.who,
                "started_at": application.started_at.isoformat(),
                "finished_at": None if application.finished_at is None else application.finished_at.isoformat(),
                "message": application.message,
            },
            "totals": dict(self.totals),
            "notes": list(self.notes),
            "files": _plain(self.files),
            "skipped": _plain(self.skipped),
            "emptied": _plain(self.emptied),
            "journal": {"lines": self.journal_lines, "head": self.journal_head},
            "audit": {"lines": self.audit_lines, "head": self.audit_head},
        }


def certificate(workspace: Workspace, application_id: str) -> Certificate:
    """What an application did.

    Args:
        workspace: An open workspace.
        application_id: The application, or how its id begins.

    Raises:
        UnknownNameError: There is none.
    """
    ledger = workspace.ledger
    application = ledger.application(application_id)
    name = application.application_id
    plan = ledger.plan(application.plan_id)
    # The heads first: what is written meanwhile is of the next certificate.
    journal_lines, journal_head = ledger.journal_head(name)
    audit_lines, audit_head = ledger.audit_head()
    lines = [line for line in ledger.journal(name) if line.sequence < journal_lines]
    steps = load_steps(workspace, plan)
    items = ledger.quarantined(application_id=name, states=None)
    names = dict(workspace.location_names().iter_rows())
    files = certified_files(steps, lines, items)
    return Certificate(
        plan=plan,
        application=application,
        made_at=datetime.now(UTC),
        files=_named(files, names, "location", "keeper_location"),
        skipped=_named(skipped_steps(steps, lines), names, "location"),
        emptied=_named(emptied_files(lines), names, "location"),
        redirects=_named(redirect_map(files), names, "location", "location_now"),
        journal_lines=journal_lines,
        journal_head=journal_head,
        audit_lines=audit_lines,
        audit_head=audit_head,
        notes=_notes(files, lines, {item.location_id: item.url for item in ledger.locations(inactive=True)}),
    )


def _notes(files: pl.DataFrame, lines: Sequence[JournalEntry], urls: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    standing = set(files["step"])
    left = {line.step: line.facts["left"] for line in lines if line.facts.get("left") and line.step in standing}
    if left:
        what = " and ".join(sorted({name for names in left.values() for name in names}))
        steps = ", ".join(map(str, sorted(left)[:_TOLD])) + (" ..." if len(left) > _TOLD else "")
        notes.append(f"Of {len(left):,} moved files {what} did not go along (steps {steps}).")
    if not files.filter(pl.col("action") == ActionKind.MOVE).is_empty():
        notes.append(_MOVED)
    moved = files.filter(pl.col("quarantine_path").is_not_null())["location_id"].unique()
    if any(urls.get(location_id, "").startswith(("s3://", "gs://")) for location_id in moved):
        notes.append(_WITHOUT_ACL)
    return tuple(notes)


def _named(frame: pl.DataFrame, names: Mapping[str, str], *columns: str) -> pl.DataFrame:
    """Names of locations before their ids."""
    found = [
        pl.col(column.replace("location", "location_id"))
        .replace_strict(dict(names), default=None, return_dtype=pl.String)
        .alias(column)
        for column in columns
    ]
    return frame.select(*found, *frame.columns)


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    return frame.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for name in times).to_dicts()
