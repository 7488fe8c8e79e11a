"""Where two pictures show the same, and what is related without being proposed, as frozen values.

Takes rows of PAIRS and RELATED, gives boxes in per cent of a preview and texts; must not make HTML or judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deeplens_kit.matching.view_words import place_words
from deeplens_kit.reporting.words import relation_words
from deeplens_kit.schemas.kinds import BOX

__all__ = ["MAX_RELATED", "RegionView", "RelatedView", "region_of", "related_views", "shape_of"]

MAX_RELATED = 50
"""Related pairs that a page shows; all of them are in JSON."""

# A region that leaves out no more than this (inclusive) at any side is the whole view: an outline would say nothing.
_ALL_MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class RegionView:
    """A box over a preview, in per cent of its sides.

    Attributes:
        left_percent: From the left side.
        top_percent: From the top.
        width_percent: Of the picture's.
        height_percent: Of the picture's.
        says: Where it lies and what for, in words.
    """

    left_percent: float
    top_percent: float
    width_percent: float
    height_percent: float
    says: str


@dataclass(frozen=True, slots=True)
class RelatedView:
    """A picture that holds another one, or a part of it, and more.

    Attributes:
        digest: The picture that holds more.
        name: Its location and path.
        other_digest: The other one.
        other: Its location and path.
        relation: Of the first to the other.
        relation_says: In words.
        score: 0..1.
        reason: What was seen of the first.
        regions: The matched region in the first, and in the other; None where it is all of the picture.
        shapes: Width over height of both, None where that is not known.
    """

    digest: str
    name: str
    other_digest: str
    other: str
    relation: str
    relation_says: str
    score: float
    reason: str
    regions: tuple[RegionView | None, RegionView | None]
    shapes: tuple[float | None, float | None]


def region_of(pair: Mapping[str, Any], digest: str, *, matches: str) -> RegionView | None:
    """The matched region in a picture of a pair; None where nobody looked, or where it is all of the picture.

    Args:
        pair: A row of PAIRS.
        digest: The picture.
        matches: The name of the other one.
    """
    box = pair.get("region_b" if digest == pair["digest_b"] else "region_a")
    if box is None:
        return None
    left, top, right, bottom = (min(1.0, max(0.0, float(side))) for side in box)
    if max(left, top, 1 - right, 1 - bottom) <= _ALL_MARGIN or right <= left or bottom <= top:
        return None
    where = place_words(pl.Series([list(box)], dtype=BOX))[0]
    return RegionView(
        left_percent=round(100 * left, 2),
        top_percent=round(100 * top, 2),
        width_percent=round(100 * (right - left), 2),
        height_percent=round(100 * (bottom - top), 2),
        says=f"{where} matches {matches}",
    )


def shape_of(picture: Mapping[str, Any] | None) -> float | None:
    """Width over height of a picture; None where it is not known."""
    if picture is None or not picture.get("width_px") or not picture.get("height_px"):
        return None
    return float(picture["width_px"]) / float(picture["height_px"])


def related_views(
    related: pl.DataFrame, pairs: pl.DataFrame, pictures: pl.DataFrame, names: Mapping[str, str]
) -> tuple[RelatedView, ...]:
    """The strongest related pairs, described.

    Args:
        related: RELATED.
        pairs: PAIRS.
        pictures: Columns digest, width_px and height_px.
        names: Location and path of objects, by id.
    """
    order = ["score", "digest", "other_digest"]
    shown = related.sort(order, descending=[True, False, False]).head(MAX_RELATED)
    known = _pairs_of(shown, pairs)
    shapes = {row["digest"]: shape_of(row) for row in pictures.iter_rows(named=True)}
    return tuple(_view(row, known, shapes, names) for row in shown.iter_rows(named=True))


def _view(
    row: Mapping[str, Any],
    pairs: Mapping[frozenset[str], Mapping[str, Any]],
    shapes: Mapping[str, float | None],
    names: Mapping[str, str],
) -> RelatedView:
    digests = row["digest"], row["other_digest"]
    ids = row["object_id"], row["other_object_id"]
    shown = [names.get(object_id) or digest for object_id, digest in zip(ids, digests, strict=True)]
    pair = pairs.get(frozenset(digests), {"digest_b": ""})
    titles = [name.rpartition("/")[2] for name in shown]
    return RelatedView(
        digest=digests[0],
        name=shown[0],
        other_digest=digests[1],
        other=shown[1],
        relation=row["relation"],
        relation_says=relation_words(row["relation"], "the other one"),
        score=row["score"],
        reason=row["reason"],
        regions=(
            region_of(pair, digests[0], matches=titles[1]),
            region_of(pair, digests[1], matches=titles[0]),
        ),
        shapes=(shapes.get(digests[0]), shapes.get(digests[1])),
    )


def _pairs_of(related: pl.DataFrame, pairs: pl.DataFrame) -> dict[frozenset[str], Mapping[str, Any]]:
    ends: Sequence[str] = pl.concat([related["digest"], related["other_digest"]]).unique().to_list()
    near = pairs.filter(pl.col("digest_a").is_in(ends) & pl.col("digest_b").is_in(ends))
    return {frozenset((row["digest_a"], row["digest_b"])): row for row in near.iter_rows(named=True)}
