"""Secrets that were left somewhere: a search through files and texts for every form in which a secret is written."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["assert_no_secret", "forms_of"]

# A shorter form could be part of a digest by chance.
_SHORTEST_BASE64 = 6


def assert_no_secret(paths: Iterable[Path], texts: Iterable[str], secrets: Iterable[str]) -> None:
    """Fail where a secret stands in a file or a text: as it is, quoted as in a URL or JSON, or in base64.

    Args:
        paths: Files, and folders with all that is in them; their names are looked at too. What is compressed is
            searched as it lies.
        texts: What was shown: log lines, errors, answers.
        secrets: Those that were used; the failure names them by their place here, not by their value.
    """
    forms = [forms_of(secret) for secret in secrets]
    assert forms, "no secret to look for"
    found = [
        f"secret {number} in {where}"
        for where, content in (*_contents(paths), *_numbered(texts))
        for number, written in enumerate(forms)
        if any(form in content for form in written)
    ]
    assert not found, "; ".join(found)


def _contents(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        assert path.exists(), f"{path} is not there to be searched"
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            yield f"the name {file.name!r}", str(file).encode(errors="surrogateescape")
            if file.is_file():
                yield str(file), file.read_bytes()


def _numbered(texts: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for number, text in enumerate(texts):
        yield f"text {number}", text.encode(errors="surrogatepass")


@functools.lru_cache(maxsize=256)
def forms_of(secret: str) -> frozenset[bytes]:
    """Every way in which a secret is written: as it is, quoted, in JSON, in UTF-16 and base64."""
    assert len(secret) >= 6, "a secret too short to be told from other text"
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    written = {secret, *quoted, *(text.lower() for text in quoted if "%" in text), json.dumps(secret)[1:-1]}
    content = secret.encode()
    encoded = {content, content.decode().encode("utf-16-le")}
    for before in range(3):
        # Whatever stands before and behind it: only whole letters of the secret's own are looked for.
        letters = base64.b64encode(b"\0" * before + content)
        own = letters[(0, 2, 3)[before] : (before + len(content)) * 8 // 6]
        if len(own) >= _SHORTEST_BASE64:
            encoded |= {own, own.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(encoded | {text.encode() for text in written})
