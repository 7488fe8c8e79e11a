"""Rows of saved rules: a version for each change, and each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit (the ledger does) or know what a rule says. The bounds
of a version never change, and none is deleted: what was decided by it can be looked up for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.models import RuleRow
from deeplens_kit.ledger.notes import check_change, check_name
from deeplens_kit.ledger.values import NoteChange, SavedRule

__all__ = ["find", "frozen", "listed", "retire", "save"]

# Of a rule as JSON, which takes some hundred letters.
_LONGEST_RULE = 64 * 2**10


def save(session: Session, name: str, document: Mapping[str, object], note: str, who: str, now: datetime) -> SavedRule:
    """Save the next version of a rule; where no bound changed and it is not retired the latest, with the new note.

    Raises:
        SettingsError: The name or note is not allowed, or the rule is too large.
    """
    name = check_name("rule", name)
    check_change(NoteChange(description=note))
    size = len(json.dumps(document))
    if size > _LONGEST_RULE:
        raise SettingsError(f"The rule takes {size:,} bytes as JSON; at most {_LONGEST_RULE:,} are kept.")
    versions = _versions(session, name)
    latest = versions[-1] if versions else None
    if latest is not None and latest.retired_at is None and dict(latest.document) == dict(document):
        if note and note != latest.note:
            audit(session, who, "rule.noted", {"name": name, "version": latest.version, "was": latest.note}, now)
            latest.note = note
        note_made(session, "rule", f"{name}@{latest.version}")
        return frozen(latest)
    version = 1 if latest is None else latest.version + 1
    row = RuleRow(name=name, version=version, document=dict(document), note=note, who=who, at=now)
    session.add(row)
    session.flush()
    audit(session, who, "rule.saved", {"name": name, "version": version}, now)
    note_made(session, "rule", f"{name}@{version}")
    return frozen(row)


def listed(session: Session, *, retired: bool, versions: bool) -> list[SavedRule]:
    """Rules by name and version: the latest of each, or all."""
    # Sorted here: databases differ in how they order letters.
    rows = sorted(session.scalars(select(RuleRow)), key=lambda row: (row.name, row.version))
    latest = {row.name: row for row in rows}
    chosen = [row for row in rows if versions or latest[row.name] is row]
    return [frozen(row) for row in chosen if retired or latest[row.name].retired_at is None]


def find(session: Session, name: str, version: int | None) -> SavedRule:
    """A version of a rule, retired or not; the latest by default.

    Raises:
        UnknownNameError: There is none; the nearest name is suggested.
    """
    rows = _versions(session, name)
    if not rows:
        raise UnknownNameError("rule", name, sorted(set(session.scalars(select(RuleRow.name)))))
    if version is None:
        return frozen(rows[-1])
    for row in rows:
        if row.version == version:
            return frozen(row)
    raise UnknownNameError(f"version of rule {name!r}", str(version), (str(row.version) for row in rows))


def retire(session: Session, name: str, who: str, now: datetime) -> SavedRule:
    """Take a rule out of use; its versions can still be read. One that is retired already stays as it is.

    Raises:
        UnknownNameError: There is none of the name.
    """
    latest = find(session, name, None)
    if latest.retired_at is not None:
        return latest
    for row in _versions(session, name):
        if row.retired_at is None:
            row.retired_at, row.retired_by = now, who
    audit(session, who, "rule.retired", {"name": name, "version": latest.version}, now)
    return find(session, name, None)


def frozen(row: RuleRow) -> SavedRule:
    """A row without its session."""
    document = dict(row.document)
    return SavedRule(row.name, row.version, document, row.note, row.who, row.at, row.retired_at, row.retired_by)


def _versions(session: Session, name: str) -> list[RuleRow]:
    return list(session.scalars(select(RuleRow).where(RuleRow.name == name).order_by(RuleRow.version)))
