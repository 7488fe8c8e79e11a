"""A picture file that was written as text: a data URI, or base64.

Takes the text, gives the bytes, or None where it is something else; must not decode the picture.
"""

from __future__ import annotations

import base64
import binascii
import re

from deeplens_kit.decode import sniff
from deeplens_kit.errors import QueryError

__all__ = ["file_of_text"]

# With a kind, or said to be base64: a location may be called "data".
_DATA_URI = re.compile(
    r"data:(?=(?:image|application|text)/|;base64,)(?P<kind>[^,;:]*)(?:;[^,;]*=[^,;]*)*(?P<base64>;base64)?,(?P<data>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{32,}={0,2}\s*")
_PICTURE_BYTES = 3 / 4  # of a letter
_SNIFFED_LETTERS = 4096
_URL_LETTERS = str.maketrans("-_", "+/")


def file_of_text(text: str, max_bytes: int) -> bytes | None:
    """The bytes of a data URI, or of base64 that begins as a picture does; None where the text is neither.

    Args:
        text: Without space around it.
        max_bytes: Of the file, inclusive.

    Raises:
        QueryError: It is a data URI that cannot be read, or the file is too large.
    """
    matched = _DATA_URI.fullmatch(text)
    if matched is not None:
        if not matched["base64"]:
            raise QueryError(f"The data URI of kind {matched['kind'][:40]!r} is not in base64; give one that is.")
        return _decoded(matched["data"], max_bytes, "data URI")
    if not _BASE64.fullmatch(text):
        return None
    # Paths and digests are base64 by their letters too: only what begins as a picture does is one.
    head = _SNIFFED_LETTERS // 4 * 4
    try:
        begins = base64.b64decode(_padded(_joined(text[: 2 * head])[:head]), validate=True)
    except (binascii.Error, ValueError):
        return None
    return _decoded(text, max_bytes, "base64 text") if sniff(begins) is not None else None


def _decoded(text: str, max_bytes: int, what: str) -> bytes:
    joined = _joined(text)
    if len(joined) * _PICTURE_BYTES > max_bytes + 3:
        raise QueryError(
            f"The {what} holds about {int(len(joined) * _PICTURE_BYTES):,} bytes; decode.max_bytes allows "
            f"{max_bytes:,}: raise it if you trust the file."
        )
    try:
        return base64.b64decode(_padded(joined), validate=True)
    except (binascii.Error, ValueError) as error:
        raise QueryError(f"The {what} is not whole base64 ({error}); copy all of it, or give the file.") from error


def _joined(text: str) -> str:
    return "".join(text.split()).translate(_URL_LETTERS).rstrip("=")


def _padded(letters: str) -> str:
    return letters + "=" * (-len(letters) % 4)
