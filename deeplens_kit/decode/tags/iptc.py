"""IPTC-IIM 4.2 records, and the Photoshop resources in which they travel.

Takes untrusted bytes, adds the data sets of records 1 and 2 to a list and gives the blocks that resources hold; must
not trust a length.
"""

from __future__ import annotations

from collections.abc import Iterator

from deeplens_kit.decode.tags.tag import MAX_VALUE_CHARACTERS, TagList

__all__ = ["EXIF_RESOURCE", "ICC_RESOURCE", "IPTC_RESOURCE", "XMP_RESOURCE", "add_iptc", "photoshop_resources"]

IPTC_RESOURCE, ICC_RESOURCE, EXIF_RESOURCE, XMP_RESOURCE = 0x0404, 0x040F, 0x0422, 0x0424
_MAX_RESOURCES, _MAX_DATA_SETS = 1_000, 2_000  # own bounds, inclusive
_MARKER, _UTF8 = 0x1C, b"\x1b%G"
_ENVELOPE, _APPLICATION, _CHARACTERS, _VERSION = 1, 2, 90, 0
# IIM 4.2, chapter 6, as programs name them.
_NAMES = {
    3: "ObjectTypeReference", 5: "ObjectName", 7: "EditStatus", 10: "Urgency", 12: "SubjectReference", 15: "Category",
    20: "SupplementalCategories", 22: "FixtureIdentifier", 25: "Keywords", 26: "ContentLocationCode",
    27: "ContentLocationName", 30: "ReleaseDate", 35: "ReleaseTime", 37: "ExpirationDate", 38: "ExpirationTime",
    40: "SpecialInstructions", 55: "DateCreated", 60: "TimeCreated", 62: "DigitalCreationDate",
    63: "DigitalCreationTime", 65: "OriginatingProgram", 70: "ProgramVersion", 80: "By-line", 85: "By-lineTitle",
    90: "City", 92: "Sub-location", 95: "Province-State", 100: "CountryCode", 101: "CountryName",
    103: "TransmissionReference", 105: "Headline", 110: "Credit", 115: "Source", 116: "CopyrightNotice",
    118: "Contact", 120: "Caption-Abstract", 121: "LocalCaption", 122: "Writer-Editor", 131: "ImageOrientation",
    135: "LanguageIdentifier",
}  # fmt: skip


def add_iptc(block: bytes, tags: TagList) -> None:
    """Add the data sets of a block; those that repeat are joined, as keywords are."""
    values: dict[str, list[str]] = {}
    code = "latin-1"
    at = 0
    for _ in range(_MAX_DATA_SETS):
        if at + 5 > len(block) or block[at] != _MARKER:
            break
        record, number, size = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        at += 5
        if size & 0x8000:  # the length of the length, for data sets beyond 32 KiB
            width = size & 0x7FFF
            size, at = int.from_bytes(block[at : at + min(width, 8)], "big"), at + width
        body = block[at : at + min(size, 4 * MAX_VALUE_CHARACTERS)]
        if at + size > len(block):
            tags.note("IPTC is cut off")
            break
        at += size
        if record == _ENVELOPE and number == _CHARACTERS and body.startswith(_UTF8):
            code = "utf-8"
        elif record == _APPLICATION and number != _VERSION:
            values.setdefault(_NAMES.get(number) or f"2:{number}", []).append(_decoded(body, code))
    if block[at:].strip(b"\x00") and not values:
        tags.note("IPTC is none")
    for name, texts in values.items():
        tags.add("IPTC", name, "; ".join(text for text in texts if text))


def photoshop_resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and contents of each resource (Adobe Photoshop File Formats, image resource blocks); ends at a fault."""
    at = 0
    for _ in range(_MAX_RESOURCES):
        if block[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") or at + 12 > len(block):
            return
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        at += 6 + (block[at + 6] + 2 & ~1)  # a name, led by its length, padded to an even one
        size = int.from_bytes(block[at : at + 4], "big")
        if at + 4 + size > len(block):
            return
        yield number, block[at + 4 : at + 4 + size]
        at += 4 + size + (size & 1)


def _decoded(body: bytes, code: str) -> str:
    try:
        return body.decode("utf-8" if code == "utf-8" or not body.isascii() else code)
    except UnicodeDecodeError:
        return body.decode("latin-1")  # what programs without a declaration mostly write
