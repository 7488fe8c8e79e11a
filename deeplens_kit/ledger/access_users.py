"""Rows of users and of the single-use links by which they set their password.

Takes a session, names, roles and digests, gives frozen values; must not commit (the ledger does) and never sees a
password or a link's secret, only what argon2id and SHA-256 make of them. Every change leaves a line in the audit trail.
"""

from __future__ import annotations

import secrets
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.access_models import AccessLinkRow, IdentityRow, UserRow
from deeplens_kit.ledger.access_sessions import end_all
from deeplens_kit.ledger.access_values import AccessLink, LinkPurpose, Role, SignInWays, User
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.notes import check_name

__all__ = [
    "add",
    "find",
    "frozen",
    "identified",
    "link",
    "listed",
    "make_link",
    "of_id",
    "secret_of",
    "set_active",
    "set_password",
    "set_provider_role",
    "set_role",
    "use_link",
]

_ID_BYTES = 8


def add(
    session: Session,
    name: str,
    role: Role,
    who: str,
    now: datetime,
    *,
    provider: str = "",
    issuer: str = "",
    subject: str = "",
) -> User:
    """Add a user, who cannot sign in yet unless a provider vouches for them.

    Raises:
        SettingsError: The name is taken or not allowed.
    """
    name = check_name("user", name)
    row = UserRow(
        user_id=secrets.token_hex(_ID_BYTES),
        name=name,
        folded=_folded(name),
        role=role.value,
        password_hash="",
        created_at=now,
        created_by=who,
        provider=provider,
        role_by_provider=bool(provider),
    )
    try:
        # Within a savepoint: who added one of this name a moment ago does not cost the transaction.
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise SettingsError(f"There is a user named {name!r} already; choose another name.") from error
    if provider:
        session.add(IdentityRow(issuer=issuer, subject=subject, user_id=row.user_id))
    session.flush()
    audit(session, who, "user.added", {"user": name, "role": role.value, "provider": provider}, now)
    return frozen(row)


def listed(session: Session) -> list[User]:
    """Every user by name, those who may not sign in too."""
    rows = session.scalars(select(UserRow))
    return sorted((frozen(row) for row in rows), key=lambda user: (_folded(user.name), user.user_id))


def find(session: Session, name: str) -> UserRow:
    """The row of a name, however its letters are cased.

    Raises:
        UnknownNameError: There is none; the nearest is suggested.
    """
    row = session.scalar(select(UserRow).where(UserRow.folded == _folded(name)))
    if row is None:
        raise UnknownNameError("user", name, session.scalars(select(UserRow.name)))
    return row


def of_id(session: Session, user_id: str) -> UserRow | None:
    """The row of an id."""
    return session.get(UserRow, user_id)


def identified(session: Session, issuer: str, subject: str) -> User | None:
    """The user whom a provider knows by a subject."""
    query = select(UserRow).join(IdentityRow, IdentityRow.user_id == UserRow.user_id)
    row = session.scalar(query.where(IdentityRow.issuer == issuer, IdentityRow.subject == subject))
    return frozen(row) if row is not None else None


def secret_of(session: Session, name: str) -> tuple[User, str] | None:
    """A user and what argon2id made of their password, empty where they have none; None where there is no user."""
    row = session.scalar(select(UserRow).where(UserRow.folded == _folded(name)))
    return (frozen(row), row.password_hash) if row is not None else None


def set_role(session: Session, name: str, role: Role, who: str, now: datetime, ways: SignInWays) -> User:
    """Give a user another role, which a provider does not change any more.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: They are the last administrator.
    """
    row = find(session, name)
    if role is not Role.ADMIN:
        _keep_an_admin(session, row, ways)
    was, row.role, row.role_by_provider = row.role, role.value, False
    if was != role.value:
        audit(session, who, "user.role_changed", {"user": row.name, "role": role.value, "was": was}, now)
    return frozen(row)


def set_provider_role(session: Session, user_id: str, role: Role, now: datetime, ways: SignInWays) -> User:
    """Let a role follow what its user's provider says, unless a person has set it; the last administrator stays one."""
    row = session.get_one(UserRow, user_id)
    if row.role_by_provider and row.role != role.value:
        if _is_last_admin(session, row, ways):
            details = {"user": row.name, "role": row.role, "said": role.value, "provider": row.provider}
            audit(session, row.name, "user.role_kept", details, now)
            return frozen(row)
        was, row.role = row.role, role.value
        details = {"user": row.name, "role": role.value, "was": was, "provider": row.provider}
        audit(session, row.name, "user.role_changed", details, now)
    return frozen(row)


def set_active(session: Session, name: str, active: bool, who: str, now: datetime, ways: SignInWays) -> User:
    """Let a user sign in, or not any more: their sessions and links end at once, their keys rest.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: They are the last administrator.
    """
    row = find(session, name)
    if active and row.disabled_at is not None:
        row.disabled_at = None
        audit(session, who, "user.enabled", {"user": row.name}, now)
    if not active and row.disabled_at is None:
        _keep_an_admin(session, row, ways)
        row.disabled_at = now
        ended = end_all(session, row.user_id, "disabled", now)
        _cancel_links(session, row.user_id, now)
        audit(session, who, "user.disabled", {"user": row.name, "sessions_ended": ended}, now)
    return frozen(row)


