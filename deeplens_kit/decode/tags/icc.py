"""The name of a colour profile (ICC.1:2022): its description, as a person sees it in a list of profiles.

Takes the untrusted bytes of a profile, gives its name; must not interpret its colours.
"""

from __future__ import annotations

from deeplens_kit.decode.tags.tag import MAX_NAME_CHARACTERS, clean_text

__all__ = ["profile_name"]

_HEADER_BYTES = 128
_MAX_TAGS = 200  # own bound, inclusive


def profile_name(profile: bytes | None) -> str | None:
    """The description of a profile, in English where there is a choice; None where it has none that can be read."""
    if not profile or len(profile) < _HEADER_BYTES + 4:
        return None
    count = int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4], "big")
    for at in range(_HEADER_BYTES + 4, _HEADER_BYTES + 4 + 12 * min(count, _MAX_TAGS), 12):
        if profile[at : at + 4] == b"desc":
            offset, size = (int.from_bytes(profile[at + step : at + step + 4], "big") for step in (4, 8))
            name = clean_text(_described(profile[offset : offset + size])[: 2 * MAX_NAME_CHARACTERS])
            return name[:MAX_NAME_CHARACTERS] or None
    return None


def _described(body: bytes) -> str:
    if body.startswith(b"desc"):  # version 2: ASCII, with its length
        size = int.from_bytes(body[8:12], "big")
        return body[12 : 12 + min(size, 1024)].split(b"\x00", 1)[0].decode("latin-1")
    if body.startswith(b"mluc"):  # version 4: UTF-16 in several languages
        count, width = int.from_bytes(body[8:12], "big"), int.from_bytes(body[12:16], "big")
        if width < 12:
            return ""
        records = [body[at : at + 12] for at in range(16, 16 + width * min(count, _MAX_TAGS), width)]
        records = [record for record in records if len(record) == 12]
        english = [record for record in records if record.startswith(b"en")]
        for record in (english or records)[:1]:
            size, offset = (int.from_bytes(record[step : step + 4], "big") for step in (4, 8))
            raw = body[offset : offset + min(size, 1024)]
            return raw[: len(raw) & ~1].decode("utf-16-be", "replace").split("\x00", 1)[0]
    return ""
