"""The few EXIF facts that are used: orientation, time, camera, position, colour space (Exif 2.32, CIPA DC-008).

Takes an EXIF block of untrusted bytes and gives what of it is sound; must not raise: what is broken is None
(orientation: 1), because a broken block never costs the picture.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime

from deeplens_kit.decode.ifd import Directory, Entry, TiffStructure

__all__ = ["ExifFacts", "parse_exif"]

_MAKE, _MODEL, _ORIENTATION, _DATE_TIME = 0x010F, 0x0110, 0x0112, 0x0132
_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_DATE_TIME_ORIGINAL = 0x9003
_COLOUR_SPACE, _INTEROPERABILITY_DIRECTORY, _INTEROPERABILITY_INDEX = 0xA001, 0xA005, 0x0001
_SRGB = 1
_OPTIONAL_SPACE = "R03"  # DCF 2.0 (CIPA DC-009): samples in Adobe RGB, whatever ColorSpace says
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_DATE_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DATE_LENGTH = 19
_EARLIEST_YEAR = 1800  # inclusive; scans of old prints carry the year of the print


@dataclass(frozen=True, slots=True)
class ExifFacts:
    """What an EXIF block says; each None where it does not or cannot be believed.

    Attributes:
        orientation: 1..8; 1 where it is missing or out of range.
        taken_at: By the camera's clock, without a zone.
        camera: Maker and model.
        gps_latitude: Degrees north, -90..90.
        gps_longitude: Degrees east, -180..180.
        colour_space: In which space the samples are, as it is stored, for example "65535 R03" for Adobe RGB and
            "65535" for one that only a profile could tell; empty for sRGB, or where nothing is said.
    """

    orientation: int = 1
    taken_at: datetime | None = None
    camera: str | None = None
    gps_latitude: float | None = None
    gps_longitude: float | None = None
    colour_space: str = ""


def parse_exif(block: bytes | None) -> ExifFacts:
    """Read an EXIF block, with or without its leading `Exif\\0\\0`."""
    if not block:
        return ExifFacts()
    try:
        structure = TiffStructure(block.removeprefix(b"Exif\x00\x00"))
    except ValueError:
        return ExifFacts()
    return exif_facts(structure, structure.directory(structure.first_offset))


def exif_facts(structure: TiffStructure, main: Directory | None) -> ExifFacts:
    """Read the facts from a main directory and the directories that it points to."""
    if main is None:
        return ExifFacts()
    try:
        exif = _directory_at(structure, main.entries.get(_EXIF_DIRECTORY))
        gps = _directory_at(structure, main.entries.get(_GPS_DIRECTORY))
        taken = _date(structure.text(exif.get(_DATE_TIME_ORIGINAL)))
        return ExifFacts(
            orientation=_orientation(structure.numbers(main.entries.get(_ORIENTATION))),
            taken_at=taken or _date(structure.text(main.entries.get(_DATE_TIME))),
            camera=_camera(structure.text(main.entries.get(_MAKE)), structure.text(main.entries.get(_MODEL))),
            gps_latitude=_degrees(structure, gps.get(_LATITUDE), gps.get(_LATITUDE_REF), "S", 90.0),
            gps_longitude=_degrees(structure, gps.get(_LONGITUDE), gps.get(_LONGITUDE_REF), "W", 180.0),
            colour_space=_colour_space(structure, exif),
        )
    except struct.error:  # the bounds were checked, so this is a guard against our own oversight
        return ExifFacts()


def _directory_at(structure: TiffStructure, entry: Entry | None) -> dict[int, Entry]:
    numbers = structure.numbers(entry)
    found = structure.directory(int(numbers[0])) if len(numbers) == 1 and math.isfinite(numbers[0]) else None
    return found.entries if found else {}


def _orientation(numbers: tuple[float, ...]) -> int:
    return int(numbers[0]) if len(numbers) == 1 and numbers[0] in range(1, 9) else 1


def _colour_space(structure: TiffStructure, exif: dict[int, Entry]) -> str:
    spaces = structure.numbers(exif.get(_COLOUR_SPACE))[:1]
    interoperability = _directory_at(structure, exif.get(_INTEROPERABILITY_DIRECTORY))
    index = structure.text(interoperability.get(_INTEROPERABILITY_INDEX))
    if spaces in ((), (_SRGB,)) and index != _OPTIONAL_SPACE:
        return ""
    return " ".join([*(f"{space:g}" for space in spaces), *([index] if index else [])])


def _date(text: str) -> datetime | None:
    for pattern in _DATE_FORMATS:
        try:
            found = datetime.strptime(text[:_DATE_LENGTH], pattern)
        except ValueError:
            continue
        return found if found.year >= _EARLIEST_YEAR else None
    return None


def _camera(make: str, model: str) -> str | None:
    # "NIKON CORPORATION" + "NIKON D90" is one maker said twice; the first word is what they share.
    maker = make.split(" ")[0].casefold()
    repeated = bool(maker) and model.casefold().startswith(maker)
    return (model if repeated else f"{make} {model}".strip()) or None


def _degrees(
    structure: TiffStructure, entry: Entry | None, reference: Entry | None, negative: str, bound: float
) -> float | None:
    parts = structure.numbers(entry)
    if not 1 <= len(parts) <= 3:
        return None
    degrees = sum((part / 60.0**power for power, part in enumerate(parts)), 0.0)
    if not 0 <= degrees <= bound:  # also false for NaN, the mark of a receiver without a fix
        return None
    side = structure.text(reference).upper()
    return -degrees if side.startswith(negative) else degrees
