"""Acts on users, keys and sign-ins, for the command, the API and the pages alike.

Takes the ledger, settings and names, gives frozen values and, once, a secret in clear; must not look at whether whoever
acts may: that is done before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.access_values import ApiKey, LinkPurpose, Role, Scope, SignInWays, User
from deeplens_kit.service.access.credentials import new_key, new_secret
from deeplens_kit.service.access.paths import LINK

if TYPE_CHECKING:
    from deeplens_kit.ledger import Ledger
    from deeplens_kit.settings import SignInSettings

__all__ = [
    "Invitation",
    "NewKey",
    "change_password",
    "invite",
    "known_role",
    "known_scopes",
    "make_key",
    "reset_link",
    "set_active",
    "set_role",
    "ways_of",
]

_HOUR_SECONDS = 3600.0
_DAY_SECONDS = 86400.0
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Invitation:
    """A single-use link that was just made.

    Attributes:
        user: For whom.
        path: On this server, with the secret: told once, to whom it is for.
        expires_at: UTC.
    """

    user: User
    path: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: What is kept of it.
        text: The key itself: told once.
    """

    key: ApiKey
    text: str = field(repr=False)


def invite(ledger: Ledger, settings: SignInSettings, name: str, role: Role | str) -> Invitation:
    """Add a user and make the link by which they set their password.

    Raises:
        SettingsError: The name is taken or not allowed.
        UnknownNameError: There is no such role.
    """
    ledger.add_user(name, known_role(role))
    return _linked(ledger, settings, name, LinkPurpose.INVITE)


def reset_link(ledger: Ledger, settings: SignInSettings, name: str, *, keep_keys: bool = False) -> Invitation:
    """Make a link by which a user sets a new password; the old one is good until then.

    Args:
        ledger: The ledger.
        settings: How long the link is good.
        name: Whose.
        keep_keys: They forgot their password, and nobody else knows it: sign-ins end when the link is used, and keys
            stay. Else their sign-ins end and their keys are revoked at once, and once more when the link is used.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: They are disabled, or come from a provider.
    """
    user = ledger.user(name)
    if user.provider:
        raise SettingsError(f"User {user.name!r} signs in by {user.provider!r} and has no password here.")
    return _linked(ledger, settings, name, LinkPurpose.FORGOTTEN if keep_keys else LinkPurpose.RESET)


def set_role(ledger: Ledger, settings: SignInSettings, name: str, role: Role | str) -> User:
    """Give a user another role.

    Raises:
        UnknownNameError: There is no such user or role.
        SettingsError: They are the last administrator who can sign in.
    """
    return ledger.set_user_role(name, known_role(role), ways_of(settings))


def set_active(ledger: Ledger, settings: SignInSettings, name: str, active: bool) -> User:
    """Let a user sign in, or not any more.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: They are the last administrator who can sign in.
    """
    return ledger.set_user_active(name, active, ways_of(settings))


def ways_of(settings: SignInSettings) -> SignInWays:
    """By what users can sign in to a server with these settings."""
    return SignInWays(settings.passwords, frozenset(one.name for one in settings.providers))


def make_key(
    ledger: Ledger, user: str, name: str, scopes: Collection[Scope], lifetime_days: float | None = None
) -> NewKey:
    """Make an API key of a user.

    Args:
        ledger: The ledger.
        user: Whose; it never may more than they.
        name: What it is for.
        scopes: What it may do.
        lifetime_days: How long it is good; None for ever.

    Raises:
        UnknownNameError: There is no such user.
        SettingsError: A name, scope or lifetime is not allowed.
    """
    if lifetime_days is not None and not 0 < lifetime_days <= _MOST_DAYS:
        raise SettingsError(
            f"A key cannot be good for {lifetime_days:g} days; give more than 0 and at most {_MOST_DAYS:,}, or none."
        )
    secret = new_key()
    seconds = lifetime_days * _DAY_SECONDS if lifetime_days is not None else None
    return NewKey(ledger.add_api_key(user, name, secret.prefix, secret.digest, scopes, seconds), secret.text)


def change_password(ledger: Ledger, user_id: str, old: str, new: str, *, keep_session: str = "") -> None:
    """Change the password of somebody who knows the old one; their other sessions end.

    Raises:
        SettingsError: The old one is wrong, or the new one is not allowed.
        UnknownNameError: There is no such user.
    """
    # Argon2 comes with the server; users are invited without it.
    from deeplens_kit.service.access.passwords import check_password, hash_password, is_right

    user = ledger.user_of_id(user_id)
    if user is None:
        raise UnknownNameError("user", user_id, ())
    known = ledger.password_hash(user.name)
    if not is_right(old, known[1] if known is not None else ""):
        raise SettingsError("The password that you have now is another one; try again, or ask for a reset link.")
    check_password(new, user.name)
    ledger.set_password_hash(user_id, hash_password(new), keep=keep_session)


def known_role(role: Role | str) -> Role:
    """A role by its name; UnknownNameError where there is none."""
    try:
        return Role(role)
    except ValueError as error:
        raise UnknownNameError("role", str(role), [str(one) for one in Role]) from error


def known_scopes(names: Collection[str]) -> frozenset[Scope]:
    """Scopes by their names; UnknownNameError where there is none of a name."""
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError as error:
        wrong = next(name for name in names if name not in {str(scope) for scope in Scope})
        raise UnknownNameError("scope", wrong, [str(one) for one in Scope]) from error


def _linked(ledger: Ledger, settings: SignInSettings, name: str, purpose: LinkPurpose) -> Invitation:
    secret = new_secret()
    made = ledger.make_access_link(name, purpose, secret.digest, settings.link_hours * _HOUR_SECONDS)
    return Invitation(made.user, f"{LINK}?token={secret.text}", made.expires_at)
