"""How the points of a map are coloured, and the legend that says so.

Takes MAP_POINTS and what to colour by, gives an entry of the legend for each point or a number along a scale; must not
draw. The colours stand apart for people who do not tell red from green, and on a light and a dark ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["CATEGORY_COLOURS", "COLOUR_CHOICES", "QUIET", "RAMP", "Colouring", "LegendEntry", "colouring_of"]

COLOUR_CHOICES = ("location", "tier", "reclaimable bytes")

# After Okabe and Ito (2008), the light ones darkened: each has at least 3:1 against the grounds of the pages.
CATEGORY_COLOURS = ("#0f7fc4", "#d55e00", "#00936b", "#b8578f", "#a97b00", "#1f8fa6")
"""Of locations, in the order of their size; smaller ones share `QUIET`."""

QUIET = "#858b96"
"""Of what is not in question: other locations, pictures in no group, nothing to free."""

RAMP = ("#2f86d1", "#7a68c8", "#b153a8", "#d0506a", "#d8650b")
"""From few bytes to many: from blue to orange, the axis that nearly everybody sees."""

_TIERS = {"bytes": ("Equal bytes", "#0f7fc4"), "pixels": ("Equal pixels", "#00936b"), "copy": ("Copies", "#b8578f")}
_NO_GROUP, _NOTHING, _OTHERS = "In no group", "Nothing to free", "Other locations"


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A colour, what it says, and how many pictures have it."""

    name: str
    colour: str
    pictures: int


@dataclass(frozen=True, slots=True)
class Colouring:
    """Colours of points.

    Attributes:
        entries: The legend; quiet entries, which are drawn beneath the others, come last.
        entry: (n,) int16, the entry of each point; `len(entries)` for points along the scale.
        amounts: (n,) float32, the bytes of points along the scale; NaN for the others.
        span: The least and the most bytes of the scale; None where nothing is along it.
    """

    entries: tuple[LegendEntry, ...]
    entry: NDArray[np.int16]
    amounts: NDArray[np.float32]
    span: tuple[int, int] | None = None


def colouring_of(points: pl.DataFrame, colour_by: str) -> Colouring:
    """Colour points.

    Args:
        points: MAP_POINTS.
        colour_by: One of `COLOUR_CHOICES`.
    """
    if colour_by == "location":
        return _by_location(points)
    if colour_by == "tier":
        return _by_tier(points)
    return _by_amount(points)


def _by_location(points: pl.DataFrame) -> Colouring:
    counted = points.group_by("location").len().sort("len", "location", descending=[True, False])
    named = counted["location"].to_list()[: len(CATEGORY_COLOURS)]
    colours = dict(zip(named, CATEGORY_COLOURS, strict=False))
    return _categories(points["location"], colours, dict(zip(named, named, strict=True)), _OTHERS)


def _by_tier(points: pl.DataFrame) -> Colouring:
    present = [tier for tier in _TIERS if tier in set(points["tier"].unique())]
    colours = {tier: _TIERS[tier][1] for tier in present}
    return _categories(points["tier"], colours, {tier: _TIERS[tier][0] for tier in present}, _NO_GROUP)


def _categories(values: pl.Series, colours: dict[str, str], names: dict[str, str], rest: str) -> Colouring:
    order = list(colours)
    number = values.replace_strict(order, range(len(order)), default=len(order), return_dtype=pl.Int16)
    counts = np.bincount(number.to_numpy(), minlength=len(order) + 1)
    entries = [LegendEntry(names[key], colours[key], int(counts[at])) for at, key in enumerate(order)]
    if counts[len(order)]:
        entries.append(LegendEntry(rest, QUIET, int(counts[len(order)])))
    return Colouring(tuple(entries), number.to_numpy(), np.full(len(values), np.nan, np.float32))


def _by_amount(points: pl.DataFrame) -> Colouring:
    amounts = points["reclaimable_bytes"]
    some = (amounts > 0).to_numpy()
    entries = [LegendEntry(_NOTHING, QUIET, int((~some).sum()))] if not some.all() else []
    scaled = np.where(some, amounts.to_numpy(), np.nan).astype(np.float32)
    freed = amounts.filter(amounts > 0)
    span = (int(freed.min()), int(freed.max())) if some.any() else None  # type: ignore[arg-type]
    return Colouring(tuple(entries), np.where(some, len(entries), 0).astype(np.int16), scaled, span)
