"""Rows of API keys.

Takes a session, names, scopes and digests, gives frozen values; must not commit (the ledger does) and never sees a key.
Making and revoking one leaves a line in the audit trail.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.access_models import ApiKeyRow, UserRow
from deeplens_kit.ledger.access_users import find
from deeplens_kit.ledger.access_values import ROLE_SCOPES, ApiKey, Role, Scope
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.notes import check_name

__all__ = ["add", "frozen", "listed", "live", "live_by_id", "revoke", "revoke_all", "touch"]

_ID_BYTES = 8
_TOUCHED_SECONDS = 60


def add(
    session: Session,
    user: str,
    name: str,
    prefix: str,
    digest: str,
    scopes: Collection[Scope],
    lifetime_seconds: float | None,
    who: str,
    now: datetime,
) -> ApiKey:
    """Note a key.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: The name is not allowed, no scope is given, one goes beyond the user's role, or the user is
            disabled.
    """
    name = check_name("key", name)
    row = find(session, user)
    allowed = ROLE_SCOPES[Role(row.role)]
    if row.disabled_at is not None:
        raise SettingsError(f"User {row.name!r} is disabled, so no key is made; enable them first.")
    if not scopes:
        raise SettingsError("A key without scopes can do nothing; give at least one.")
    if beyond := sorted(scope.value for scope in scopes if scope not in allowed):
        raise SettingsError(
            f"A key of {row.name!r} ({row.role}) cannot have {', '.join(beyond)}; "
            f"allowed: {', '.join(sorted(scope.value for scope in allowed))}."
        )
    made = ApiKeyRow(
        key_id=secrets.token_hex(_ID_BYTES),
        user_id=row.user_id,
        name=name,
        prefix=prefix,
        digest=digest,
        scopes=sorted(scope.value for scope in scopes),
        created_at=now,
        created_by=who,
        expires_at=now + timedelta(seconds=lifetime_seconds) if lifetime_seconds is not None else None,
        revoked_by="",
    )
    session.add(made)
    session.flush()
    details = {"id": made.key_id, "name": name, "user": row.name, "scopes": made.scopes}
    audit(session, who, "key.made", details, now)
    return frozen(made, row.name)


def listed(session: Session, user_id: str | None, *, revoked: bool) -> list[ApiKey]:
    """Keys of a user or of all, the latest first."""
    query = select(ApiKeyRow, UserRow.name).join(UserRow, UserRow.user_id == ApiKeyRow.user_id)
    if user_id is not None:
        query = query.where(ApiKeyRow.user_id == user_id)
    if not revoked:
        query = query.where(ApiKeyRow.revoked_at.is_(None))
    query = query.order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.key_id)
    return [frozen(row, name) for row, name in session.execute(query)]


def revoke(session: Session, key_id: str, who: str, now: datetime, *, user_id: str = "") -> ApiKey:
    """Take a key out of use.

    Args:
        session: Of the database.
        key_id: Which.
        who: Who does so.
        now: The time.
        user_id: Whose it must be; empty for anybody's.

    Raises:
        UnknownNameError: There is none, or it is somebody else's.
    """
    row = session.get(ApiKeyRow, key_id)
    if row is None or (user_id and row.user_id != user_id):
        known = select(ApiKeyRow.key_id).where(ApiKeyRow.revoked_at.is_(None))
        raise UnknownNameError(
            "key", key_id, session.scalars(known.where(ApiKeyRow.user_id == user_id) if user_id else known)
        )
    name = session.get_one(UserRow, row.user_id).name
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = now, who
        audit(session, who, "key.revoked", {"id": key_id, "name": row.name, "user": name}, now)
    return frozen(row, name)


def revoke_all(session: Session, user_id: str, who: str, now: datetime) -> list[str]:
    """Take every key of a user out of use; gives their ids. Whoever calls this tells of it."""
    revoked = session.scalars(
        update(ApiKeyRow)
        .where(ApiKeyRow.user_id == user_id, ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=who)
        .returning(ApiKeyRow.key_id)
    )
    return sorted(revoked)


def live(session: Session, digest: str, now: datetime) -> tuple[ApiKeyRow, UserRow] | None:
    """The key of a digest that is good, of a user who may sign in."""
    return _live(session, ApiKeyRow.digest == digest, now)


def live_by_id(session: Session, key_id: str, now: datetime) -> tuple[ApiKeyRow, UserRow] | None:
    """The key of an id that is good, of a user who may sign in."""
    return _live(session, ApiKeyRow.key_id == key_id, now)


def touch(session: Session, key_id: str, now: datetime) -> None:
    """Note that a key was used, to the minute."""
    before = now - timedelta(seconds=_TOUCHED_SECONDS)
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.key_id == key_id, (ApiKeyRow.last_used_at.is_(None)) | (ApiKeyRow.last_used_at < before))
        .values(last_used_at=now)
    )


def _live(session: Session, which: ColumnElement[bool], now: datetime) -> tuple[ApiKeyRow, UserRow] | None:
    query = select(ApiKeyRow, UserRow).join(UserRow, UserRow.user_id == ApiKeyRow.user_id)
    found = session.execute(
        query.where(
            which,
            ApiKeyRow.revoked_at.is_(None),
            ApiKeyRow.expires_at.is_(None) | (ApiKeyRow.expires_at > now),
            UserRow.disabled_at.is_(None),
        )
    ).one_or_none()
    return (found[0], found[1]) if found is not None else None


def frozen(row: ApiKeyRow, user_name: str) -> ApiKey:
    """A row without its session."""
    return ApiKey(
        row.key_id,
        row.user_id,
        user_name,
        row.name,
        row.prefix,
        frozenset(Scope(scope) for scope in row.scopes),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.last_used_at,
        row.revoked_at,
        row.revoked_by,
    )
