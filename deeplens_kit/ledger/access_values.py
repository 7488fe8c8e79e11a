"""Who may do what: scopes, the roles that are sets of them, and whoever asks.

Takes nothing and gives frozen values; must not know how somebody proves who they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deeplens_kit.errors import AccessDeniedError, NotAuthenticatedError
from deeplens_kit.ledger.holder import current_person

__all__ = [
    "NOBODY",
    "ROLE_SCOPES",
    "AccessLink",
    "ApiKey",
    "EndedAccess",
    "LinkPurpose",
    "Principal",
    "PrincipalKind",
    "Role",
    "Scope",
    "SessionKind",
    "SignInWays",
    "User",
    "UserSession",
    "local_principal",
]


class Scope(StrEnum):
    """What somebody may do; as in a token's `scope`."""

    SEARCH_READ = "search:read"
    IMAGES_READ = "images:read"
    IMAGES_WRITE = "images:write"
    IMAGES_DELETE = "images:delete"
    PLANS_APPROVE = "plans:approve"
    ADMIN = "admin"


class Role(StrEnum):
    """A set of scopes with a name, each with all that the one before it has."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEWER = frozenset({Scope.SEARCH_READ, Scope.IMAGES_READ})
_ANALYST = _VIEWER | {Scope.IMAGES_WRITE}
_APPROVER = _ANALYST | {Scope.IMAGES_DELETE, Scope.PLANS_APPROVE}

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.ANALYST: _ANALYST,
    Role.APPROVER: _APPROVER,
    Role.ADMIN: frozenset(Scope),
}
"""Viewers search and look; analysts index, label, decide and make plans; approvers approve and apply them; admins also
look after locations and users."""


class PrincipalKind(StrEnum):
    """How somebody proved who they are."""

    LOCAL = "local"
    """Whoever uses this machine: access is off, and only 127.0.0.1 is served."""
    USER = "user"
    KEY = "key"
    TOKEN = "token"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks.

    Attributes:
        name: What to call them on screens and in the audit trail.
        role: Of a user; None where scopes were given one by one.
        scopes: What they may do.
        kind: How they proved who they are.
        user_id: Of a user of ours; empty where there is none.
        credential_id: Of the session or key; empty where there is none.
    """

    name: str
    role: Role | None
    scopes: frozenset[Scope]
    kind: PrincipalKind
    user_id: str = ""
    credential_id: str = ""

    def may(self, scope: Scope | str) -> bool:
        """Whether they may do this."""
        return Scope(scope) in self.scopes

    def require(self, scope: Scope | str) -> None:
        """Raise unless they may do this.

        Raises:
            NotAuthenticatedError: Nobody has signed in.
            AccessDeniedError: They have not this scope.
        """
        if self.may(scope):
            return
        if self.kind is PrincipalKind.NOBODY:
            raise NotAuthenticatedError("This needs signing in; sign in, or send an API key or a token.")
        raise AccessDeniedError(self.name, str(Scope(scope)))

    def require_in_person(self) -> None:
        """Raise unless a person asks, signed in in a browser or at this machine.

        What makes more access takes that: one who holds a key or token that leaked would live on in what they made.

        Raises:
            AccessDeniedError: A key or token asks, whatever its scopes.
        """
        if self.kind in (PrincipalKind.KEY, PrincipalKind.TOKEN):
            raise AccessDeniedError(self.name, why="no key or token may. Sign in in a browser for that.")


NOBODY = Principal("nobody", None, frozenset(), PrincipalKind.NOBODY)
"""Nobody has said who they are."""


def local_principal() -> Principal:
    """Whoever uses this machine, who may do everything."""
    return Principal(current_person(), Role.ADMIN, frozenset(Scope), PrincipalKind.LOCAL)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in.

    Attributes:
        user_id: Random hexadecimal; stays for ever.
        name: Unique; how they are named in the audit trail.
        role: What they may do.
        created_at: UTC.
        created_by: Who invited them.
        disabled_at: Since when they may not sign in; None while they may.
        last_sign_in_at: UTC; None before the first.
        has_password: Whether they can sign in by password.
        provider: Name of the provider that they come from; empty for those who were invited.
        role_by_provider: Their role follows what the provider says at each sign-in.
    """

    user_id: str
    name: str
    role: Role
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    has_password: bool
    provider: str
    role_by_provider: bool

    @property
    def active(self) -> bool:
        """Whether they may sign in."""
        return self.disabled_at is None

    @property
    def scopes(self) -> frozenset[Scope]:
        """What they may do."""
        return ROLE_SCOPES[self.role]


@dataclass(frozen=True, slots=True)
class SignInWays:
    """By what users can sign in to a server as it is set up.

    Attributes:
        passwords: By password.
        providers: By these providers; None for whatever provider they come from.
    """

    passwords: bool = True
    providers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class EndedAccess:
    """What ended of what a user held.

    Attributes:
        sessions: Sign-ins.
        keys: Keys that were revoked.
    """

    sessions: int
    keys: int


class LinkPurpose(StrEnum):
    """What a single-use link is for."""

    INVITE = "invite"
    RESET = "reset"
    """Another may know the password: sign-ins and keys end when the link is made, and when it is used."""
    FORGOTTEN = "forgotten"
    """The password was forgotten: keys stay."""


@dataclass(frozen=True, slots=True)
class AccessLink:
    """A link by which somebody sets their password, once.

    Attributes:
        user: Who.
        purpose: Why it was made.
        created_at: UTC.
        created_by: Who made it.
        expires_at: UTC.
    """

    user: User
    purpose: LinkPurpose
    created_at: datetime
    created_by: str
    expires_at: datetime


class SessionKind(StrEnum):
    """What holds a session."""

    BROWSER = "browser"
    TOKEN = "token"
    """A program that refreshes its access token."""


@dataclass(frozen=True, slots=True)
class UserSession:
    """One sign-in of a user.

    Attributes:
        session_id: Random hexadecimal.
        user_id: Whose.
        user_name: How they are called.
        kind: A browser's or a program's.
        created_at: UTC.
        last_seen_at: UTC, to the minute.
        expires_at: UTC.
        ended_at: UTC; None while it lasts.
        ended_why: Empty while it lasts.
        address: Where it was begun from.
        agent: What the browser calls itself.
        provider: By which they signed in; empty for the password.
    """

    session_id: str
    user_id: str
    user_name: str
    kind: SessionKind
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_why: str
    address: str
    agent: str
    provider: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by which a program asks in the name of a user.

    Attributes:
        key_id: Random hexadecimal.
        user_id: Whose.
        user_name: How they are called.
        name: What it is for.
        prefix: How it begins, to tell it from others.
        scopes: What it may do at most; never more than its user may.
        created_at: UTC.
        created_by: Who made it.
        expires_at: UTC; None for one that does not.
        last_used_at: UTC, to the minute; None before the first use.
        revoked_at: UTC; None while it is good.
        revoked_by: Empty while it is good.
    """

    key_id: str
    user_id: str
    user_name: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
