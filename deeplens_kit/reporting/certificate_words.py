"""What a certificate says, in sentences.

Takes a certificate, gives lines for people; must not compute what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_bytes, format_count, plural
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline.certifying import Certificate

__all__ = ["certificate_lines", "heading", "summary_lines"]

_TOLD = 20


def heading(made: Certificate) -> str:
    """What it is a certificate of."""
    application, plan = made.application, made.plan
    return f"Application {application.application_id} of plan {plan.plan_id}: {application.state}."


def certificate_lines(made: Certificate) -> list[str]:
    """The certificate as sentences, one a line."""
    lines = [heading(made), *summary_lines(made), *made.notes]
    for row in made.skipped.head(_TOLD).iter_rows(named=True):
        where = f"{display_path(row['location'] or '')}:{display_path(row['path'])}"
        lines.append(f"  {where}: {row['outcome'].replace('_', ' ')}{': ' + row['message'] if row['message'] else ''}")
    if made.skipped.height > _TOLD:
        lines.append(f"  … and {format_count(made.skipped.height - _TOLD)} more; --json lists all of them.")
    lines.append(f"Journal: {plural(made.journal_lines, 'line')}, {made.journal_head}.")
    lines.append(
        f"Audit trail: {plural(made.audit_lines, 'line')}, {made.audit_head}; `deeplens audit verify` proves it."
    )
    return lines


def summary_lines(made: Certificate) -> list[str]:
    """Who did it, and what stands."""
    totals, plan, application = made.totals, made.plan, made.application
    approved = [item for item in plan.approvals if item.approved]
    lines = [
        f"Made by {display_path(plan.author)}, approved by "
        f"{', '.join(display_path(item.who) for item in approved) or 'nobody'}, applied by "
        f"{display_path(application.who)} from {application.started_at:%Y-%m-%d %H:%M} UTC."
    ]
    left = [f"{format_count(totals[name])} {name.replace('_', ' ')}" for name in ("skipped", "failed", "undone")]
    left = [text for text, name in zip(left, ("skipped", "failed", "undone"), strict=True) if totals[name]]
    if totals["not_tried"]:
        left.append(f"{format_count(totals['not_tried'])} not tried")
    rest = f"; {', '.join(left)}" if left else ""
    lines.append(f"{format_count(totals['done'])} of {plural(totals['steps'], 'step')} stand{rest}.")
    return lines + _standing(made)


def _standing(made: Certificate) -> list[str]:
    totals, lines = made.totals, []
    lines += [
        f"{plural(files, 'file')} moved to {display_path(location)}, {format_bytes(size)}: as much is taken there "
        "as comes free."
        for location, files, size in _moved(made)
    ]
    if totals["in_quarantine"]:
        read = made.files.filter((made.files["state"] == "held") & made.files["keeper_path"].is_not_null())
        lines.append(
            f"{plural(totals['in_quarantine'], 'file')} in quarantine, {format_bytes(totals['in_quarantine_bytes'])}; "
            f"of {format_count(read.height)} the copy that stays was proved when they were moved. Emptying frees "
            f"{format_bytes(totals['will_free_bytes'])}."
        )
    if totals["emptied"]:
        lines.append(
            f"{plural(totals['emptied'], 'file')} removed for good: the storages report "
            f"{format_bytes(totals['freed_bytes'])} free, of {format_bytes(totals['promised_bytes'])} promised."
        )
        notes = made.emptied.filter(made.emptied["notes"] != "")["notes"].unique().sort()
        lines += [f"  {note}" for note in notes.head(_TOLD)]
    if totals["missing"]:
        lines.append(f"{plural(totals['missing'], 'file')} missing from quarantine: nobody here took them.")
    return lines


def _moved(made: Certificate) -> list[tuple[str, int, int]]:
    """Files and bytes that were moved, by the name of the location that has them now."""
    found: dict[str, list[int]] = {}
    for row in made.files.filter(made.files["action"] == "move").iter_rows(named=True):
        found.setdefault(row["keeper_location"] or "", []).append(row["size_bytes"])
    return [(location, len(sizes), sum(sizes)) for location, sizes in sorted(found.items())]
