"""Signing in and out, and how programs go on.

Takes a gate and what somebody gives to prove who they are, gives a session or a refusal that does not say which part
was wrong; must not know whether a page or a program asks. Every try is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.ledger.access_values import Principal, PrincipalKind, Scope, SessionKind, User
from deeplens_kit.ledger.holder import acting_as
from deeplens_kit.service.access.credentials import digest_of, new_refresh_token, new_secret
from deeplens_kit.service.access.gate import Gate
from deeplens_kit.service.access.passwords import check_password, hash_password, is_right, needs_new_hash
from deeplens_kit.service.access.rates import house_of

__all__ = [
    "BrowserSession",
    "Tokens",
    "Visit",
    "begin_visit",
    "issue_tokens",
    "proved_by_password",
    "refreshed",
    "refuse",
    "revoke_token",
    "sign_out",
    "use_link",
]

_HOUR_SECONDS, _DAY_SECONDS, _MINUTE_SECONDS = 3600.0, 86400.0, 60.0
_WRONG = "The name or the password is wrong, or you may not sign in; try again, or ask an administrator."


@dataclass(frozen=True, slots=True)
class Visit:
    """Where somebody signs in from.

    Attributes:
        address: Theirs.
        agent: What their browser or program calls itself.
    """

    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """What a browser that has signed in keeps.

    Attributes:
        cookie: Value of the session's cookie.
        csrf_token: What pages send along.
        user: Who it is.
        expires_at: UTC.
    """

    cookie: str = field(repr=False)
    csrf_token: str = field(repr=False)
    user: User
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program that has signed in keeps.

    Attributes:
        access_token: Good for a while.
        expires_in_seconds: How long.
        refresh_token: Gives the next pair, once.
        session_id: By which both can be revoked.
    """

    access_token: str = field(repr=False)
    expires_in_seconds: float
    refresh_token: str = field(repr=False)
    session_id: str


def proved_by_password(gate: Gate, name: str, password: str, visit: Visit) -> User:
    """The user of a name and a password.

    Raises:
        NotAuthenticatedError: One of the two is wrong, or they may not sign in.
        RateLimitedError: It was tried too often.
    """
    gate.rates.try_to_sign_in(visit.address, name, known=_is_known_address(gate, visit.address, name))
    known = gate.ledger.password_hash(name) if gate.settings.passwords else None
    user, hashed = known if known is not None else (None, "")
    # Looked at in any case, so that time does not tell who there is.
    if not is_right(password, hashed) or user is None or not user.active:
        refuse(gate, user.name if user is not None else "", visit, "disabled" if user and not user.active else "wrong")
    if needs_new_hash(hashed):
        gate.ledger.set_password_hash(user.user_id, hash_password(password), quiet=True)
    gate.rates.signed_in(visit.address, name)
    return user


def refuse(gate: Gate, name: str, visit: Visit, why: str, provider: str = "") -> NoReturn:
    """Tell of a try that went wrong, and end it.

    Args:
        gate: The gate.
        name: Of a user of ours; empty for anybody else: what was typed may be a password in the wrong field.
        visit: Where they come from.
        why: In a word.
        provider: By whom they came.

    Raises:
        NotAuthenticatedError: Always.
    """
    details = {"user": name, "address": visit.address, "why": why, "provider": provider}
    if gate.rates.may_tell(visit.address):
        with acting_as(name or "nobody"):
            gate.ledger.record_audit("access.sign_in_refused", details)
    raise NotAuthenticatedError(_WRONG)


def begin_visit(gate: Gate, user: User, visit: Visit, provider: str = "") -> BrowserSession:
    """Sign a browser in."""
    secret = new_secret()
    begun = gate.ledger.begin_user_session(
        user.user_id,
        secret.digest,
        gate.settings.session_hours * _HOUR_SECONDS,
        address=visit.address,
        agent=visit.agent,
        provider=provider,
    )
    cookie = gate.cookie_for(begun.session_id, secret.text)
    return BrowserSession(cookie, gate.csrf_token(begun.session_id), user, begun.expires_at)


def use_link(gate: Gate, token: str, password: str, visit: Visit) -> User:
    """Set a password by a single-use link.

    Raises:
        NotAuthenticatedError: The link is not good any more.
        SettingsError: The password is not allowed; the link stays good.
        RateLimitedError: It was tried too often.
    """
    digest = digest_of(token)
    gate.rates.try_to_sign_in(visit.address, digest)
    found = gate.ledger.access_link(digest)
    if found is None:
        raise _link_over()
    check_password(password, found.user.name)
    user = gate.ledger.use_access_link(digest, hash_password(password))
    if user is None:
        raise _link_over()
    return user


def issue_tokens(gate: Gate, user: User, scopes: Collection[Scope], visit: Visit) -> Tokens:
    """Sign a program in; it never may more than the user.

    Args:
        gate: The gate.
        user: In whose name.
        scopes: What it may at most; empty for all that the user may.
        visit: Where it comes from.
    """
    refresh = new_refresh_token()
    begun = gate.ledger.begin_user_session(
        user.user_id,
        "",
        gate.settings.refresh_days * _DAY_SECONDS,
        kind=SessionKind.TOKEN,
        scopes=scopes,
        address=visit.address,
        agent=visit.agent,
        refresh_digest=refresh.digest,
    )
    return _tokens(gate, begun.session_id, refresh.text)


def refreshed(gate: Gate, refresh_token: str, visit: Visit) -> Tokens:
    """The next pair of tokens; the refresh token is used up.

    Raises:
        NotAuthenticatedError: It is not good, or was used before: then all that came of it ends.
        RateLimitedError: Wrong ones were sent too often.
    """
    fresh = new_refresh_token()
    rotated = gate.ledger.rotate_refresh_token(digest_of(refresh_token), fresh.digest)
    if rotated is None or not rotated[1]:
        gate.rates.wrong_credential(visit.address)
        why = "was used before, so all that came of it has ended" if rotated is not None else "is wrong or has expired"
        raise NotAuthenticatedError(f"The refresh token {why}; sign in again.")
    return _tokens(gate, rotated[0].session_id, fresh.text)


def revoke_token(gate: Gate, token: str) -> bool:
    """End what a token of ours is part of; False where it is none, or over already."""
    session_id = gate.session_of_access_token(token) or gate.ledger.session_of_refresh_token(digest_of(token))
    return bool(session_id) and gate.ledger.end_user_session(session_id, "revoked")


def sign_out(gate: Gate, principal: Principal) -> bool:
    """End the session by which somebody asks; False for who has none."""
    if not principal.user_id or principal.kind not in (PrincipalKind.USER, PrincipalKind.TOKEN):
        return False
    return gate.ledger.end_user_session(principal.credential_id, "signed_out", user_id=principal.user_id)


def _is_known_address(gate: Gate, address: str, name: str) -> bool:
    return house_of(address) in {house_of(one) for one in gate.ledger.addresses_of_user(name)}


def _tokens(gate: Gate, session_id: str, refresh_token: str) -> Tokens:
    lifetime = gate.settings.token_minutes * _MINUTE_SECONDS
    return Tokens(gate.access_token(session_id, lifetime), lifetime, refresh_token, session_id)


def _link_over() -> NotAuthenticatedError:
    return NotAuthenticatedError("This link was used, has expired, or another one took its place; ask for a new one.")
