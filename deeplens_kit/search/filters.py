"""What a search may give: places, formats, sizes, dates, words of people, copies, strength of evidence.

Takes and holds values, refuses those that make no sense; must not look at pictures. All bounds are inclusive, and
filters are applied before the results are cut to a limit: a rare format is found however many others are more alike.
Of several values of one filter any will do, several filters hold together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import Tier

__all__ = ["COPY_TIERS", "SearchFilters"]

COPY_TIERS = (Tier.BYTES, Tier.PIXELS, Tier.COPY)
"""The tiers of which groups are proposed."""

_FOUND_TIERS = (Tier.BYTES, Tier.COPY, Tier.SCENE)
_LEAST = {"min_bytes": "size", "min_width_px": "width", "min_height_px": "height", "min_side_px": "side",
          "min_saves_bytes": "saving"}  # fmt: skip
_LAST_MICROSECOND = time(23, 59, 59, 999_999)


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """Conditions on what is found; the default lets everything through.

    Of locations, paths, modification and what people say, one object of the picture must meet all that are given; only
    objects that do are counted and shown first.

    Attributes:
        locations: Names of locations; none for all.
        paths: Globs as in a .gitignore file of paths within their location, or "location:glob"; none for all.
        formats: As in `pictures.format`, for example "JPEG"; none for all.
        min_bytes: Least size of the file.
        max_bytes: Greatest size of the file; None for any.
        min_width_px: Least width, upright.
        max_width_px: Greatest width; None for any.
        min_height_px: Least height, upright.
        max_height_px: Greatest height; None for any.
        min_side_px: Least length of the shorter side.
        max_side_px: Greatest length of the shorter side; None for any.
        taken_from: When it was taken, by the clock of the place; a date means its beginning.
        taken_to: The same; a date means its end. What has no date is found by neither.
        modified_from: When the object was last modified, UTC where no zone is given; a date means its beginning.
        modified_to: The same; a date means its end.
        cameras: Makers and models as they are stored, whatever the case of letters; none for all.
        cameras_with: Parts of them; a picture is found by either.
        collections: Names of collections; none for all.
        tags: Tags that people gave, any of them; none for all.
        duplicates: Tiers: only pictures that could go as such a copy, or in whose favour one could; none for all.
        min_saves_bytes: Least number of bytes that the proposed groups of the picture would free.
        min_score: The threshold, 0..1.
        tiers: `bytes`, `copy`, `scene`; none for all.
    """

    locations: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    min_bytes: int = 0
    max_bytes: int | None = None
    min_side_px: int = 0
    min_score: float = 0.0
    tiers: tuple[Tier, ...] = ()
    paths: tuple[str, ...] = ()
    min_width_px: int = 0
    max_width_px: int | None = None
    min_height_px: int = 0
    max_height_px: int | None = None
    max_side_px: int | None = None
    taken_from: datetime | None = None
    taken_to: datetime | None = None
    modified_from: datetime | None = None
    modified_to: datetime | None = None
    cameras: tuple[str, ...] = ()
    cameras_with: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    duplicates: tuple[Tier, ...] = ()
    min_saves_bytes: int = 0

    def __post_init__(self) -> None:
        # Lists from widgets and words from a command line become what the filters are compared by.
        for name in ("locations", "paths", "cameras", "cameras_with", "collections", "tags"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        object.__setattr__(self, "formats", tuple(name.upper() for name in _texts("formats", self.formats)))
        object.__setattr__(self, "tiers", tuple(dict.fromkeys(map(_tier, self.tiers))))
        object.__setattr__(self, "duplicates", tuple(dict.fromkeys(map(_copy_tier, self.duplicates))))
        for name in ("taken_from", "taken_to", "modified_from", "modified_to"):
            object.__setattr__(self, name, _moment(name, getattr(self, name)))
        if not 0.0 <= self.min_score <= 1.0:
            raise SettingsError(f"The threshold is {self.min_score:g}; a score is from 0 to 1.")
        for name, what in _LEAST.items():
            if getattr(self, name) < 0:
                raise SettingsError(f"The least {what} is {getattr(self, name)}; it cannot be below 0.")
        for what, least, greatest, unit in (
            ("size", self.min_bytes, self.max_bytes, "bytes"),
            ("width", self.min_width_px, self.max_width_px, "pixels"),
            ("height", self.min_height_px, self.max_height_px, "pixels"),
            ("side", self.min_side_px, self.max_side_px, "pixels"),
        ):
            if greatest is not None and greatest < least:
                raise SettingsError(
                    f"The greatest {what}, {greatest:,} {unit}, is below the least, {least:,}; nothing fits."
                )
        for what, first, last in (
            ("taken", self.taken_from, self.taken_to),
            ("modified", self.modified_from, self.modified_to),
        ):
            if first is not None and last is not None and last < first:
                raise SettingsError(f"Pictures {what} from {first} until {last} are asked for; nothing fits.")

    @property
    def narrows_places(self) -> bool:
        """Whether they say which objects of a picture count."""
        return bool(
            self.locations or self.paths or self.collections or self.tags or self.modified_from or self.modified_to
        )

    def require_known(
        self,
        locations: Iterable[str],
        formats: Iterable[str],
        *,
        cameras: Iterable[str] | None = None,
        collections: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> None:
        """Refuse names that nothing can have; names of which None are given are not looked at.

        Raises:
            UnknownNameError: There is no such name; the nearest is suggested.
        """
        for kind, given, known in (
            ("active location", self.locations, locations),
            ("picture format", self.formats, formats),
            ("collection", self.collections, collections),
            ("tag", self.tags, tags),
        ):
            if not given or known is None:
                continue
            names = set(known)
            for name in given:
                if name not in names:
                    raise UnknownNameError(kind, name, names)
        if self.cameras and cameras is not None:
            names = set(cameras)
            folded = {name.casefold() for name in names}
            for name in self.cameras:
                if name.casefold() not in folded:
                    raise UnknownNameError("camera", name, names)


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise SettingsError(f"The filter {name!r} is the text {values!r}; give a list of texts.")
    given: tuple[object, ...] = tuple(dict.fromkeys(values))
    texts = tuple(text for text in given if isinstance(text, str) and text)
    if len(texts) < len(given):
        raise SettingsError(f"The filter {name!r} holds a value that is empty or no text; leave it out.")
    return texts


def _moment(name: str, value: datetime | date | str | None) -> datetime | None:
    """A bound as a moment without zone: a date is its beginning or its end."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) <= len("2020-01-01") else datetime.fromisoformat(value)
        except ValueError as error:
            raise SettingsError(
                f"The filter {name!r} is {value!r}; it must be a date such as 2020-01-31 or 2020-01-31T12:00."
            ) from error
    if not isinstance(value, datetime):
        return datetime.combine(value, _LAST_MICROSECOND if name.endswith("_to") else time.min)
    if value.tzinfo is None:
        return value
    if name.startswith("taken"):
        raise SettingsError(
            f"The filter {name!r} is {value}; cameras note no zone, so leave it out and give the clock of the place."
        )
    try:
        return value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise SettingsError(f"The filter {name!r} is {value}, which in UTC is before year 1 or after 9999.") from error


def _tier(name: Tier | str) -> Tier:
    if str(name) not in _FOUND_TIERS:
        raise UnknownNameError("tier of a search", str(name), map(str, _FOUND_TIERS))
    return Tier(name)


def _copy_tier(name: Tier | str) -> Tier:
    if str(name) not in COPY_TIERS:
        raise UnknownNameError("tier of duplicates", str(name), map(str, COPY_TIERS))
    return Tier(name)
