"""How the points of a map are coloured, and the legend that says so.

Takes MAP_POINTS and what to colour by, gives an entry of the legend for each point or a number along a scale; must not
draw. The colours stand apart for people who do not tell red from green, and on a light and a dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "BY_CLUSTER",
    "CATEGORY_COLOURS",
    "CLUSTER_COLOURS",
    "COLOUR_CHOICES",
    "QUIET",
    "RAMP",
    "Colouring",
    "LegendEntry",
    "cluster_colouring",
    "cluster_name",
    "colouring_of",
]

COLOUR_CHOICES = ("location", "tier", "reclaimable bytes")

BY_CLUSTER = "cluster"
"""One more choice, where clusters were found."""

# After Okabe and Ito (2008), the light ones darkened: each has at least 3:1 against the grounds of the pages.
CATEGORY_COLOURS = ("#0f7fc4", "#d55e00", "#00936b", "#b8578f", "#a97b00", "#1f8fa6")
"""Of locations, in the order of their size; smaller ones share `QUIET`."""

CLUSTER_COLOURS = (*CATEGORY_COLOURS, "#6b8e23", "#c2483e", "#7a68c8", "#8c6d55")
"""Of the greatest clusters; smaller ones have these colours in turn, so that neighbours can be told apart."""

QUIET = "#858b96"
"""Of what is not in question: other locations, pictures in no group or cluster, nothing to free."""

RAMP = ("#2f86d1", "#7a68c8", "#b153a8", "#d0506a", "#d8650b")
"""From few bytes to many: from blue to orange, the axis that nearly everybody sees."""

_TIERS = {"bytes": ("Equal bytes", "#0f7fc4"), "pixels": ("Equal pixels", "#00936b"), "copy": ("Copies", "#b8578f")}
_NO_GROUP, _NOTHING, _OTHERS = "In no group", "Nothing to free", "Other locations"
_NO_CLUSTER, _SMALLER = "Outside any cluster", "smaller clusters"
_NAMED_WORDS = 3


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A colour, what it says, and how many pictures have it; entries of one name are one line of the legend."""

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


def cluster_colouring(cluster_of: pl.Series, clusters: pl.DataFrame) -> Colouring:
    """Colour points by their cluster.

    Args:
        cluster_of: The cluster of each point, 0 for none.
        clusters: CLUSTERS, the greatest first.
    """
    of_their_own, most = clusters.head(len(CLUSTER_COLOURS)), len(CLUSTER_COLOURS)
    numbers, smaller = clusters["cluster"].to_list(), max(clusters.height - most, 0)
    # The greatest have an entry each, the others one for each colour, and the last is for points in no cluster.
    entries = [(cluster_name(row), CLUSTER_COLOURS[at]) for at, row in enumerate(of_their_own.iter_rows(named=True))]
    entries += [(f"{smaller:,} {_SMALLER}", colour) for colour in CLUSTER_COLOURS[:smaller]]
    places = [at if at < most else most + (at - most) % most for at in range(len(numbers))]
    entry = cluster_of.replace_strict(numbers, places, default=len(entries), return_dtype=pl.Int16).to_numpy()
    entries.append((_NO_CLUSTER, QUIET))
    counts = np.bincount(entry, minlength=len(entries))
    told = [LegendEntry(*said, int(count)) for said, count in zip(entries, counts, strict=True)]
    if not told[-1].pictures:
        told.pop()
    return Colouring(tuple(told), entry, np.full(len(entry), np.nan, np.float32))


def cluster_name(row: Mapping[str, Any]) -> str:
    """What to call a cluster: its number, and the words that tell most of it.

    Args:
        row: Of CLUSTERS.
    """
    words = ", ".join(row["words"][:_NAMED_WORDS])
    return f"Cluster {row['cluster']}: {words}" if words else f"Cluster {row['cluster']}"
