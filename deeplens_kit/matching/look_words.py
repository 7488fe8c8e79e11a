"""What a closer look at one pair saw, number by number, each with its meaning.

Takes a row of PAIRS, gives lines about its pictures a and b; must not judge.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deeplens_kit.matching.view_words import VIEW_COLUMNS, place_words, seen_from_keeper, view_sentences
from deeplens_kit.schemas import PAIRS, Relation

__all__ = ["EVIDENCE_MEANINGS", "RELATION_MEANINGS", "look_lines"]

RELATION_MEANINGS: Mapping[str, str] = {
    str(Relation.WHOLE): "both show the same view",
    str(Relation.PART): "a is a part of b",
    str(Relation.CONTAINS): "b is a part of a",
    str(Relation.COMPOSITE): "one of the two holds content that is foreign to the other",
    str(Relation.UNVERIFIED): "no closer look has shown how their views relate",
}
"""What a relation says of the pictures a and b of a pair."""

EVIDENCE_MEANINGS: Mapping[str, str] = {
    "view_pdq": "bits of 256 in which PDQ differs once one is turned, tilted or mirrored as the other is",
    "inliers": "unique matching points that one geometric model explains",
    "inlier_share": "share of the tentative matches that the model explains, 0..1",
    "agreement": "median correlation of the small squares of both aligned pictures, -1..1",
    "agreement_low": "5th percentile of those in which either shows much",
    "cells": "small squares that agree",
    "wobble_px": "how far these lie from where the model puts them, mean, in pixels of the grid",
    "correlation": "of the aligned pictures as wholes, -1..1; below 0 a negative",
    "difference": "of the aligned pictures beyond light, blur and re-encoding, 0 none .. 1",
    "foreign": "share of the common view that one of the two shows alone, in patches, 0..1",
    "covered_a": "share of A that B shows too, 0..1",
    "covered_b": "share of B that A shows too, 0..1",
    "resolution": "pixels of A per pixel of B along a line, counting detail that is really there",
    "turn_degrees": "B is turned by so much against A, clockwise, -180..180",
}
"""What each number of a closer look says."""


def look_lines(pair: Mapping[str, object]) -> list[str]:
    """What a closer look at a pair saw.

    Args:
        pair: A row of PAIRS, or what there is of it.
    """
    if pair.get("verification") is None:
        return ["No closer look was taken at the pair."]
    relation = str(pair.get("relation") or Relation.UNVERIFIED)
    if relation == Relation.UNVERIFIED:
        return ["A closer look found nothing of the one in the other."]
    row = pl.DataFrame([{name: pair.get(name) for name in _TYPES}], schema_overrides=_TYPES)
    sentence = view_sentences(row.select(*seen_from_keeper(pl.lit(False)), "tier"), "a")[0]
    lines = [f"Relation {relation}: {RELATION_MEANINGS[relation]}.", f"b beside a: {sentence}."]
    if pair.get("view_pdq") is not None:
        lines.append(f"Once one is turned as the other is, PDQ differs in {pair['view_pdq']} of 256 bits.")
    share = pair.get("inlier_share")
    if pair.get("inliers"):
        of = f", {_number(share):.0%} of the tentative matches" if share is not None else ""
        lines.append(f"Matching points: {pair['inliers']} that one geometric model explains{of}.".replace("%", " %"))
    if pair.get("agreement") is not None:
        lines.append(
            f"Laid on each other, small squares agree with a median correlation of {_number(pair['agreement']):.2f}"
            + (f", one in twenty below {_number(pair['agreement_low']):.2f}" if pair.get("agreement_low") else "")
            + (f"; {pair['cells']} squares agree" if pair.get("cells") is not None else "")
            + (f", {_number(pair['wobble_px']):.2f} px from their places" if pair.get("wobble_px") is not None else "")
            + "."
        )
    if pair.get("difference") is not None:
        lines.append(f"Difference beyond light, blur and re-encoding: {_number(pair['difference']):.3f} of 1.")
    for own, other in (("a", "b"), ("b", "a")):
        if pair.get(f"covered_{own}") is not None:
            where = place_words(pl.Series([pair.get(f"region_{own}")], dtype=PAIRS.polars[f"region_{own}"]))[0]
            in_it = f", {where}" if where else ""
            lines.append(f"Of {own} {_number(pair[f'covered_{own}']):.0%} is in {other} too{in_it}.".replace("%", " %"))
    if pair.get("foreign"):
        lines.append(f"Of the common view {_number(pair['foreign']):.1%} is in one of them alone.".replace("%", " %"))
    return lines


_TYPES = {name: PAIRS.polars[name] for name in (*VIEW_COLUMNS, "tier")}


def _number(value: object) -> float:
    return float(str(value))
