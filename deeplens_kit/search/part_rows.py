"""What closer looks found in common with a picture, as ranked rows: score, tier, relation, both regions, and why.

Takes what each look saw and what is known of the pictures, gives rows of SEARCH_RESULTS by position; must not look at
pixels. A picture that was looked at and has nothing in common is left out; one that could not be looked at says so and
comes after all the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.matching import STRICT, Rule
from deeplens_kit.matching.rules import picture_context, tiers_and_scores
from deeplens_kit.matching.view_words import OPPOSITE_RELATION, percent_words, place_words, turn_words
from deeplens_kit.schemas import PAIRS, SEARCH_RESULTS, Relation, Tier
from deeplens_kit.search.part_views import ALL_OF_IT, within
from deeplens_kit.search.query import Box

__all__ = ["CERTAIN_SCORE", "LOOKED_COLUMNS", "SEEN_SCORE", "PartLook", "part_rows", "part_scores"]

SEEN_SCORE = 0.3
"""From this score on (inclusive) a look has found a part in common. Asked with 89 collages, screenshots, crops and
originals of the development benchmark, every right picture reaches it, and none of about 1,000 others looked at."""

CERTAIN_SCORE = 0.90
"""From this score on (inclusive) the part in common is certain: what the rules ask of a removal."""

LOOKED_COLUMNS = ("inliers", "mirrored", "turn_degrees", "covered_a", "covered_b", "region_a", "region_b", "relation")
"""Of EVIDENCE_COLUMNS, what rows are made of; a is the picture asked for, b the one found."""

_NEARLY_ALL = 0.965  # inclusive: alignment errs by a pixel
_LESS = 0.02  # exclusive: of what holds the other, so much less is in common
_WITHHELD = 0.999  # of SEEN_SCORE: the most that the guess at a picture reaches that was not looked at


@dataclass(frozen=True, slots=True)
class PartLook:
    """A closer look at a part of the picture asked for beside a picture of the library, or a part of that.

    Attributes:
        position: Of the picture in the library.
        closeness: As of the candidate.
        asked: The part of the picture asked for that was looked at.
        found: The part of the picture found.
        evidence: EVIDENCE_COLUMNS of the two parts, a the one asked for; None where nobody could look.
        unseen: Why nobody looked; empty where somebody did.
    """

    position: int
    closeness: float
    asked: Box
    found: Box
    evidence: Mapping[str, object] | None
    unseen: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of both pictures was looked at."""
        return self.asked == ALL_OF_IT and self.found == ALL_OF_IT


def part_scores(
    looks: Sequence[PartLook], asked: Mapping[str, object], pictures: pl.DataFrame, rule: Rule = STRICT
) -> pl.DataFrame:
    """Score and tier of looks, row by row; of those that nobody took a guess below SEEN_SCORE.

    Args:
        looks: What was seen.
        asked: Facts of the picture asked for, columns of `pictures`.
        pictures: The library's, by position.
        rule: Gives tiers and scores, as of stored pairs.
    """
    schema = {name: PAIRS.polars[name] for name in _SCORED}
    seen = pl.DataFrame(
        [{name: (look.evidence or {}).get(name) for name in _SCORED} for look in looks], schema=schema
    ).with_columns(pl.Series("closeness", [look.closeness for look in looks], pl.Float64))
    found = pictures[[look.position for look in looks]]
    own = pl.DataFrame([{name: asked.get(name) for name in found.columns}], schema=found.schema)
    of_asked, of_found = picture_context(own, rule), picture_context(found, rule)
    # What is common is the one of them that is shown more of, so that it says whether that is a page, or next to blank.
    in_asked = pl.col("covered_b").fill_null(0.0) >= pl.col("covered_a").fill_null(0.0)
    known = seen.with_columns(
        of_found["context_page"].alias("page_found"),
        of_found["context_low"].alias("low_found"),
        pl.lit(of_asked["context_page"][0], pl.Boolean).alias("page_asked"),
        pl.lit(of_asked["context_low"][0], pl.Boolean).alias("low_asked"),
    ).with_columns(
        page_like=pl.when(in_asked).then("page_found").otherwise("page_asked"),
        low_information=pl.when(in_asked).then("low_found").otherwise("low_asked"),
        other_shots=pl.lit(False),
        hub=pl.lit(False),
        pdq_distance=pl.lit(None, pl.Int32),
        phash_distance=pl.lit(None, pl.Int32),
        sscd_small=pl.lit(None, pl.Float32),
        sscd=pl.lit(None, pl.Float32),
    )
    guess = SEEN_SCORE * _WITHHELD * pl.col("closeness").clip(0.0, 1.0)
    judged = known.with_columns(tiers_and_scores(known, rule))
    unseen = pl.col("verification").is_null()
    return judged.select(
        score=pl.when(unseen).then(guess).otherwise("score").cast(pl.Float32),
        tier=pl.when(unseen).then(pl.lit(str(Tier.SCENE))).otherwise("tier"),
    )