def set_password(
    session: Session, user_id: str, password_hash: str, who: str, now: datetime, *, keep: str = "", quiet: bool = False
) -> User:
    """Set what argon2id made of a password; other sessions of the user end.

    Args:
        session: Of the database.
        user_id: Whose.
        password_hash: As argon2id gives it.
        who: Who sets it.
        now: The time.
        keep: The session that goes on.
        quiet: It is the same password with other parameters: nothing ends, nothing is told.
    """
    row = session.get_one(UserRow, user_id)
    row.password_hash = password_hash
    if not quiet:
        ended = end_all(session, user_id, "password_changed", now, keep=keep)
        _cancel_links(session, user_id, now)
        audit(session, who, "user.password_set", {"user": row.name, "sessions_ended": ended}, now)
    return frozen(row)


def make_link(
    session: Session, name: str, purpose: LinkPurpose, digest: str, lifetime_seconds: float, who: str, now: datetime
) -> AccessLink:
    """Make a single-use link; earlier ones of the user are not good any more.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: They are disabled.
    """
    row = find(session, name)
    if row.disabled_at is not None:
        raise SettingsError(f"User {row.name!r} is disabled, so no link is made; enable them first.")
    _cancel_links(session, row.user_id, now)
    expires_at = now + timedelta(seconds=lifetime_seconds)
    made = AccessLinkRow(
        digest=digest, user_id=row.user_id, purpose=purpose.value, created_at=now, created_by=who, expires_at=expires_at
    )
    session.add(made)
    session.flush()
    details = {"user": row.name, "purpose": purpose.value, "expires_at": expires_at.isoformat()}
    audit(session, who, "user.link_made", details, now)
    return _link(row, made)


def link(session: Session, digest: str, now: datetime) -> AccessLink | None:
    """A link that is still good."""
    found = session.get(AccessLinkRow, digest)
    if found is None or found.used_at is not None or found.expires_at <= now:
        return None
    row = session.get_one(UserRow, found.user_id)
    return _link(row, found) if row.disabled_at is None else None


def use_link(session: Session, digest: str, password_hash: str, now: datetime) -> User | None:
    """Set a user's password by a link, once; None where it is not good any more."""
    found = link(session, digest, now)
    if found is None:
        return None
    # The database says who is first: of two that use it at once, one finds it used.
    used = session.scalar(
        update(AccessLinkRow)
        .where(AccessLinkRow.digest == digest, AccessLinkRow.used_at.is_(None))
        .values(used_at=now)
        .returning(AccessLinkRow.user_id)
    )
    if used is None:
        return None
    return set_password(session, found.user.user_id, password_hash, found.user.name, now)


def frozen(row: UserRow) -> User:
    """A row without its session."""
    return User(
        row.user_id,
        row.name,
        Role(row.role),
        row.created_at,
        row.created_by,
        row.disabled_at,
        row.last_sign_in_at,
        bool(row.password_hash),
        row.provider,
        row.role_by_provider,
    )


def _link(row: UserRow, made: AccessLinkRow) -> AccessLink:
    return AccessLink(frozen(row), LinkPurpose(made.purpose), made.created_at, made.created_by, made.expires_at)


def _cancel_links(session: Session, user_id: str, now: datetime) -> None:
    session.execute(
        update(AccessLinkRow)
        .where(AccessLinkRow.user_id == user_id, AccessLinkRow.used_at.is_(None))
        .values(used_at=now)
    )


def _keep_an_admin(session: Session, row: UserRow, ways: SignInWays) -> None:
    if _is_last_admin(session, row, ways):
        raise SettingsError(
            f"{row.name!r} is the last administrator who can sign in; make another one first, for example with "
            "`deeplens users role NAME admin`. Who was invited counts once they have set a password."
        )


def _is_last_admin(session: Session, row: UserRow, ways: SignInWays) -> bool:
    """Whether somebody is an administrator who can sign in, and no other one can."""
    if not _administers(row, ways):
        return False
    # Locked, so that of two administrators who disable each other at once one stays. The rows that one holds are read
    # anew with the lock, for the other may have been disabled while it was waited for.
    query = select(UserRow).where(UserRow.role == Role.ADMIN.value).order_by(UserRow.user_id)
    found = session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()
    return not any(_administers(other, ways) for other in found if other.user_id != row.user_id)


def _administers(row: UserRow, ways: SignInWays) -> bool:
    """Whether somebody is an administrator and can sign in: a person who cannot is none."""
    by_password = ways.passwords and bool(row.password_hash)
    by_provider = bool(row.provider) and (ways.providers is None or row.provider in ways.providers)
    return row.role == Role.ADMIN.value and row.disabled_at is None and (by_password or by_provider)


def _folded(name: str) -> str:
    # PostgreSQL takes no NUL in a text, not even to look for it.
    plain = name.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
