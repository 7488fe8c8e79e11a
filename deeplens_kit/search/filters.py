"""What a search may give: places, formats, sizes, strength of evidence.

Takes and holds values, refuses those that make no sense; must not look at pictures. All bounds are inclusive, and
filters are applied before the results are cut to a limit: a rare format is found however many others are more alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import Tier

__all__ = ["SearchFilters"]

_FOUND_TIERS = (Tier.BYTES, Tier.COPY, Tier.SCENE)


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """Conditions on what is found; the default lets everything through.

    Attributes:
        locations: Names of locations of which a picture must have an object; none for all.
        formats: As in `pictures.format`, for example "JPEG"; none for all.
        min_bytes: Least size of the file.
        max_bytes: Greatest size of the file; None for any.
        min_side_px: Least length of the shorter side.
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

    def __post_init__(self) -> None:
        # Lists from widgets and words from a command line become what the filters are compared by.
        object.__setattr__(self, "locations", tuple(self.locations))
        object.__setattr__(self, "formats", tuple(name.upper() for name in self.formats))
        object.__setattr__(self, "tiers", tuple(_tier(name) for name in self.tiers))
        if not 0.0 <= self.min_score <= 1.0:
            raise SettingsError(f"The threshold is {self.min_score:g}; a score is from 0 to 1.")
        for name, value in (("size", self.min_bytes), ("side", self.min_side_px)):
            if value < 0:
                raise SettingsError(f"The least {name} is {value}; it cannot be below 0.")
        if self.max_bytes is not None and self.max_bytes < self.min_bytes:
            raise SettingsError(
                f"The greatest size, {self.max_bytes:,} bytes, is below the least, {self.min_bytes:,}; nothing fits."
            )

    def require_known(self, locations: Iterable[str], formats: Iterable[str]) -> None:
        """Refuse names that nothing can have.

        Raises:
            UnknownNameError: No such location or format; the nearest is suggested.
        """
        for kind, given, known in (
            ("active location", self.locations, set(locations)),
            ("picture format", self.formats, set(formats)),
        ):
            for name in given:
                if name not in known:
                    raise UnknownNameError(kind, name, known)


def _tier(name: Tier | str) -> Tier:
    if str(name) not in _FOUND_TIERS:
        raise UnknownNameError("tier of a search", str(name), map(str, _FOUND_TIERS))
    return Tier(name)
