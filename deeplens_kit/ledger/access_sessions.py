"""Rows of sign-ins and of the refresh tokens by which programs go on.

Takes a session of the database, ids and digests of secrets, gives frozen values; must not commit: the ledger does.
What begins and ends a sign-in leaves a line in the audit trail.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger.access_models import RefreshTokenRow, UserRow, UserSessionRow
from deeplens_kit.ledger.access_values import Scope, SessionKind, UserSession
from deeplens_kit.ledger.audit import audit

__all__ = [
    "add_refresh",
    "addresses",
    "begin",
    "end",
    "end_all",
    "frozen",
    "listed",
    "live",
    "of_refresh",
    "prune",
    "rotate",
    "touch",
]

_ID_BYTES = 16
_LONGEST_ADDRESS, _LONGEST_AGENT = 100, 200
_TOUCHED_SECONDS = 60
# Long enough to look up who signed in; the audit trail keeps it for ever.
_KEPT_DAYS = 90


def begin(
    session: Session,
    user_id: str,
    kind: SessionKind,
    digest: str,
    scopes: Collection[Scope],
    lifetime_seconds: float,
    now: datetime,
    *,
    address: str,
    agent: str,
    provider: str,
) -> UserSession:
    """Begin a sign-in, and note when the user was last here."""
    user = session.get_one(UserRow, user_id)
    user.last_sign_in_at = now
    row = UserSessionRow(
        session_id=secrets.token_hex(_ID_BYTES),
        user_id=user_id,
        kind=kind.value,
        digest=digest,
        scopes=sorted(scope.value for scope in scopes),
        created_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(seconds=lifetime_seconds),
        ended_why="",
        address=address[:_LONGEST_ADDRESS],
        agent=agent[:_LONGEST_AGENT],
        provider=provider,
    )
    session.add(row)
    session.flush()
    prune(session, now)
    details = {"session": row.session_id, "kind": kind.value, "address": row.address, "provider": provider}
    audit(session, user.name, "access.signed_in", details, now)
    return frozen(row, user.name)


def live(session: Session, session_id: str, now: datetime) -> tuple[UserSessionRow, UserRow] | None:
    """A sign-in that lasts, of a user who may sign in."""
    query = select(UserSessionRow, UserRow).join(UserRow, UserRow.user_id == UserSessionRow.user_id)
    found = session.execute(
        query.where(
            UserSessionRow.session_id == session_id,
            UserSessionRow.ended_at.is_(None),
            UserSessionRow.expires_at > now,
            UserRow.disabled_at.is_(None),
        )
    ).one_or_none()
    return (found[0], found[1]) if found is not None else None


def touch(session: Session, session_id: str, now: datetime) -> None:
    """Note that somebody was here, to the minute."""
    session.execute(
        update(UserSessionRow)
        .where(
            UserSessionRow.session_id == session_id,
            UserSessionRow.last_seen_at < now - timedelta(seconds=_TOUCHED_SECONDS),
        )
        .values(last_seen_at=now)
    )


def listed(session: Session, user_id: str, now: datetime) -> list[UserSession]:
    """A user's sign-ins that last, the latest first."""
    query = select(UserSessionRow, UserRow.name).join(UserRow, UserRow.user_id == UserSessionRow.user_id)
    query = query.where(
        UserSessionRow.user_id == user_id, UserSessionRow.ended_at.is_(None), UserSessionRow.expires_at > now
    )
    return [frozen(row, name) for row, name in session.execute(query.order_by(UserSessionRow.created_at.desc()))]


def addresses(session: Session, user_id: str) -> frozenset[str]:
    """Where a user signed in from, those sign-ins too that are over and not yet forgotten."""
    query = select(UserSessionRow.address).where(UserSessionRow.user_id == user_id, UserSessionRow.address != "")
    return frozenset(session.scalars(query.distinct()))


def end(session: Session, session_id: str, why: str, who: str, now: datetime, *, user_id: str = "") -> bool:
    """End a sign-in; False where it was over already.

    Args:
        session: Of the database.
        session_id: Which.
        why: For example "signed_out".
        who: Who ends it.
        now: The time.
        user_id: Whose it must be; empty for anybody's.

    Raises:
        UnknownNameError: There is none, or it is somebody else's.
    """
    row = session.get(UserSessionRow, session_id)
    if row is None or (user_id and row.user_id != user_id):
        raise UnknownNameError("session", session_id, (), advice="it may be over for long; list them again.")
    if row.ended_at is not None:
        return False
    row.ended_at, row.ended_why = now, why
    name = session.get_one(UserRow, row.user_id).name
    audit(session, who, "access.session_ended", {"session": session_id, "user": name, "why": why}, now)
    return True


def end_all(session: Session, user_id: str, why: str, now: datetime, *, keep: str = "") -> int:
    """End a user's sign-ins, all or all but one; how many those were. Whoever calls this tells of it."""
    ended = session.scalars(
        update(UserSessionRow)
        .where(UserSessionRow.user_id == user_id, UserSessionRow.ended_at.is_(None), UserSessionRow.session_id != keep)
        .values(ended_at=now, ended_why=why)
        .returning(UserSessionRow.session_id)
    )
    return len(ended.all())


def add_refresh(session: Session, session_id: str, digest: str, now: datetime) -> None:
    """Note a refresh token of a sign-in."""
    session.add(RefreshTokenRow(digest=digest, session_id=session_id, created_at=now))


def rotate(session: Session, digest: str, fresh: str, now: datetime) -> tuple[UserSession, bool] | None:
    """Put a fresh refresh token in the place of one.

    A token that is used a second time was copied: nobody can say who holds the right one, so the whole sign-in ends.

    Returns:
        The sign-in and whether it goes on; None where nobody knows the token, or its sign-in was over already.
    """
    found = session.get(RefreshTokenRow, digest)
    pair = live(session, found.session_id, now) if found is not None else None
    if found is None or pair is None:
        return None
    row, user = pair
    first = session.scalar(
        update(RefreshTokenRow)
        .where(RefreshTokenRow.digest == digest, RefreshTokenRow.used_at.is_(None))
        .values(used_at=now)
        .returning(RefreshTokenRow.digest)
    )
    if first is None:
        row.ended_at, row.ended_why = now, "token_reused"
        audit(session, user.name, "access.token_reused", {"session": row.session_id, "user": user.name}, now)
        return frozen(row, user.name), False
    add_refresh(session, row.session_id, fresh, now)
    row.last_seen_at = now
    return frozen(row, user.name), True


def of_refresh(session: Session, digest: str) -> str:
    """The sign-in that a refresh token is of; empty where there is none."""
    found = session.get(RefreshTokenRow, digest)
    return found.session_id if found is not None else ""


def prune(session: Session, now: datetime) -> None:
    """Forget sign-ins that are over for long, with their tokens."""
    old = select(UserSessionRow.session_id).where(UserSessionRow.expires_at < now - timedelta(days=_KEPT_DAYS))
    session.execute(delete(RefreshTokenRow).where(RefreshTokenRow.session_id.in_(old)))
    session.execute(delete(UserSessionRow).where(UserSessionRow.session_id.in_(old)))


def frozen(row: UserSessionRow, name: str) -> UserSession:
    """A row without its session."""
    return UserSession(
        row.session_id,
        row.user_id,
        name,
        SessionKind(row.kind),
        row.created_at,
        row.last_seen_at,
        row.expires_at,
        row.ended_at,
        row.ended_why,
        row.address,
        row.agent,
        row.provider,
    )
