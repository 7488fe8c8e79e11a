"""Secrets out of texts and values.

Takes text or values on their way to a log line, an error message or a report and gives them back with every secret
that is recognised as `***`; must not read or keep secrets other than those registered, and never in a file.
"""

from __future__ import annotations

import base64
import functools
import json
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
# `${NAME}` says where a secret is and is none: advice would be worthless without it.
_REFERENCE = re.compile(r"[\"']?\$\{[^{}\s]*\}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER_INFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.\-]{0,30}://)(?P<user>[^\s/?#:@]*)(?P<rest>:[^\s/?#]*)?@", re.IGNORECASE
)
_BEARER = re.compile(r"\b(?P<scheme>bearer|basic)\s+[A-Za-z0-9._~+/=\-]{4,}", re.IGNORECASE)
# `name=`, `name: ` or `'name': `, in prose, in a dictionary as Python prints it or in the query of a URL. The
# bounded lengths keep a long line without secrets from costing quadratic time.
_NAMED = re.compile(r"(?<![\w.\-])(?P<name>[A-Za-z][\w.\-]{0,63})[\"']?\s{0,2}[=:]\s{0,2}")
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s\"',;&#<>}\])]+", re.IGNORECASE)

# A secret within a base64 text is known by so many letters or more, 30 bits: fewer turn up in digests by chance.
_SHORTEST_BASE64 = 5
_BASE64_LETTERS = re.compile(r"[A-Za-z0-9+/_-]*")

_values: tuple[str, ...] = ()
# How the values show up: as they are and quoted; within a longer base64 text.
_registered: tuple[str, ...] = ()
_registered_base64: tuple[str, ...] = ()
_lock = threading.Lock()


def register_secret(value: str) -> None:
    """Mask a value wherever it shows up: as it is, quoted as in a URL or JSON, or in base64 as a login is sent.

    Args:
        value: The secret in clear. One under four characters is left out: masking it would mask letters.
    """
    global _values, _registered, _registered_base64
    if len(value) < _SHORTEST_SECRET or value in _values:
        return
    with _lock:
        # The longest first, so that a secret which contains another leaves no rest.
        _values = _longest_first({*_values, value})
        _registered = _longest_first({*_registered, *_written_forms(value)})
        _registered_base64 = _longest_first({*_registered_base64, *_base64_forms(value)})


def registered_secrets() -> tuple[str, ...]:
    """Return the values that are masked, the longest first; to hand them to a worker process, nowhere else."""
    return _values


def _longest_first(texts: set[str]) -> tuple[str, ...]:
    return tuple(sorted(texts, key=lambda text: (-len(text), text)))


def _written_forms(value: str) -> set[str]:
    in_url = {
        urllib.parse.quote(value, safe="", errors="surrogatepass"),
        urllib.parse.quote(value, errors="surrogatepass"),
        urllib.parse.quote_plus(value, errors="surrogatepass"),
    }
    # Some write "%2f" for "%2F".
    in_url |= {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in in_url}
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *in_url}


def _base64_forms(value: str) -> set[str]:
    """The letters that base64 gives the value, wherever in a text it stands, as in "user:value" of HTTP Basic.

    Three bytes give four letters, so there are three forms; letters that its neighbours take part in are left out.
    """
    content = value.encode("utf-8", errors="surrogatepass")
    forms: set[str] = set()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + content).rstrip(b"=").decode()
        first = -(-before * 8 // 6)
        last = (before + len(content)) * 8 // 6
        for text in (whole[first:last], whole[first:last].replace("+", "-").replace("/", "_")):
            if len(text) >= _SHORTEST_BASE64:
                forms.add(text)
    return forms


def redact(text: str) -> str:
    """Return `text` with every recognised secret as `***`.

    Recognised are registered values, credentials in URLs, signatures and tokens in queries, bearer tokens and
    assignments to names such as `password`, `api_key` or `secret`.
    """
    for value in _registered:
        text = text.replace(value, MASK)
    for value in _registered_base64:
        if value in text:
            text = _without_base64(text, value)
    text = _USER_INFO.sub(_without_user_info, text)
    text = _without_named_values(text)
    return _BEARER.sub(lambda match: f"{match['scheme']} {MASK}", text)


def _without_base64(text: str, value: str) -> str:
    """Mask the whole run of base64 letters: those beside the value hold parts of it, and the login's name."""
    kept: list[str] = []
    done = 0
    while (at := text.find(value, done)) >= 0:
        before = text[done:at]
        kept += [before[: len(before) - _letters_end(before[::-1], 0)], MASK]
        done = _letters_end(text, at + len(value))
        while text.startswith("=", done):
            done += 1
    return "".join([*kept, text[done:]])


def _letters_end(text: str, start: int) -> int:
    """Where the letters of base64 that begin at `start` end."""
    found = _BASE64_LETTERS.match(text, start)
    return found.end() if found else start


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
        if _REFERENCE.match(text, named.end()):
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