def part_rows(looks: Sequence[PartLook], scores: pl.DataFrame, *, whole: Box = ALL_OF_IT) -> pl.DataFrame:
    """Rows of SEARCH_RESULTS with `position`, the best first, each picture by its best look.

    Args:
        looks: What was seen.
        scores: Of them, as `part_scores` gives them.
        whole: What was asked for, in shares of the picture that `region_asked` is to be in.
    """
    best: dict[int, tuple[bool, float, PartLook, str]] = {}
    for look, (score, tier) in zip(looks, scores.iter_rows(), strict=True):
        seen = look.evidence is not None and look.evidence["region_a"] is not None
        if look.evidence is not None and not (seen and score >= SEEN_SCORE):
            continue
        # A look at all of both knows how they relate, so that it speaks where it saw enough for that.
        speaks = look.is_whole and seen and (score >= CERTAIN_SCORE or _relation(look) != Relation.COMPOSITE)
        known = best.get(look.position)
        if known is None or (speaks, score) > known[:2]:
            best[look.position] = speaks, score, look, tier
    rows = [_row(look, score, tier, whole) for _, score, look, tier in best.values()]
    frame = pl.DataFrame(rows, schema={**_ROWS, "closeness": pl.Float64()})
    unseen = pl.col("relation") == Relation.UNVERIFIED
    order = [unseen, "score", "closeness", "position"]
    return frame.sort(order, descending=[False, True, True, False]).drop("closeness")


def _row(look: PartLook, score: float, tier: str, whole: Box) -> dict[str, object]:
    row: dict[str, object] = {"position": look.position, "closeness": look.closeness, "score": score, "tier": tier}
    if look.evidence is None:
        return row | {"relation": str(Relation.UNVERIFIED), "why": f"not looked at closely: {look.unseen}"}
    seen = {name: look.evidence[name] for name in LOOKED_COLUMNS}
    in_asked, in_found = (
        within(part, _box(seen[name])) for part, name in ((look.asked, "region_a"), (look.found, "region_b"))
    )
    relation = _relation(look)
    towards = OPPOSITE_RELATION.get(relation, relation)
    return row | {
        "relation": towards,
        "region_asked": list(within(whole, in_asked)),
        "region_found": list(in_found),
        "why": _why(look, seen, towards, in_asked, in_found),
    }


def _relation(look: PartLook) -> str:
    """Of the picture asked for to the one found."""
    assert look.evidence is not None, "nobody saw how they relate"
    # Where only parts were looked at, what lies around them is foreign for all that was seen.
    return str(look.evidence["relation"]) if look.is_whole else str(Relation.COMPOSITE)


def _why(look: PartLook, seen: Mapping[str, object], relation: str, in_asked: Box, in_found: Box) -> str:
    """What was seen of the result, in a sentence."""
    asked = _number(seen["covered_a"]) * _area(look.asked)
    found = _number(seen["covered_b"]) * _area(look.found)
    there, here = (f"{_place(box)} ({_percent(share)})" for box, share in ((in_found, found), (in_asked, asked)))
    if relation == Relation.WHOLE:
        said = "shows the same view"
    elif relation == Relation.CONTAINS:
        said = f"the picture asked for is a part of it: {there}"
    elif relation == Relation.PART:
        said = f"is a part of the picture asked for: {here}"
    elif asked + _LESS < found:
        all_of_it = found >= _NEARLY_ALL
        # Some places are told as shares of it.
        part = there if " of it" in there else f"{there} of it"
        said = f"is in the picture asked for, {here}" if all_of_it else f"{part} is in the picture asked for, {here}"
    elif found + _LESS < asked:
        said = f"holds the picture asked for, {there}"
        said += "" if asked >= _NEARLY_ALL else f", of which it shows {here}"
    else:
        said = "shows a part of the same, and one of the two holds what the other does not"
    more = [
        "mirrored" if seen["mirrored"] else None,
        turn_words(pl.Series([_number(seen["turn_degrees"])]).to_numpy())[0],
        f"{seen['inliers']} matching points" if seen["inliers"] else None,
    ]
    return "; ".join([said, ", ".join(word for word in more if word)]).removesuffix("; ")


def _place(box: Box) -> str:
    return str(place_words(pl.Series([list(box)], dtype=PAIRS.polars["region_a"]))[0])


def _percent(share: float) -> str:
    return str(percent_words(pl.Series([share]).to_numpy())[0])


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _box(value: object) -> Box:
    assert isinstance(value, list | tuple), "a look that found something has its regions"
    left, top, right, bottom = (float(side) for side in value)
    return left, top, right, bottom


def _number(value: object) -> float:
    return float(str(value))


_SCORED = (
    "verification",
    "inliers",
    "inlier_share",
    "difference",
    "agreement",
    "agreement_low",
    "correlation",
    "cells",
    "wobble_px",
    "covered_a",
    "covered_b",
    "view_pdq",
)
_ROWS = {
    "position": pl.Int64(),
    **{name: SEARCH_RESULTS.polars[name] for name in ("score", "tier", "relation", "region_asked", "region_found")},
    "why": pl.String(),
}
