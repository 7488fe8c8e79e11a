"""Files that were not in quarantine when somebody looked, looked for again: their disk may be plugged in by now.

Takes an open workspace, writes to the ledger which were found; must not touch a file. Whatever cannot be looked at, for
its location is away or at work, stays missing.
"""

from __future__ import annotations

from deeplens_kit.errors import LeaseHeldError, LocationError, ObjectError
from deeplens_kit.ledger import JournalEntry, JournalPhase, QuarantinedFile, QuarantineState
from deeplens_kit.pipeline.act_ground import leased, opened_kinds
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import LocationKind

__all__ = ["look_for_missing"]


def look_for_missing(workspace: Workspace, application_id: str | None = None) -> int:
    """Look for missing files in quarantine again; returns how many are there.

    Args:
        workspace: An open workspace.
        application_id: Of one application, whole; None for all.
    """
    missing = workspace.ledger.quarantined(application_id=application_id, states=(QuarantineState.MISSING,))
    found = 0
    for location_id in {item.location_id for item in missing}:
        mine = [item for item in missing if item.location_id == location_id]
        try:
            with opened_kinds(workspace, [location_id], inactive=True) as kinds:
                there = [item for item in mine if _is_there(kinds.get(location_id), item)]
            if there:
                with leased(workspace, "look", [location_id]):
                    found += sum(_is_held(workspace, item) for item in there)
        except (LeaseHeldError, LocationError):
            continue  # at work, or away: it is looked for another time
    return found


def _is_there(kind: LocationKind | None, item: QuarantinedFile) -> bool:
    if kind is None:
        return False
    try:
        return kind.stat(item.quarantine_path).size_bytes == item.size_bytes
    except ObjectError:
        return False


def _is_held(workspace: Workspace, item: QuarantinedFile) -> bool:
    """Write that it is held; not where somebody else did something with it meanwhile."""
    if workspace.ledger.quarantined_file(item.item_id).state is not QuarantineState.MISSING:
        return False
    line = JournalEntry(
        item.step, "empty", JournalPhase.SKIPPED, code="found", message="It is in quarantine again, and stays there."
    )
    changed = {item.item_id: QuarantineState.HELD}
    workspace.ledger.append_journal(item.application_id, [line], changed=changed)
    return True
