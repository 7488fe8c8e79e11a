"""Whether a TIFF is a camera's RAW file: its first page is then only a preview, and the sensor's samples lie elsewhere.

Takes the bytes of a TIFF, gives what RAW it is or None; must not decode anything, and must not raise.
"""

from __future__ import annotations

from deeplens_kit.decode.ifd import TiffStructure

__all__ = ["camera_raw_kind"]

_MAKE, _SUBFILE_TYPE, _SUB_DIRECTORIES = 271, 254, 330
_COMPRESSION, _PHOTOMETRIC, _DNG_VERSION = 259, 262, 50706
_RAW_PHOTOMETRICS = frozenset({32803, 34892})  # colour filter array (TIFF/EP), linear RAW (DNG)
_RAW_COMPRESSIONS = frozenset({32767, 34713, 65535})  # Sony, Nikon, Pentax
_RAW_MAKERS = ("nikon", "sony", "pentax", "canon", "hasselblad", "leaf", "phase one", "kodak", "samsung", "epson")
_MAX_BESIDE = 64  # own bound: directories looked at beside the first; cameras write up to five


def camera_raw_kind(data: bytes) -> str | None:
    """What RAW a file is that starts as a TIFF does, for example "camera RAW (DNG)"; None for a plain TIFF."""
    try:
        structure = TiffStructure(data)
    except ValueError:
        return None
    pages = list(structure.chain(_MAX_BESIDE))
    if not pages:
        return None
    page = pages[0]
    places = structure.numbers(page.entries.get(_SUB_DIRECTORIES))[:_MAX_BESIDE]
    beside = [structure.directory(at) for at in places if isinstance(at, int)]
    for one in (*pages, *(found for found in beside if found)):
        if _DNG_VERSION in one.entries:
            return "camera RAW (DNG)"
        # What a sensor saw, before it is made into colours, makes a RAW of whatever else the file holds.
        compression = structure.numbers(one.entries.get(_COMPRESSION))[:1]
        photometric = structure.numbers(one.entries.get(_PHOTOMETRIC))[:1]
        if _RAW_COMPRESSIONS.intersection(compression) or _RAW_PHOTOMETRICS.intersection(photometric):
            return "camera RAW"
    reduced = structure.numbers(page.entries.get(_SUBFILE_TYPE))[:1] == (1,)
    maker = structure.text(page.entries.get(_MAKE)).casefold()
    if reduced and _SUB_DIRECTORIES in page.entries and maker.startswith(_RAW_MAKERS):
        return f"camera RAW ({maker.split(' ')[0].capitalize()})"
    return None
