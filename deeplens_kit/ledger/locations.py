"""Rows of locations, each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit: the ledger does, so that a change and its audit line are
one transaction. Refuses credentials in clear, in an address or an option.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.models import LocationRow
from deeplens_kit.ledger.values import Location
from deeplens_kit.storage.credentials import credential_in_clear

__all__ = [
    "add",
    "find",
    "find_any",
    "frozen",
    "listed",
    "refuse_secrets",
    "rename",
    "set_active",
    "set_options",
]

_LONGEST_NAME = 200
# 32 bits: a workspace has tens of locations; a clash is refused by the primary key.
_ID_BYTES = 4
_INSTEAD = (
    "write a reference in its place and keep the credential there: ${NAME} for an environment variable, "
    "${keyring:SERVICE/USER}, ${file:/PATH/secrets.toml#KEY} or ${infisical:NAME}."
)


def add(
    session: Session, name: str, url: str, options: Mapping[str, object], active: bool, who: str, now: datetime
) -> Location:
    """Add a location.

    Raises:
        SettingsError: The name is taken or not allowed, or a credential stands in clear.
    """
    _check_name(session, name)
    refuse_secrets(name, url, options)
    row = LocationRow(
        location_id=secrets.token_hex(_ID_BYTES),
        name=name,
        url=url,
        options=dict(options),
        created_at=now,
        active=active,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(name) from error
    details: dict[str, object] = {
        "location_id": row.location_id, "name": name, "url": url, "options": sorted(options)
    }  # fmt: skip
    if not active:
        details["active"] = False
    audit(session, who, "location.added", details, now)
    note_made(session, "location", row.location_id)
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


def set_options(session: Session, name: str, options: Mapping[str, object], who: str, now: datetime) -> Location:
    """Give a location other options, in the place of those that it had.

    Raises:
        UnknownNameError: There is no location of that name.
        SettingsError: A credential stands in clear.
    """
    row = find(session, name)
    refuse_secrets(name, row.url, options)
    was = dict(row.options)
    if was != dict(options):
        row.options = dict(options)
        changed = sorted(key for key in {*was, *options} if was.get(key) != options.get(key))
        # What was opened for writing, and by whom, is a question that somebody will ask.
        opened = {"permissions": options.get("permissions", "read")} if "permissions" in changed else {}
        details = {"location_id": row.location_id, "name": name, "changed": changed, **opened}
        audit(session, who, "location.options", details, now)
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


def refuse_secrets(name: str, url: str, options: Mapping[str, object]) -> None:
    """Refuse an address or options in which a credential stands in clear.

    Raises:
        SettingsError: One does; the message does not repeat it.
    """
    if any(unicodedata.category(letter) == "Cs" for letter in url) or "\0" in url:
        raise SettingsError(f"The address of location {name!r} is no text; escape its path with storage.encode_path.")
    try:
        found = credential_in_clear("", url)
    except UnknownNameError:
        raise
    except SettingsError as error:
        raise SettingsError(f"The address of location {name!r} cannot be used. {error}") from error
    if found:
        raise SettingsError(f"The address of location {name!r} holds {found} in clear; {_INSTEAD}")
    for option, value in options.items():
        found = credential_in_clear(option, value)
        if found:
            raise SettingsError(f"Option {option!r} of location {name!r} holds {found} in clear; {_INSTEAD}")
