"""Secrets that this server hands out: keys, links, cookies, refresh tokens.

Takes nothing, gives 256 random bits as text and the digest by which they are known again; must not keep a secret. So
much chance needs no slow hash: nobody can try out enough of them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hashlib import sha256

__all__ = ["KEY_PREFIX", "REFRESH_PREFIX", "NewSecret", "digest_of", "new_key", "new_refresh_token", "new_secret"]

KEY_PREFIX = "dlk_"
"""How API keys begin, so that a scanner for leaked secrets knows them."""

REFRESH_PREFIX = "dlr_"
"""How refresh tokens begin."""

_BYTES = 32
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made.

    Attributes:
        text: Shown once, to whom it is for.
        digest: What is kept of it.
        prefix: How it begins, to tell it from others.
    """

    text: str = field(repr=False)
    digest: str
    prefix: str


def digest_of(text: str) -> str:
    """What is kept of a secret."""
    return sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def new_secret(beginning: str = "") -> NewSecret:
    """A secret of 256 random bits."""
    text = beginning + secrets.token_urlsafe(_BYTES)
    return NewSecret(text, digest_of(text), text[: len(beginning) + _SHOWN])


def new_key() -> NewSecret:
    """An API key."""
    return new_secret(KEY_PREFIX)


def new_refresh_token() -> NewSecret:
    """A refresh token."""
    return new_secret(REFRESH_PREFIX)
