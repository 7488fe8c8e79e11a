"""ID tokens: what an OpenID provider says of somebody, believed once its signature, audience, time and nonce hold.

Takes a token and the provider's keys, gives its claims; must not believe an algorithm that the settings do not name.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.service.access.jwks import KeySet
from deeplens_kit.settings import ProviderSettings

__all__ = ["claims_of", "known_keys"]

_LEEWAY_SECONDS = 60
_BAD = "What {} says of you cannot be believed ({}); try again, or tell an administrator."


@lru_cache(maxsize=32)
def known_keys(issuer: str, url: str) -> KeySet:
    """The keys of an issuer, kept between sign-ins."""
    return KeySet(issuer, url)


def claims_of(settings: ProviderSettings, token: Any, keys: KeySet, nonce: str) -> Mapping[str, Any]:
    """The claims of an ID token (OpenID Connect Core 3.1.3.7).

    Raises:
        NotAuthenticatedError: It is not to be believed.
    """
    label = settings.label or settings.name
    if not isinstance(token, str):
        raise NotAuthenticatedError(_BAD.format(label, "there is no ID token"))
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in settings.algorithms:
            raise NotAuthenticatedError(_BAD.format(label, f"it is signed by {header.get('alg')!r}"[:60]))
        key_id = header.get("kid", "")
        claims: dict[str, Any] = jwt.decode(
            token,
            keys.key(key_id if isinstance(key_id, str) else ""),
            algorithms=list(settings.algorithms),
            audience=settings.client_id,
            issuer=settings.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.exceptions.PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise NotAuthenticatedError(_BAD.format(label, type(error).__name__)) from error
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", settings.client_id) != settings.client_id or (len(audiences) > 1 and "azp" not in claims):
        raise NotAuthenticatedError(_BAD.format(label, "it is for somebody else"))
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise NotAuthenticatedError(_BAD.format(label, "it is of another sign-in"))
    return claims
