"""Frozen settings of who may sign in and by what: passwords, providers, tokens of others, and how many tries.

Takes values, refuses those that are not allowed; must not read a secret: what is one stands here as a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from deeplens_kit.errors import SettingsError

__all__ = ["ALGORITHMS", "ProviderSettings", "SignInSettings", "TokenSettings"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that are believed: those whose key to check by is public. With HS256 whoever can check can also sign."""

_KINDS = ("oidc", "oauth2")
_ROLES = ("viewer", "analyst", "approver", "admin")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Somebody who vouches for users: an OpenID provider, or a plain OAuth 2 server such as GitHub's.

    Attributes:
        name: In paths; small letters, digits and dashes.
        kind: "oidc", or "oauth2" for a server that gives no ID token.
        label: On the button.
        issuer: Of an OpenID provider; what else is needed is found there.
        client_id: Of this server, as the provider knows it.
        client_secret: A reference such as `${NAME}`; empty for a client without one.
        scopes: That are asked for.
        name_claim: What users are called; a dot leads into an object.
        subject_claim: What a user is known by and never changes.
        roles_claim: Holds what `roles` is looked up by: a text, or a list of texts.
        roles: Our roles by those texts; of several the highest holds.
        default_role: Of who has none of them; empty lets nobody else in.
        authorize_url: Of plain OAuth 2.
        token_url: Of plain OAuth 2.
        userinfo_url: Of plain OAuth 2; answers who the user is.
        groups_url: Of plain OAuth 2; answers a list of what the user belongs to. Empty for none.
        groups_name: The field of its items that names them.
        algorithms: Of ID tokens.
    """

    name: str = ""
    kind: str = "oidc"
    label: str = ""
    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    subject_claim: str = "sub"
    roles_claim: str = "groups"
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = ""
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    groups_url: str = ""
    groups_name: str = "login"
    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __post_init__(self) -> None:
        where = f"sign_in.providers.{self.name}"
        if not self.name.replace("-", "").isalnum() or self.name != self.name.lower() or len(self.name) > _LONGEST_NAME:
            raise SettingsError(f"{self.name!r} cannot name a provider; use small letters, digits and dashes.")
        if self.kind not in _KINDS:
            raise SettingsError(f"Setting '{where}.kind' is {self.kind!r}; allowed are {', '.join(_KINDS)}.")
        needed = ("issuer",) if self.kind == "oidc" else ("authorize_url", "token_url", "userinfo_url")
        for key in (*needed, "client_id"):
            if not getattr(self, key):
                raise SettingsError(f"Setting '{where}.{key}' is missing; a provider of kind {self.kind!r} needs it.")
        for key in ("issuer", "authorize_url", "token_url", "userinfo_url", "groups_url"):
            _check_url(f"{where}.{key}", getattr(self, key))
        if self.kind == "oidc" and "openid" not in self.scopes:
            raise SettingsError(f"Setting '{where}.scopes' must hold \"openid\"; without it there is no ID token.")
        _check_secret(f"{where}.client_secret", self.client_secret)
        _check_roles(where, self.roles, self.default_role)
        _check_algorithms(f"{where}.algorithms", self.algorithms)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Somebody whose bearer tokens are taken.

    Attributes:
        name: In messages.
        issuer: As tokens name it.
        audience: As tokens must name us; never that of an OpenID client, whose ID tokens are no access tokens.
        jwks_url: With the public keys; empty to find it at the issuer.
        algorithms: That are believed.
        scope_claim: Holds scopes: a text with spaces, or a list.
        scope_prefix: Stands before our scopes there, as in "deeplens:search:read".
        name_claim: What whoever asks is called.
        roles_claim: Holds what `roles` is looked up by; empty for scopes alone.
        roles: Our roles by those texts.
        introspection_url: Of opaque tokens; empty where there are none.
        client_id: By which it is asked.
        client_secret: A reference such as `${NAME}`.
        introspected_seconds: How long an answer is believed; a token that is revoked is good so long at most.
        leeway_seconds: By which clocks may differ.
    """

    name: str = ""
    issuer: str = ""
    audience: str = ""
    jwks_url: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    scope_claim: str = "scope"
    scope_prefix: str = ""
    name_claim: str = "sub"
    roles_claim: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    introspection_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    introspected_seconds: float = 10.0
    leeway_seconds: float = 30.0

    def __post_init__(self) -> None:
        where = f"sign_in.tokens.{self.name}"
        for key in ("issuer", "audience"):
            if not getattr(self, key):
                raise SettingsError(f"Setting '{where}.{key}' is missing; a token is not believed without it.")
        for key in ("issuer", "jwks_url", "introspection_url"):
            _check_url(f"{where}.{key}", getattr(self, key))
        for key in ("introspected_seconds", "leeway_seconds"):
            if getattr(self, key) < 0:
                raise SettingsError(f"Setting '{where}.{key}' is {getattr(self, key):g}; it must be at least 0.")
        _check_secret(f"{where}.client_secret", self.client_secret)
        _check_roles(where, self.roles, "")
        _check_algorithms(f"{where}.algorithms", self.algorithms)


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """Who may sign in, by what, and how often.

    Attributes:
        passwords: Users may sign in by password.
        session_hours: How long a browser stays signed in.
        link_hours: How long an invitation or a reset link is good.
        token_minutes: How long an access token of ours is good; it is refreshed after that.
        refresh_days: How long a program may go on refreshing.
        secret: A reference to what signs sessions, at least 32 letters; empty keeps a key in the workspace's folder.
            Servers that share a ledger must share it.
        requests_per_minute: Of one user or key.
        address_requests_per_minute: Of one address of whoever has not said who they are.
        tries_per_minute: To sign in, by one address and for one user, and so many wrong keys and tokens.
        rates_url: Where requests are counted, as `limits` names it, for example "redis://10.0.0.5:6379"; "memory://"
            counts in each process for itself.
        providers: Who vouches for users.
        tokens: Whose bearer tokens are taken.
    """

    passwords: bool = True
    session_hours: float = 12.0
    link_hours: float = 72.0
    token_minutes: float = 10.0
    refresh_days: float = 30.0
    secret: str = ""
    requests_per_minute: int = 6000
    address_requests_per_minute: int = 600
    tries_per_minute: int = 10
    rates_url: str = "memory://"
    providers: tuple[ProviderSettings, ...] = ()
    tokens: tuple[TokenSettings, ...] = ()

    TABLES: ClassVar[dict[str, type[Any]]] = {"providers": ProviderSettings, "tokens": TokenSettings}

    def __post_init__(self) -> None:
        for name in ("session_hours", "link_hours", "token_minutes", "refresh_days"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"Setting 'sign_in.{name}' is {getattr(self, name):g}; it must be above 0.")
        for name in ("requests_per_minute", "address_requests_per_minute", "tries_per_minute"):
            if getattr(self, name) < 1:
                raise SettingsError(f"Setting 'sign_in.{name}' is {getattr(self, name)}; it must be at least 1.")
        _check_secret("sign_in.secret", self.secret)


def _check_url(name: str, url: str) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc:
        return
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        raise SettingsError(f"Setting {name!r} is {url!r}; give an address that begins with https://.")


def _check_secret(name: str, value: str) -> None:
    if value and not (value.startswith("${") and value.endswith("}")):
        raise SettingsError(f'Setting {name!r} holds a secret in clear; write where it is, for example "${{NAME}}".')


def _check_roles(where: str, roles: Mapping[str, str], default: str) -> None:
    for key, role in roles.items():
        if role not in _ROLES:
            raise SettingsError(f"Setting '{where}.roles.{key}' is {role!r}; roles are {', '.join(_ROLES)}.")
    if default and default not in _ROLES:
        raise SettingsError(f"Setting '{where}.default_role' is {default!r}; roles are {', '.join(_ROLES)}.")


def _check_algorithms(name: str, algorithms: tuple[str, ...]) -> None:
    wrong = [one for one in algorithms if one not in ALGORITHMS]
    if wrong or not algorithms:
        raise SettingsError(
            f"Setting {name!r} holds {', '.join(wrong) or 'nothing'}; allowed: {', '.join(ALGORITHMS)}."
        )
