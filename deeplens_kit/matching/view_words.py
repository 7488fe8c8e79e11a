"""Views in words: how what one picture shows lies in another, for whole columns at once.

Takes columns that verification filled, seen from a keeper towards a member, gives text; must not decide anything. Null
where nobody looked. A million groups have a million sentences: each is put together from words that are made once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.verification.shares import inverse_transform
from deeplens_kit.schemas import Relation, Tier

__all__ = [
    "OPPOSITE_RELATION",
    "VIEW_COLUMNS",
    "outside_words",
    "percent_words",
    "place_words",
    "relation_towards",
    "seen_from",
    "seen_from_keeper",
    "turn_words",
    "view_sentences",
]

VIEW_COLUMNS = (
    "verification",
    "relation",
    "inliers",
    "correlation",
    "foreign",
    "covered_a",
    "covered_b",
    "resolution",
    "mirrored",
    "turn_degrees",
    "region_a",
    "region_b",
)
"""Columns of PAIRS that `seen_from_keeper` looks at."""

OPPOSITE_RELATION: Mapping[str, str] = {
    str(Relation.PART): str(Relation.CONTAINS),
    str(Relation.CONTAINS): str(Relation.PART),
}
"""A relation from the other end of the pair; every other one is the same from both."""

# For reading only; nothing decides on them.
_WHOLE_SHARE = 0.965  # from this share (inclusive) a view counts as all of a picture: alignment errs by a pixel or two
_QUARTER_DEGREES = 1.0  # inclusive: this near to a quarter turn it is one
_SIDE_SHARE = 0.02  # exclusive: a margin of more than this is outside
_BROAD_SHARE = 0.8  # inclusive: what is so broad lies neither left nor right
_LOW, _HIGH = 1 / 3, 2 / 3  # exclusive: the middle third
_EQUAL_RESOLUTION = 0.05  # inclusive, of the ratio less 1
_FOREIGN_SHARE = 0.004  # inclusive: what a person is told to look at, also where the relation stays `whole`

_Floats = NDArray[np.float64]


def relation_towards(is_b: pl.Expr) -> pl.Expr:
    """The relation of a picture of a pair to the other one: `part` where it is a part of that.

    Args:
        is_b: Whether it is b; the column `relation` says how a stands to b.
    """
    return pl.when(is_b).then(pl.col("relation").replace(OPPOSITE_RELATION)).otherwise("relation")


def seen_from_keeper(keeper_is_b: pl.Expr) -> list[pl.Expr]:
    """The columns of `view_sentences` from VIEW_COLUMNS.

    Args:
        keeper_is_b: Whether b is the keeper and a the member.
    """

    def of_keeper(a: str, b: str) -> pl.Expr:
        return pl.when(keeper_is_b).then(b).otherwise(a)

    # To mirror and turn is undone by the same: only a plain turn has another sense from the other end.
    turns_back = keeper_is_b & ~pl.col("mirrored").fill_null(False)
    return [
        pl.col("verification", "inliers", "correlation", "foreign", "mirrored"),
        relation_towards(~keeper_is_b).alias("relation"),
        of_keeper("covered_a", "covered_b").alias("covered_keeper"),
        of_keeper("covered_b", "covered_a").alias("covered_member"),
        pl.when(keeper_is_b).then(1.0 / pl.col("resolution")).otherwise("resolution").alias("keeper_resolves"),
        pl.when(turns_back).then(-pl.col("turn_degrees")).otherwise("turn_degrees").alias("turn"),
        of_keeper("region_a", "region_b").alias("region_keeper"),
        of_keeper("region_b", "region_a").alias("region_member"),
    ]


def seen_from(pair: Mapping[str, object], digest: str) -> dict[str, object]:
    """A row of PAIRS with a certain picture as a, whichever digest is smaller; `orientation` stays as it is stored."""
    if pair["digest_a"] == digest:
        return dict(pair)
    turned = dict(pair)
    for name in ("digest", "covered", "region"):
        turned[f"{name}_a"], turned[f"{name}_b"] = pair.get(f"{name}_b"), pair.get(f"{name}_a")
    transform = pair.get("transform")
    turned["transform"] = inverse_transform(cast("Sequence[float]", transform)) if transform else transform
    turned["relation"] = OPPOSITE_RELATION.get(str(pair["relation"]), pair["relation"])
    ratio, turn = pair.get("resolution"), pair.get("turn_degrees")
    turned["resolution"] = 1.0 / float(str(ratio)) if ratio else ratio
    turned["turn_degrees"] = -float(str(turn)) if turn and not pair.get("mirrored") else turn
    return turned


def view_sentences(views: pl.DataFrame, keeper: str = "the keeper") -> pl.Series:
    """What the closer look saw of members, for example "same picture, mirrored, cropped to 71 %, 214 matching points".

    Args:
        views: Columns of `seen_from_keeper`; with `tier`, pictures that are only alike are not called the same.
        keeper: What to call the other picture.

    Returns:
        Row by row, null where nobody looked.
    """
    numbers = {
        name: views[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("covered_keeper", "covered_member", "foreign", "correlation", "turn", "keeper_resolves")
    }
    foreign = np.nan_to_num(numbers["foreign"])
    shown, own = (numbers[name] / np.maximum(1.0 - foreign, 1e-6) for name in ("covered_keeper", "covered_member"))
    # Between quarter turns corners are cut off or filled up with nothing: then a whole view covers less than all.
    partial = (views["relation"] != Relation.WHOLE).to_numpy()
    texts = {
        "turn_words": turn_words(numbers["turn"]),
        "crop": _where(partial & (shown < _WHOLE_SHARE), percent_words(shown)),
        "place": place_words(views["region_keeper"]),
        "outside": outside_words(views["region_member"]),
        "more": _where(partial & (own < _WHOLE_SHARE), percent_words(1.0 - own)),
        "patches": _where(foreign >= _FOREIGN_SHARE, percent_words(foreign)),
        "finer": _resolution_words(numbers["keeper_resolves"], keeper),
    }
    known = views.select(
        "verification",
        "relation",
        "inliers",
        "mirrored",
        negative=pl.Series(numbers["correlation"] < 0, dtype=pl.Boolean),
        alike=(pl.col("tier") == Tier.SCENE) if "tier" in views.columns else pl.lit(False),
    ).with_columns(pl.Series(name, text, dtype=pl.String) for name, text in texts.items())
    return known.select(_put_together())["view"]


def _put_together() -> pl.Expr:
    parts = [
        pl.when("alike").then(pl.lit("a view in common")).otherwise(pl.lit("same picture")),
        pl.when("negative").then(pl.lit("a negative")),
        pl.when("mirrored").then(pl.lit("mirrored")),
        pl.col("turn_words"),
        # Cut off at all sides it lies in the middle; "nearly all of it" would say no more than the number.
        "cropped to "
        + pl.col("crop")
        + pl.when(pl.col("place") != _ALL).then(" (" + pl.col("place") + ")").otherwise(pl.lit("")),
        pl.when(pl.col("inliers") > 0).then(pl.col("inliers").cast(pl.String) + " matching points"),
        pl.col("finer"),
    ]
    differs = [
        pl.col("outside") + " (" + pl.col("more") + " of the view)",
        "patches of the common view (" + pl.col("patches") + " of it)",
    ]
    named = pl.concat_str(differs, separator=" and ", ignore_nulls=True)
    contains = pl.col("relation") == Relation.CONTAINS
    verb = pl.when(contains).then(pl.lit("; shows more: ")).otherwise(pl.lit("; differs in: "))
    said = pl.concat_str(
        pl.concat_str(parts, separator=", ", ignore_nulls=True),
        pl.when(named != "").then(verb + named).otherwise(pl.lit("")),
    )
    return (
        pl.when(pl.col("verification").is_null())
        .then(None)
        .when(pl.col("relation") == Relation.UNVERIFIED)
        .then(pl.lit("a closer look found no view in common"))
        .otherwise(said)
        .alias("view")
    )


def turn_words(turn: _Floats) -> pl.Series:
    """Degrees clockwise, -180..180, as "turned by 90 degrees clockwise"; null where it is upright or not known."""
    quarter = np.round(turn / 90.0) * 90.0
    degrees = np.round(np.where(np.abs(turn - quarter) <= _QUARTER_DEGREES, quarter, turn))
    return _words(_TURNS, np.where(np.isnan(degrees), 0.0, degrees).astype(np.int64) + 180)


def place_words(regions: pl.Series) -> pl.Series:
    """Where regions lie in their pictures: "the top left", "the middle", "nearly all of it"; null where none is."""
    left, top, right, bottom = _sides(regions)
    return _words(_PLACES, _place_codes(left, top, right, bottom)).zip_with(regions.is_not_null(), _NOTHING)


def outside_words(regions: pl.Series) -> pl.Series:
    """What of pictures lies outside a region: "the bottom", "the left and the right", "all around the middle"."""
    left, top, right, bottom = _sides(regions)
    margins = (top, 1.0 - bottom, left, 1.0 - right)
    sides = sum((margin > _SIDE_SHARE).astype(np.int64) << place for place, margin in enumerate(margins))
    codes = sides * len(_PLACES) + _place_codes(left, top, right, bottom)
    return _words(_OUTSIDE, codes).zip_with(regions.is_not_null(), _NOTHING)


def percent_words(share: _Floats) -> pl.Series:
    """Shares of 0..1 as "71 %", never 0 and never 100 unless it is all; 0 where it is not known."""
    rounded = np.clip(np.round(np.nan_to_num(share) * 100.0), 1, 99)
    return _words(_PERCENT, np.where(np.nan_to_num(share) >= 1.0, 100, rounded).astype(np.int64))


def _sides(regions: pl.Series) -> Sequence[_Floats]:
    boxes = regions.to_numpy().astype(np.float64).reshape(-1, 4)
    return list(np.nan_to_num(boxes).T)


def _place_codes(left: _Floats, top: _Floats, right: _Floats, bottom: _Floats) -> NDArray[np.int64]:
    rows, columns = _thirds(top, bottom), _thirds(left, right)
    broad = (right - left >= _BROAD_SHARE) & (bottom - top >= _BROAD_SHARE)
    return np.where(broad, len(_PLACES) - 1, 3 * rows + columns)


def _thirds(start: _Floats, end: _Floats) -> NDArray[np.int64]:
    """0 before, 1 in and 2 after the middle."""
    middle = (start + end) / 2.0
    narrow = end - start < _BROAD_SHARE
    return np.where(narrow & (middle < _LOW), 0, np.where(narrow & (middle > _HIGH), 2, 1))


def _resolution_words(ratio: _Floats, keeper: str) -> pl.Series:
    known = pl.DataFrame({"ratio": ratio, "turned": 1.0 / ratio}).fill_nan(None)
    size = pl.col("ratio")
    return known.select(
        pl.when((size - 1.0).abs() <= _EQUAL_RESOLUTION)
        .then(pl.lit(f"{keeper} resolves as much"))
        .when(size > 1.0)
        .then(f"{keeper} resolves " + size.round(1).cast(pl.String) + " times as much along a line")
        .when(size < 1.0)
        .then("resolves " + pl.col("turned").round(1).cast(pl.String) + " times as much along a line")
        .alias("finer")
    )["finer"]


def _where(condition: NDArray[np.bool_], texts: pl.Series) -> pl.Series:
    """The texts where a condition holds, else null: what is put together leaves nulls out."""
    return texts.zip_with(pl.Series(condition, dtype=pl.Boolean), _NOTHING)


def _words(words: pl.Series, codes: NDArray[np.int64]) -> pl.Series:
    return words.gather(codes) if len(codes) else words.clear()


def _turned(degrees: int) -> str | None:
    if degrees == 0:
        return None
    sense = "" if abs(degrees) == 180 else " clockwise" if degrees > 0 else " counter-clockwise"
    return f"turned by {abs(degrees)} degree{'' if abs(degrees) == 1 else 's'}{sense}"


def _outside(sides: int, place: str) -> str:
    named = [name for bit, name in enumerate(("top", "bottom", "left", "right")) if sides >> bit & 1]
    if not named:
        return "the corners"
    return " and ".join(f"the {name}" for name in named) if len(named) < 3 else f"all around {place}"


_ALL = "nearly all of it"
_PLACE_NAMES = (
    *("the top left", "the top", "the top right"),
    *("the left", "the middle", "the right"),
    *("the bottom left", "the bottom", "the bottom right"),
    _ALL,
)
_PLACES = pl.Series(_PLACE_NAMES, dtype=pl.String)
_OUTSIDE = pl.Series([_outside(sides, place) for sides in range(16) for place in _PLACE_NAMES], dtype=pl.String)
_TURNS = pl.Series([_turned(degrees) for degrees in range(-180, 181)], dtype=pl.String)
_PERCENT = pl.Series([f"{number} %" for number in range(101)], dtype=pl.String)
_NOTHING = pl.Series([None], dtype=pl.String)
