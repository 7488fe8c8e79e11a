"""The relational tables of users, keys and sessions, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values. No secret is in them: passwords as argon2id makes of them, all other
secrets are 256 random bits and stand here as their SHA-256.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Boolean, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["AccessLinkRow", "ApiKeyRow", "IdentityRow", "RefreshTokenRow", "UserRow", "UserSessionRow"]


class UserRow(Base):
    """Somebody who may sign in."""

    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    # The name without case: two users do not look alike in the audit trail.
    folded: Mapped[str] = mapped_column(String(400), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcTime)
    provider: Mapped[str] = mapped_column(String(200))
    role_by_provider: Mapped[bool] = mapped_column(Boolean)


class IdentityRow(Base):
    """Who a user is to a provider."""

    __tablename__ = "user_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    identity_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(500))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)


class AccessLinkRow(Base):
    """A single-use link."""

    __tablename__ = "access_links"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class UserSessionRow(Base):
    """One sign-in."""

    __tablename__ = "user_sessions"

    session_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    # Of the secret in a browser's cookie; empty for a program, whose refresh tokens are in a table of their own.
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_why: Mapped[str] = mapped_column(String(50))
    address: Mapped[str] = mapped_column(String(100))
    agent: Mapped[str] = mapped_column(String(200))
    provider: Mapped[str] = mapped_column(String(200))


class RefreshTokenRow(Base):
    """A refresh token; used ones stay, so that a second use is seen."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("user_sessions.session_id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ApiKeyRow(Base):
    """A key of a program."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_by: Mapped[str] = mapped_column(Text)
