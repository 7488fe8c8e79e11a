"""What people wrote into pictures and sidecars, under the names that XMP has for it, and how two are put together.

Takes tags, gives frozen values; must not read a file. Put together, what stays keeps its own values and gets those that
it lacks; lists are united.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

__all__ = ["LISTS", "TEXTS", "Told", "merged", "position_texts", "told_by"]

# Group and name of a tag, by the XMP property that says the same; what comes first counts (Metadata Working Group 2.0,
# 5: XMP, then IPTC, then Exif). Windows writes names that begin with XP.
LISTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "dc:subject": (("XMP", "dc:subject"), ("IPTC", "Keywords"), ("EXIF", "XPKeywords")),
        "lr:hierarchicalSubject": (("XMP", "lr:hierarchicalSubject"),),
    }
)
"""Properties that hold several values, without an order."""

TEXTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "dc:title": (("XMP", "dc:title"), ("IPTC", "ObjectName"), ("EXIF", "XPTitle")),
        "dc:description": (
            ("XMP", "dc:description"),
            ("IPTC", "Caption-Abstract"),
            ("EXIF", "ImageDescription"),
            ("EXIF", "UserComment"),
            ("EXIF", "XPComment"),
        ),
        "dc:creator": (("XMP", "dc:creator"), ("IPTC", "By-line"), ("EXIF", "Artist"), ("EXIF", "XPAuthor")),
        "dc:rights": (("XMP", "dc:rights"), ("IPTC", "CopyrightNotice"), ("EXIF", "Copyright")),
        "xmp:Rating": (("XMP", "xmp:Rating"), ("EXIF", "Rating")),
        "xmp:Label": (("XMP", "xmp:Label"),),
        "photoshop:Headline": (("XMP", "photoshop:Headline"), ("IPTC", "Headline")),
        "photoshop:City": (("XMP", "photoshop:City"), ("IPTC", "City")),
        "photoshop:State": (("XMP", "photoshop:State"), ("IPTC", "Province-State")),
        "photoshop:Country": (("XMP", "photoshop:Country"), ("IPTC", "CountryName")),
        "photoshop:DateCreated": (("XMP", "photoshop:DateCreated"), ("XMP", "exif:DateTimeOriginal")),
        "exif:GPSLatitude": (("XMP", "exif:GPSLatitude"),),
        "exif:GPSLongitude": (("XMP", "exif:GPSLongitude"),),
    }
)
"""Properties that hold one value."""

_POSITION = ("exif:GPSLatitude", "exif:GPSLongitude")
_BETWEEN = ";"
_UNRATED = "0"


@dataclass(frozen=True, slots=True)
class Told:
    """What a file tells.

    Attributes:
        lists: By property, its values in the order of the file.
        texts: By property, its value.
    """

    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The properties that it has."""
        return (*self.lists, *self.texts)


def told_by(
    rows: Iterable[Sequence[str]],
    *,
    position: tuple[float, float] | None = None,
    dated_at: datetime | None = None,
    taken_at_utc: datetime | None = None,
    unrated: bool = False,
) -> Told:
    """What tags tell.

    Args:
        rows: Group, name and value of each tag, as METADATA has them; more of each row is passed over.
        position: Degrees north and east; None for none.
        dated_at: When the picture was made, by the clock of the place; None where nobody says.
        taken_at_utc: The same in UTC; None where no zone is known.
        unrated: Whether a rating of 0 is one, as a person may have said so; cameras write it too.
    """
    values: dict[tuple[str, str], str] = {}
    for group, name, value, *_ in rows:
        values.setdefault((group, name), value)
    lists = {}
    for name, sources in LISTS.items():
        said = [item.strip() for source in sources for item in values.get(source, "").split(_BETWEEN)]
        if kept := tuple(dict.fromkeys(item for item in said if item)):
            lists[name] = kept
    texts = {}
    for name, sources in TEXTS.items():
        found = next((values[source] for source in sources if values.get(source, "").strip()), "")
        if found and not (name == "xmp:Rating" and found == _UNRATED and not unrated):
            texts[name] = found
    if position is not None and not any(name in texts for name in _POSITION):
        texts |= position_texts(*position)
    if dated_at is not None and "photoshop:DateCreated" not in texts:
        texts["photoshop:DateCreated"] = _moment(dated_at, taken_at_utc)
    return Told(lists, texts)


def merged(stays: Told, goes: Iterable[Told]) -> tuple[Told, tuple[str, ...]]:
    """What stays with what only those that go tell.

    Args:
        stays: Its values remain.
        goes: Of several that tell something, the first counts; of lists, all.

    Returns:
        All of it, and the properties that those that go added to.
    """
    lists, texts, gained = dict(stays.lists), dict(stays.texts), dict[str, None]()
    for other in goes:
        for name, values in other.lists.items():
            known = {value.casefold() for value in lists.get(name, ())}
            more = tuple(value for value in values if value.casefold() not in known)
            if more:
                lists[name] = (*lists.get(name, ()), *more)
                gained[name] = None
        placed = any(name in texts for name in _POSITION)
        for name, value in other.texts.items():
            # Half a position of one picture and half of another would be nowhere.
            if name not in texts and not (placed and name in _POSITION):
                texts[name] = value
                gained[name] = None
    ordered = Told(
        {name: lists[name] for name in LISTS if name in lists}, {name: texts[name] for name in TEXTS if name in texts}
    )
    return ordered, tuple(name for name in ordered.names if name in gained)


def position_texts(latitude: float, longitude: float) -> dict[str, str]:
    """A position as XMP writes it (Exif for XMP, ISO 16684-2): degrees, minutes and the half of the globe.

    Args:
        latitude: Degrees north, -90..90.
        longitude: Degrees east, -180..180.
    """
    halves = zip(_POSITION, (latitude, longitude), ("NS", "EW"), strict=True)
    return {name: _degrees(value, half[value < 0]) for name, value, half in halves}


def _degrees(value: float, half: str) -> str:
    # Six decimals of a minute are two millimetres.
    millionths = round(abs(value) * 60 * 10**6)
    return f"{millionths // (60 * 10**6)},{millionths % (60 * 10**6) / 10**6:.6f}{half}"


def _moment(dated_at: datetime, taken_at_utc: datetime | None) -> str:
    text = dated_at.replace(tzinfo=None).isoformat(timespec="microseconds" if dated_at.microsecond else "seconds")
    if taken_at_utc is None:
        return text
    minutes = round((dated_at.replace(tzinfo=None) - taken_at_utc.replace(tzinfo=None)).total_seconds() / 60)
    return f"{text}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
