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

from deeplens_kit.reporting.words import format_bytes

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

COLOUR_CHOICES = ("location", "tier", "format", "age", "reclaimable bytes")

BY_CLUSTER = "cluster"
"""One more choice, where clusters were found."""

# After Okabe and Ito (2008), the light ones darkened: each has at least 3:1 against the grounds of the pages.
CATEGORY_COLOURS = ("#0f7fc4", "#d55e00", "#00936b", "#b8578f", "#a97b00", "#1f8fa6")
"""Of locations and formats, in the order of their size; smaller ones share `QUIET`."""

CLUSTER_COLOURS = (*CATEGORY_COLOURS, "#6b8e23", "#c2483e", "#7a68c8", "#8c6d55")
"""Of the greatest clusters; smaller ones have these colours in turn, so that neighbours can be told apart."""

QUIET = "#858b96"
"""Of what is not in question: other locations, pictures in no group or cluster, nothing to free."""

RAMP = ("#2f86d1", "#7a68c8", "#b153a8", "#d0506a", "#d8650b")
"""From few bytes to many, from old to new: from blue to orange, the axis that nearly everybody sees."""

_TIERS = {"bytes": ("Equal bytes", "#0f7fc4"), "pixels": ("Equal pixels", "#00936b"), "copy": ("Copies", "#b8578f")}
_NO_GROUP, _NOTHING, _NO_DATE = "In no group", "Nothing to free", "No date known"
_OTHERS = {"location": "Other locations", "format": "Other formats"}
_NO_CLUSTER, _SMALLER = "Outside any cluster", "smaller clusters"
_NAMED_WORDS = 3
# The scale of ages leaves out as much at either end, or one file of 1970 would make all others alike.
_OUTLIERS = 0.02


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
        share: (n,) float32, how far along the scale a point is, 0..1; NaN for points that are not.
        ends: What the two ends of the scale are, in words; None where nothing is along it.
    """

    entries: tuple[LegendEntry, ...]
    entry: NDArray[np.int16]
    share: NDArray[np.float32]
    ends: tuple[str, str] | None = None


def colouring_of(points: pl.DataFrame, colour_by: str) -> Colouring:
    """Colour points.

    Args:
        points: MAP_POINTS.
        colour_by: One of `COLOUR_CHOICES`.
    """
    if colour_by in _OTHERS:
        return _by_name(points, colour_by)
    if colour_by == "tier":
        return _by_tier(points)
    return _by_age(points) if colour_by == "age" else _by_amount(points)


def _by_name(points: pl.DataFrame, column: str) -> Colouring:
    counted = points.group_by(column).len().sort("len", column, descending=[True, False])
    named = counted[column].to_list()[: len(CATEGORY_COLOURS)]
    colours = dict(zip(named, CATEGORY_COLOURS, strict=False))
    return _categories(points[column], colours, dict(zip(named, named, strict=True)), _OTHERS[column])


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
    amounts = points["reclaimable_bytes"].to_numpy()
    some = amounts > 0
    if not some.any():
        return _scaled(np.full(len(amounts), np.nan), (0.0, 0.0), _NOTHING, None)
    low, high = int(amounts[some].min()), int(amounts[some].max())
    logs = np.log(np.where(some, amounts, np.nan))
    return _scaled(logs, (np.log(low), np.log(high)), _NOTHING, (format_bytes(low), format_bytes(high)))


def _by_age(points: pl.DataFrame) -> Colouring:
    dated = points["dated_at"]
    known = dated.drop_nulls()
    if known.is_empty():
        return _scaled(np.full(len(dated), np.nan), (0.0, 0.0), _NO_DATE, None)
    moments = np.where(dated.is_null().to_numpy(), np.nan, dated.to_physical().fill_null(0).to_numpy().astype(float))
    low, high = np.nanquantile(moments, [_OUTLIERS, 1.0 - _OUTLIERS], method="nearest")
    ends = [f"{moment:%B %Y}" for moment in pl.Series([low, high]).cast(pl.Int64).cast(pl.Datetime("us"))]
    return _scaled(moments, (low, high), _NO_DATE, (ends[0], ends[1]))


def _scaled(
    values: NDArray[np.floating], span: tuple[float, float], rest: str, ends: tuple[str, str] | None
) -> Colouring:
    """Points along a scale; those without a value, which is NaN, are quiet."""
    some = np.isfinite(values)
    entries = [LegendEntry(rest, QUIET, int((~some).sum()))] if not some.all() else []
    low, high = span
    share = np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.where(some, 1.0, np.nan)
    return Colouring(
        tuple(entries), np.where(some, len(entries), 0).astype(np.int16), np.asarray(share, np.float32), ends
    )


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
