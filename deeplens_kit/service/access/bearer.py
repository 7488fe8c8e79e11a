"""Bearer tokens of others: signed ones by their keys, opaque ones by asking whoever gave them.

Takes a token, gives a principal or a refusal; must not believe anything in a token before its signature holds, nor an
algorithm that the settings do not name.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import jwt

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.ledger.access_values import ROLE_SCOPES, Principal, PrincipalKind, Role, Scope
from deeplens_kit.service.access.claims import claim, highest_role, scopes_in
from deeplens_kit.service.access.credentials import digest_of
from deeplens_kit.service.access.jwks import KeySet
from deeplens_kit.settings import TokenSettings
from deeplens_kit.storage.credentials import resolve

__all__ = ["Bearers"]

_NOT_GOOD = "The token is not good: {}. Get another one."
_TIMEOUT_SECONDS = 10.0
_REMEMBERED = 4096
_LONGEST_NAME = 150
_SHOWN = 8

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float
    ask_again: float


class Bearers:
    """Believes tokens of those whom the settings name; safe to share between threads.

    Args:
        issuers: Whose tokens are taken.
    """

    def __init__(self, issuers: Sequence[TokenSettings]) -> None:
        self._issuers = tuple(issuers)
        self._keys = {one.name: KeySet(one.issuer, one.jwks_url) for one in issuers}
        # Apart, so that tokens that somebody makes up do not push out those that are good.
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def believe(self, token: str) -> Principal:
        """Whose token this is.

        Raises:
            NotAuthenticatedError: It is not good, or nobody here knows such tokens.
        """
        if not self._issuers:
            raise NotAuthenticatedError("No tokens of others are taken here; use a key, or sign in.")
        return self._signed(token) if token.count(".") == 2 else self._opaque(token)

    def still_good(self, credential_id: str) -> bool:
        """Whether the token that a principal came by has not run out yet."""
        with self._lock:
            known = self._known.get(credential_id)
        return known is not None and time.time() < known.until

    def would_ask(self, token: str) -> bool:
        """Whether somebody else has to be asked about a token that was not found to be good before."""
        opaque = token.count(".") != 2 and any(one.introspection_url for one in self._issuers)
        return opaque and not self.still_good(digest_of(token))

    def _signed(self, token: str) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
            # Says whose keys are tried; it is looked at again once the signature holds.
            said = jwt.decode(token, options={"verify_signature": False})
            settings = self._named_in(said)
            if header.get("alg") not in settings.algorithms:
                raise NotAuthenticatedError(
                    _NOT_GOOD.format(f"it must be signed with one of {', '.join(settings.algorithms)}")
                )
            key_id = header.get("kid", "")
            key = self._keys[settings.name].key(key_id if isinstance(key_id, str) else "")
            claims = jwt.decode(
                token,
                key,
                algorithms=list(settings.algorithms),
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_seconds,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.exceptions.ExpiredSignatureError as error:
            raise NotAuthenticatedError(_NOT_GOOD.format("it has expired")) from error
        except (jwt.exceptions.PyJWTError, TypeError, ValueError, AttributeError) as error:
            # Which of its parts is wrong helps whoever makes tokens up.
            raise NotAuthenticatedError(_NOT_GOOD.format("its signature, audience or form is wrong")) from error
        digest = digest_of(token)
        return self._remembered(digest, _principal(settings, claims, digest), float(claims["exp"]))

    def _named_in(self, said: Mapping[str, Any]) -> TokenSettings:
        """Whose token it says that it is; of several audiences of one issuer the one that it names."""
        named = [one for one in self._issuers if one.issuer == said.get("iss")]
        if not named:
            raise NotAuthenticatedError(_NOT_GOOD.format("its issuer is not one of those that are believed here"))
        audience = said.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        return next((one for one in named if one.audience in audiences), named[0])

    def _opaque(self, token: str) -> Principal:
        digest = digest_of(token)
        now = time.time()
        with self._lock:
            known, refused_until = self._known.get(digest), self._refused.get(digest, 0.0)
        if now < refused_until:
            raise NotAuthenticatedError(_NOT_GOOD.format("whoever gave it does not know it"))
        if known is not None and now < min(known.until, known.ask_again):
            return known.principal
        for settings in self._issuers:
            if settings.introspection_url and (claims := _introspected(settings, token)) is not None:
                until = float(claims.get("exp", now + settings.introspected_seconds))
                principal = _principal(settings, claims, digest)
                return self._remembered(digest, principal, until, now + settings.introspected_seconds)
        wait = max((one.introspected_seconds for one in self._issuers), default=0.0)
        with self._lock:
            self._known.pop(digest, None)
            _keep(self._refused, digest, now + wait)
        raise NotAuthenticatedError(_NOT_GOOD.format("whoever gave it does not know it"))

    def _remembered(self, digest: str, principal: Principal, until: float, ask_again: float = 0.0) -> Principal:
        with self._lock:
            _keep(self._known, digest, _Known(principal, until, ask_again or until))
        return principal


def _keep(kept: OrderedDict[str, _Kept], digest: str, value: _Kept) -> None:
    kept[digest] = value
    kept.move_to_end(digest)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _introspected(settings: TokenSettings, token: str) -> Mapping[str, Any] | None:
    """What whoever gave a token says of it (RFC 7662); None where it is not good."""
    secret = resolve(settings.client_secret) if settings.client_secret else ""
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            answer = client.post(
                settings.introspection_url,
                data={"token": token, "token_type_hint": "access_token"},
                auth=(settings.client_id, secret),
                headers={"Accept": "application/json"},
            )
        answer.raise_for_status()
        claims = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotAuthenticatedError("Whoever gave the token cannot be asked about it; try again later.") from error
    if not isinstance(claims, dict) or claims.get("active") is not True:
        return None
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if settings.audience not in named or claims.get("iss", settings.issuer) != settings.issuer:
        return None
    expires = claims.get("exp")
    if expires is not None and (not isinstance(expires, int | float) or expires <= time.time()):
        return None
    return claims


def _principal(settings: TokenSettings, claims: Mapping[str, Any], digest: str) -> Principal:
    role = highest_role(settings.roles, claim(claims, settings.roles_claim)) if settings.roles_claim else None
    scopes: frozenset[Scope] = scopes_in(claim(claims, settings.scope_claim), settings.scope_prefix)
    if role is not None:
        scopes |= ROLE_SCOPES[Role(role)]
    # Two people must not be taken for one: what one asked for under a key is not to be answered to the other.
    said = (claim(claims, name) for name in (settings.name_claim, "sub", "client_id"))
    shown = next((name for name in said if isinstance(name, str) and name), f"somebody {digest[:_SHOWN]}")
    # Not to be taken for a user of ours in the audit trail.
    return Principal(f"{shown[:_LONGEST_NAME]} ({settings.name})", role, scopes, PrincipalKind.TOKEN, "", digest)
