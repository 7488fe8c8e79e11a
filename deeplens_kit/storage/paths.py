r"""Names of stored files as text that every store, file and screen can hold.

Takes native names (with the lone surrogates by which Python stands for bytes that are not UTF-8) and gives valid
Unicode, reversibly; must not touch a file system. A byte 0x80..0xFF that is not UTF-8 becomes U+FDD0 and two
hexadecimal digits; U+FDD0 itself, a noncharacter that no one types, becomes U+FDD0 and "00".
"""

from __future__ import annotations

import re

from deeplens_kit.errors import ObjectUnreadableError

__all__ = ["ESCAPE", "decode_path", "display_path", "encode_path", "new_path"]

ESCAPE = "\ufdd0"
"""Starts an escape: one of the 66 noncharacters that Unicode keeps for internal use."""

_ESCAPED_ITSELF = "00"
# os.fsdecode maps an undecodable byte 0xNN (0x80..0xFF) to U+DCNN (PEP 383).
_SURROGATE_BASE = 0xDC00
_TO_ESCAPE = re.compile("[\ud800-\udfff\ufdd0]")
_ESCAPED = re.compile("\ufdd0(00|[89a-f][0-9a-f])|\ufdd0", re.DOTALL)
# Escapes, controls, line and paragraph separators, the marks that reorder or hide text, and the backslash.
_NOT_SHOWN = re.compile(
    "\ufdd0(?:00|[89a-f][0-9a-f])?|[\x00-\x1f\x7f-\x9f\\\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufdd1]"
)
_SHORT_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def encode_path(native: str) -> str:
    """Make valid Unicode of a native name or path; ordinary names come back as they are.

    Args:
        native: As `os.fsdecode` or `os.scandir` gives it.

    Raises:
        ObjectUnreadableError: A lone surrogate that stands for no byte (none comes from a POSIX file system).
    """
    return _TO_ESCAPE.sub(_escape, native)


def decode_path(path: str) -> str:
    """Undo `encode_path`: `decode_path(encode_path(x)) == x`.

    Raises:
        ObjectUnreadableError: U+FDD0 without one of the endings that `encode_path` writes.
    """
    return _ESCAPED.sub(_unescape, path) if ESCAPE in path else path


def new_path(path: str) -> str:
    """The native path of an object that is to be made; whatever a storage makes of upward parts, they could leave it.

    Raises:
        ObjectUnreadableError: It holds empty, '.' or '..' parts or a NUL.
    """
    native = decode_path(path)
    if any(part in ("", ".", "..") for part in native.split("/")) or "\0" in native:
        raise ObjectUnreadableError("The path of a new object may hold no empty, '.' or '..' parts and no NUL.")
    return native


def display_path(path: str) -> str:
    r"""Show an encoded path on one line of a screen or log.

    Controls, reordering marks and undecodable bytes appear as ``\n``, ``\xNN``, ``\uNNNN``; a backslash is doubled,
    so that two different paths never look the same. For people only: it is not read back.
    """
    return _NOT_SHOWN.sub(_show, path)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character == ESCAPE:
        return ESCAPE + _ESCAPED_ITSELF
    byte = ord(character) - _SURROGATE_BASE
    if not 0x80 <= byte <= 0xFF:
        raise ObjectUnreadableError(f"The name {match.string!r} holds {character!r}, which stands for no byte.")
    return f"{ESCAPE}{byte:02x}"


def _unescape(match: re.Match[str]) -> str:
    if match[1] is None:
        raise ObjectUnreadableError(
            f"The path {match.string!r} is not one that a listing gave: U+FDD0 must be followed by 00 or 80..ff."
        )
    return ESCAPE if match[1] == _ESCAPED_ITSELF else chr(_SURROGATE_BASE + int(match[1], 16))


def _show(match: re.Match[str]) -> str:
    text = match[0]
    if text in _SHORT_NAMES:
        return _SHORT_NAMES[text]
    if text[0] == ESCAPE:
        return f"\\x{text[1:]}" if len(text) > 1 and text[1:] != _ESCAPED_ITSELF else "\\ufdd0"
    return f"\\x{ord(text):02x}" if text.isascii() else f"\\u{ord(text):04x}"
