"""What the API answers and takes about users, keys and sessions.

Takes values of the ledger, gives documents; must not hold a secret but the one that was just made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from deeplens_kit.ledger.access_values import ApiKey, Principal, Role, Scope, User, UserSession

__all__ = [
    "ChangedPassword",
    "ChangedUser",
    "EndedAnswer",
    "Id",
    "KeepKeys",
    "KeyAnswer",
    "KeysAnswer",
    "LinkAnswer",
    "MadeKeyAnswer",
    "Name",
    "NewKeyRequest",
    "NewUser",
    "RefreshRequest",
    "SessionAnswer",
    "SessionsAnswer",
    "SignInRequest",
    "TokenRequest",
    "TokensAnswer",
    "UserAnswer",
    "UsersAnswer",
    "WhoAnswer",
]

Id = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")]
"""In a path: of a key or a session."""

Name = Annotated[str, Path(min_length=1, max_length=200)]
"""In a path: of a user."""

KeepKeys = Annotated[bool, Query(description="Their keys stay good.")]
"""In a query: what ends does not end keys."""

_NAME = Field(min_length=1, max_length=200)
_PASSWORD = Field(min_length=1, max_length=1024)
_TOKEN = Field(min_length=1, max_length=4096)


class _Taken(BaseModel):
    """What is sent; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class WhoAnswer(BaseModel):
    """Whoever asks."""

    name: str
    role: Role | None = Field(description="Null where scopes were given one by one.")
    scopes: list[Scope]
    kind: str = Field(description="local, user, key or token.")
    csrf_token: str | None = Field(
        default=None, description="For the header `x-csrf-token`, where a cookie says who asks."
    )

    @classmethod
    def of(cls, who: Principal, csrf_token: str | None) -> WhoAnswer:
        """Of a principal."""
        return cls(name=who.name, role=who.role, scopes=sorted(who.scopes), kind=who.kind.value, csrf_token=csrf_token)


class SignInRequest(_Taken):
    """A name and a password, for tokens."""

    name: str = _NAME
    password: str = _PASSWORD
    scopes: list[Scope] = Field(default=[], description="What the tokens may do at most; empty for all that you may.")


class RefreshRequest(_Taken):
    """A refresh token."""

    refresh_token: str = _TOKEN


class TokenRequest(_Taken):
    """A token to be revoked."""

    token: str = Field(min_length=1, max_length=4096, description="An access or a refresh token of this server.")


class TokensAnswer(BaseModel):
    """What a program asks with."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: float = Field(description="Seconds.")
    refresh_token: str = Field(description="Gives the next pair, once. A second use ends the session.")
    session_id: str


class SessionAnswer(BaseModel):
    """One sign-in."""

    session_id: str
    kind: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    agent: str
    provider: str
    current: bool

    @classmethod
    def of(cls, session: UserSession, current: str) -> SessionAnswer:
        """Of a sign-in, and which one asks."""
        return cls(
            session_id=session.session_id,
            kind=session.kind.value,
            created_at=session.created_at,
            last_seen_at=session.last_seen_at,
            expires_at=session.expires_at,
            address=session.address,
            agent=session.agent,
            provider=session.provider,
            current=session.session_id == current,
        )


class SessionsAnswer(BaseModel):
    """Sign-ins that last, the latest first."""

    items: list[SessionAnswer]


class EndedAnswer(BaseModel):
    """What ended."""

    sessions: int = Field(description="Sign-ins that lasted until now.")
    keys: int = Field(description="Keys that were good until now, and are revoked.")


class ChangedPassword(_Taken):
    """The password as it is and as it is to be."""

    old: str = _PASSWORD
    new: str = _PASSWORD


class UserAnswer(BaseModel):
    """A user."""

    name: str
    role: Role
    active: bool
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    has_password: bool
    provider: str

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        """Of a user."""
        return cls(
            name=user.name,
            role=user.role,
            active=user.active,
            created_at=user.created_at,
            created_by=user.created_by,
            disabled_at=user.disabled_at,
            last_sign_in_at=user.last_sign_in_at,
            has_password=user.has_password,
            provider=user.provider,
        )


class UsersAnswer(BaseModel):
    """Users by name."""

    items: list[UserAnswer]


class NewUser(_Taken):
    """Whom to invite."""

    name: str = _NAME
    role: Role


class ChangedUser(_Taken):
    """What to change of a user; what is left out stays."""

    role: Role | None = None
    active: bool | None = None


class LinkAnswer(BaseModel):
    """A single-use link by which somebody sets their password; told this once."""

    user: UserAnswer
    link: str
    expires_at: datetime


class KeyAnswer(BaseModel):
    """A key, without itself."""

    key_id: str
    user: str
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyAnswer:
        """Of a key."""
        return cls(
            key_id=key.key_id,
            user=key.user_name,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )


class KeysAnswer(BaseModel):
    """Keys, the latest first."""

    items: list[KeyAnswer]


class NewKeyRequest(_Taken):
    """A key to make."""

    name: str = _NAME
    scopes: list[Scope] = Field(min_length=1)
    lifetime_days: float | None = Field(default=None, gt=0, le=36500, description="Null for one that does not expire.")
    user: str | None = Field(default=None, max_length=200, description="Whose; by default yours. Others' need admin.")


class MadeKeyAnswer(BaseModel):
    """A key that was just made; told this once."""

    key: KeyAnswer
    secret: str = Field(description="The key itself.")
