"""When a picture was made, as far as a file says: the most trusted of its dates, its zone where one is known, and where
both come from.

Takes tags, gives a wall-clock time, the same in UTC, and the names of the fields; must not take the date of an edit
for that of the picture while another is there, and never guesses a zone. The order of trust follows the guidelines of
the Metadata Working Group (2.0, 5.4.1): what the camera wrote when the shutter opened, then what a person wrote of it,
then when it was digitised, then the fix of the position, and last when the file was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from deeplens_kit.decode.tags.tag import PictureTags

__all__ = ["PictureDates", "picture_dates"]

# Group, name, tag that holds the zone, tag that holds the fraction of the second; most trusted first.
_SOURCES = (
    ("EXIF", "DateTimeOriginal", "OffsetTimeOriginal", "SubsecTimeOriginal"),
    ("XMP", "exif:DateTimeOriginal", "", ""),
    ("XMP", "photoshop:DateCreated", "", ""),
    ("IPTC", "DateCreated", "", ""),
    ("EXIF", "DateTimeDigitized", "OffsetTimeDigitized", "SubsecTimeDigitized"),
    ("XMP", "exif:DateTimeDigitized", "", ""),
    ("XMP", "xmp:CreateDate", "", ""),
    ("GPS", "GPSDateStamp", "", ""),
    ("EXIF", "DateTime", "OffsetTime", "SubsecTime"),
)
_WANTED = frozenset(name for source in _SOURCES for name in source[1:]) | {"TimeCreated", "GPSTimeStamp"}
_DATE = re.compile(
    r"(?P<year>\d{4})[:\-/.]?(?P<month>\d\d)[:\-/.]?(?P<day>\d\d)"
    r"(?:[T ]+(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:\.(?P<part>\d{1,9}))?)?"
    r" ?(?P<zone>Z|[+\-]\d\d:?\d\d)?)?\s*",
    re.ASCII,
)
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_ZONE = re.compile(r"\s*(?:Z|(?P<sign>[+\-])(?P<hours>\d\d):?(?P<minutes>\d\d))\s*", re.ASCII)
_SHORTENED = re.compile(r"\d{4}(-\d\d)?", re.ASCII)  # a year, or year and month, as XMP allows
_EARLIEST_YEAR, _LATEST_YEAR = 1800, 2100  # inclusive; scans of old prints carry the year of the print
# Clocks that were never set: the epochs of Mac OS and QuickTime, Unix, and DOS.
_UNSET = frozenset({datetime(1904, 1, 1), datetime(1970, 1, 1), datetime(1980, 1, 1)})
_FIX = "GPS date and time"
_EARLIEST_ZONE, _LATEST_ZONE = timedelta(hours=-12), timedelta(hours=14)  # inclusive
_ZONE_STEP = timedelta(minutes=15)
# A camera takes the time of the last fix; a difference this near to a zone is one (inclusive).
_NEAR_A_ZONE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class PictureDates:
    """When a picture was made.

    Attributes:
        dated_at: By the clock of the place, with the fraction of the second where one is said; None where nothing says
            it. Only a position's fix is in UTC, where it is all there is.
        taken_at_utc: The same moment in UTC; None where no zone is known.
        origin: The fields it comes from, for example "EXIF DateTimeOriginal + OffsetTimeOriginal"; None with
            `dated_at`.
        problems: Dates that were not believed.
    """

    dated_at: datetime | None = None
    taken_at_utc: datetime | None = None
    origin: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    at: datetime
    zone: timezone | None
    origin: str


def picture_dates(tags: PictureTags) -> PictureDates:
    """The most trusted date of a picture.

    Args:
        tags: As `read_tags` gives them.
    """
    values: dict[tuple[str, str], str] = {}
    for group, name, value, _ in tags.rows:
        if name in _WANTED:
            values.setdefault((group, name), value)
    problems: list[str] = []
    dates = [found for source in _SOURCES if (found := _read(values, *source, problems))]
    if not dates:
        return PictureDates(problems=tuple(problems))
    first = dates[0]
    zone, origin = first.zone, first.origin
    if zone is None:
        # The same clock elsewhere, with its zone: XMP repeats what EXIF said before zones had a field of their own.
        clocks = (other for other in dates if other.zone and other.origin != _FIX)
        same = next((other for other in clocks if _second(other.at) == _second(first.at)), None)
        zone, origin = (same.zone, f"{origin} + zone of {same.origin}") if same else _by_fix(first, values)
    return PictureDates(first.at, _in_utc(first.at, zone), origin, tuple(problems))


def _read(
    values: dict[tuple[str, str], str], group: str, name: str, offset: str, fraction: str, problems: list[str]
) -> _Found | None:
    text, origin = values.get((group, name), ""), f"{group} {name}"
    if not text:
        return None
    if group == "IPTC":
        time = values.get(("IPTC", "TimeCreated"), "")
        text, origin = (f"{text} {time}", f"{origin} + TimeCreated") if time else (text, origin)
    elif group == "GPS":
        at = _fix(values)
        return _Found(at, UTC, _FIX) if at else None
    at, zone = _moment(text)
    if at is None:
        problems.append(f"{group} {name} is no date")
        return None
    if not _EARLIEST_YEAR <= at.year <= _LATEST_YEAR or at in _UNSET:
        problems.append(f"{group} {name} is of a clock that was not set")
        return None
    if fraction and (digits := values.get((group, fraction), "").strip()).isdecimal() and digits.isascii():
        at = at.replace(microsecond=int(digits[:6].ljust(6, "0")))
    if offset and (own := values.get((group, offset))):
        zone = _zone(own)
        origin = f"{origin} + {offset}" if zone else origin
        if zone is None:
            problems.append(f"{group} {offset} is no zone")
    return _Found(at, zone, origin)


def _moment(text: str) -> tuple[datetime | None, timezone | None]:
    """A date with or without time, fraction and zone, as EXIF, XMP and IPTC write it."""
    text = text.strip()
    if _SHORTENED.fullmatch(text):
        text = f"{text}-01-01"[:10]
    match = _DATE.fullmatch(text)
    if match is None:
        return None, None
    year, month, day, hour, minute, second = (int(match[name] or 0) for name in _PARTS)
    try:
        at = datetime(year, month, day, hour, minute, second, int((match["part"] or "0")[:6].ljust(6, "0")))
    except ValueError:
        return None, None
    return at, _zone(match["zone"]) if match["zone"] else None


def _zone(text: str) -> timezone | None:
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    if match["sign"] is None:
        return UTC
    shift = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    shift = -shift if match["sign"] == "-" else shift
    return timezone(shift) if _EARLIEST_ZONE <= shift <= _LATEST_ZONE else None


def _fix(values: dict[tuple[str, str], str]) -> datetime | None:
    """When the position was fixed, UTC without saying so."""
    at, _ = _moment(values.get(("GPS", "GPSDateStamp"), ""))
    try:
        hours, minutes, seconds = map(float, values.get(("GPS", "GPSTimeStamp"), "").split(" "))
    except ValueError:
        return None
    if at is None or not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 61):
        return None
    if not _EARLIEST_YEAR <= at.year <= _LATEST_YEAR or at in _UNSET:
        return None
    return at.replace(hour=0, minute=0, second=0) + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _by_fix(date: _Found, values: dict[tuple[str, str], str]) -> tuple[timezone | None, str]:
    """The zone in which the clock of the camera and the fix of the position agree."""
    fix = _fix(values)
    if fix is None:
        return None, date.origin
    difference = date.at - fix
    steps = round(difference / _ZONE_STEP)
    zone = steps * _ZONE_STEP
    if abs(difference - zone) > _NEAR_A_ZONE or not _EARLIEST_ZONE <= zone <= _LATEST_ZONE:
        return None, date.origin
    return timezone(zone), f"{date.origin} + {_FIX}"


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _in_utc(at: datetime, zone: timezone | None) -> datetime | None:
    return None if zone is None else at.replace(tzinfo=zone).astimezone(UTC)
