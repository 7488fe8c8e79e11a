"""Secrets out of texts and values.

Takes text or values on their way to a log line, an error message or a report and gives them back with every secret
that is recognised as `***`; must not read or keep secrets other than those registered, and never in a file.
"""

from __future__ import annotations

import functools
import re
import threading
import urllib.parse
from collections.abc import Mapping

__all__ = ["MASK", "redact", "redact_value", "register_secret", "registered_secrets"]

MASK = "***"
# Shorter values would mask ordinary letters all over a line.
_SHORTEST_SECRET = 4
_SECRET_WORDS = frozenset(
    {
        *("password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens", "key", "apikey"),
        *("credential", "credentials", "authorization", "cookie", "signature", "sig", "sas"),
    }
)
# Words of the product that name no secret although one of their parts does.
_PUBLIC_NAMES = frozenset({"change_token", "change_tokens", "cache_key", "feature_key", "primary_key"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER_INFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.\-]{0,30}://)(?P<user>[^\s/?#:@]*)(?P<rest>:[^\s/?#]*)?@", re.IGNORECASE
)
_BEARER = re.compile(r"\b(?P<scheme>bearer|basic)\s+[A-Za-z0-9._~+/=\-]{4,}", re.IGNORECASE)
# `name=`, `name: ` or `'name': `, in prose, in a dictionary as Python prints it or in the query of a URL. The
# bounded lengths keep a long line without secrets from costing quadratic time.
_NAMED = re.compile(r"(?<![\w.\-])(?P<name>[A-Za-z][\w.\-]{0,63})[\"']?\s{0,2}[=:]\s{0,2}")
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s\"',;&#<>}\])]+", re.IGNORECASE)

_registered: tuple[str, ...] = ()
_lock = threading.Lock()


def register_secret(value: str) -> None:
    """Mask a value wherever it shows up in a log line, also quoted as in a URL.

    Args:
        value: The secret in clear. One under four characters is left out: masking it would mask letters.
    """
    global _registered
    if len(value) < _SHORTEST_SECRET:
        return
    forms = {value, urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), repr(value)[1:-1]}
    with _lock:
        # The longest first, so that a secret which contains another leaves no rest.
        _registered = tuple(sorted({*_registered, *forms}, key=lambda text: (-len(text), text)))


def registered_secrets() -> tuple[str, ...]:
    """Return the values that are masked, the longest first; to hand them to a worker process, nowhere else."""
    return _registered


def redact(text: str) -> str:
    """Return `text` with every recognised secret as `***`.

    Recognised are registered values, credentials in URLs, signatures and tokens in queries, bearer tokens and
    assignments to names such as `password`, `api_key` or `secret`.
    """
    for value in _registered:
        text = text.replace(value, MASK)
    text = _USER_INFO.sub(_without_user_info, text)
    text = _without_named_values(text)
    return _BEARER.sub(lambda match: f"{match['scheme']} {MASK}", text)


def _without_user_info(match: re.Match[str]) -> str:
    if match["rest"] is not None:
        return f"{match['scheme']}{match['user']}:{MASK}@"
    # A lone name is a login (sftp://anna@host), except for the web, where it is a token.
    lone_token = match["scheme"].lower() in {"http://", "https://"}
    return f"{match['scheme']}{MASK if lone_token else match['user']}@"


def _without_named_values(text: str) -> str:
    kept: list[str] = []
    done = 0
    for named in _NAMED.finditer(text):
        # In prose a lone "key: x" is a word of a sentence, as in "unknown key: colour"; in a query it is a secret.
        in_query = named.start() > 0 and text[named.start() - 1] in "?&;"
        prose = named["name"].lower() == "key" and not in_query
        if named.start() < done or prose or not _is_secret_name(named["name"]):
            continue
        value = _VALUE.match(text, named.end())
        if value is not None:
            kept += [text[done : named.end()], MASK]
            done = value.end()
    return "".join([*kept, text[done:]])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    if name.lower() in _PUBLIC_NAMES:
        return False
    return any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name))


def redact_value(value: object) -> object:
    """Return a value as it may be shown: texts redacted, items with secret names masked, all the way down."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(key, str) and _is_secret_name(key) and item is not None else redact_value(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
