"""The public keys of whoever signs tokens, fetched when they are needed and again when they changed.

Takes the address of a key set or of an issuer, gives keys by their id; must not take a key from a token, nor an address
from one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from deeplens_kit.errors import NotAuthenticatedError

__all__ = ["KeySet", "discover", "fetched"]

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 2**20
# Keys are taken out of use by leaving them out of the set, so it is fetched again after a while.
_FRESH_SECONDS = 300.0
# An id that nobody has would else make us fetch with each token.
_LEAST_SECONDS = 10.0
_DISCOVERY = "/.well-known/openid-configuration"


def fetched(url: str, **headers: str) -> Any:
    """What a server answers as JSON.

    Raises:
        NotAuthenticatedError: It does not answer, or not so; who signs in cannot mend that.
    """
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False) as client:
            answer = client.get(url, headers={"Accept": "application/json", **headers})
        answer.raise_for_status()
        if len(answer.content) > _MOST_BYTES:
            raise ValueError("too much")
        return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotAuthenticatedError(
            f"The server at {httpx.URL(url).host} that vouches for you does not answer as it should "
            f"({type(error).__name__}); try again later."
        ) from error


def discover(issuer: str) -> Mapping[str, Any]:
    """What an issuer says about itself.

    Raises:
        NotAuthenticatedError: It does not answer, or says that it is another one.
    """
    document = fetched(issuer.rstrip("/") + _DISCOVERY)
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise NotAuthenticatedError(f"The server at {issuer} says that it is another one; mend the issuer's setting.")
    return document


class KeySet:
    """Keys of one issuer; safe to share between threads.

    Args:
        issuer: Says where its keys are, unless `url` does.
        url: Of the key set.
    """

    def __init__(self, issuer: str, url: str = "") -> None:
        self._issuer, self._url = issuer, url
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._at = -_FRESH_SECONDS
        self._failed_at = -_LEAST_SECONDS

    def key(self, key_id: str) -> PyJWK:
        """The key of an id.

        Raises:
            NotAuthenticatedError: There is none, or the keys cannot be had.
        """
        with self._lock:
            age = time.monotonic() - self._at
            if age > _FRESH_SECONDS or (key_id not in self._keys and age > _LEAST_SECONDS):
                if time.monotonic() - self._failed_at < _LEAST_SECONDS:
                    raise NotAuthenticatedError(f"The keys of {self._issuer} cannot be had; try again in a moment.")
                try:
                    self._fetch()
                except NotAuthenticatedError:
                    # All others wait meanwhile; whoever makes tokens up must not have it asked with each of them.
                    self._failed_at = time.monotonic()
                    raise
            found = self._keys.get(key_id)
            if found is None and not key_id and len(self._keys) == 1:
                found = next(iter(self._keys.values()))
        if found is None:
            raise NotAuthenticatedError("The token is signed by a key that its issuer does not have.")
        return found

    def _fetch(self) -> None:
        try:
            url = self._url or str(discover(self._issuer)["jwks_uri"])
            keys = PyJWKSet.from_dict(fetched(url)).keys
        except (KeyError, AttributeError, PyJWTError) as error:
            raise NotAuthenticatedError(f"The keys of {self._issuer} cannot be read; try again later.") from error
        # Those for signing alone, never one that is shared.
        self._keys = {
            key.key_id or "": key for key in keys if key.key_type != "oct" and key.public_key_use in (None, "sig")
        }
        self._at = time.monotonic()
