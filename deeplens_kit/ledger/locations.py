"""Rows of locations, each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit: the ledger does, so that a change and its audit line are
one transaction. Refuses credentials in clear, in an address or an option.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.models import AuditRow, LocationRow
from deeplens_kit.ledger.values import Location

__all__ = ["add", "audit", "find", "find_any", "frozen", "listed", "rename", "set_active"]

_LONGEST_NAME = 200
# 32 bits: a workspace has tens of locations; a clash is refused by the primary key.
_ID_BYTES = 4
_SECRET_OPTION = re.compile(r"passw|passphrase|secret|token|credential|(^|_)(pass|pwd|key|sas)$", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def add(session: Session, name: str, url: str, options: Mapping[str, object], who: str, now: datetime) -> Location:
    """Add a location.

    Raises:
        SettingsError: The name is taken or not allowed, or a credential stands in clear.
    """
    _check_name(session, name)
    _check_secrets(name, url, options)
    row = LocationRow(
        location_id=secrets.token_hex(_ID_BYTES), name=name, url=url, options=dict(options), created_at=now, active=True
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(name) from error
    details = {"location_id": row.location_id, "name": name, "url": url, "options": sorted(options)}
    audit(session, who, "location.added", details, now)
    return frozen(row)


def rename(session: Session, name: str, new_name: str, who: str, now: datetime) -> Location:
    """Give a location another name; its id, and with it every row of the catalog, stays.

    Raises:
        UnknownNameError: There is no location of that name.
        SettingsError: The new name is taken or not allowed.
    """
    row = find(session, name)
    if new_name != name:
        _check_name(session, new_name)
        row.name = new_name
        details = {"location_id": row.location_id, "name": new_name, "was": name}
        audit(session, who, "location.renamed", details, now)
    return frozen(row)


def set_active(session: Session, name: str, active: bool, who: str, now: datetime) -> Location:
    """Take a location into the runs over all locations, or leave it out.

    Raises:
        UnknownNameError: There is no location of that name.
    """
    row = find(session, name)
    if row.active != active:
        row.active = active
        action = "location.activated" if active else "location.deactivated"
        audit(session, who, action, {"location_id": row.location_id, "name": name}, now)
    return frozen(row)


def find(session: Session, name: str) -> LocationRow:
    """The row of a name; UnknownNameError with the nearest name where there is none."""
    row = session.scalar(select(LocationRow).where(LocationRow.name == name))
    if row is None:
        raise UnknownNameError("location", name, session.scalars(select(LocationRow.name)))
    return row


def find_any(session: Session, location: str) -> LocationRow:
    """The row of a location id, else of a name."""
    return session.get(LocationRow, location) or find(session, location)


def listed(session: Session, *, inactive: bool) -> list[Location]:
    """Locations by name, with or without those not active."""
    # Sorted here: databases differ in how they order letters.
    rows = sorted(session.scalars(select(LocationRow)), key=lambda row: row.name)
    return [frozen(row) for row in rows if row.active or inactive]


def audit(session: Session, who: str, action: str, details: Mapping[str, Any], now: datetime) -> None:
    """Add a line to the audit trail, in the session's transaction."""
    session.add(AuditRow(at=now, who=who, action=action, details=dict(details)))


def frozen(row: LocationRow) -> Location:
    """The value of a row."""
    return Location(row.location_id, row.name, row.url, dict(row.options), row.created_at, row.active)


def _check_name(session: Session, name: str) -> None:
    odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    if not name.strip() or name != name.strip() or odd or "/" in name or len(name) > _LONGEST_NAME:
        raise SettingsError(
            f"{name!r} cannot name a location; use 1 to {_LONGEST_NAME} letters without '/', line breaks or "
            "spaces at the ends."
        )
    if session.scalar(select(LocationRow.name).where(LocationRow.name == name)) is not None:
        raise _taken(name)


def _taken(name: str) -> SettingsError:
    return SettingsError(f"There is a location named {name!r} already; choose another name.")


def _check_secrets(name: str, url: str, options: Mapping[str, object]) -> None:
    if any(unicodedata.category(letter) == "Cs" for letter in url) or "\0" in url:
        raise SettingsError(f"The address of location {name!r} is no text; escape its path with storage.encode_path.")
    try:
        password = urlsplit(url).password if "://" in url else None
    except ValueError as error:
        raise SettingsError(f"The address of location {name!r} is no URL: {error}.") from error
    if password and not _REFERENCE.fullmatch(password):
        raise SettingsError(
            f"The address of location {name!r} holds a password; write ${{NAME}} in its place and set that "
            "environment variable."
        )
    for option, value in options.items():
        if _SECRET_OPTION.search(option) and isinstance(value, str) and value and not _REFERENCE.fullmatch(value):
            raise SettingsError(
                f"Option {option!r} of location {name!r} holds a credential; write ${{NAME}} in its place and set "
                "that environment variable."
            )
