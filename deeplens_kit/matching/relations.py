"""Relations: which of them may be proposed, in which direction, and what a part must be beside its keeper.

Takes relations of pairs and of members, gives which pairs count and why a member may not go for its keeper. Must not
find relations, which verification does. By default a member shows the keeper's whole view or a part of it; what holds
anything that the keeper does not show is proposed only where somebody asked for it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.matching.policy import Withhold
from deeplens_kit.matching.traits import (
    AREA_TOLERANCE,
    DENSITY_TOLERANCE,
    QUALITY_TOLERANCE,
    SIDE_TOLERANCE,
    ComparedTraits,
)
from deeplens_kit.matching.verification.base import TURNED_DEGREES
from deeplens_kit.schemas import Relation, Tier

__all__ = [
    "INCLUDABLE",
    "LOOK_FIRST",
    "allowed_relations",
    "mark_foreign",
    "mark_tilted",
    "may_be_told",
    "one_view",
    "related_pairs",
    "relation_codes",
    "same_view",
]

_PROPOSED = (str(Relation.WHOLE), str(Relation.PART))

INCLUDABLE = (str(Relation.COMPOSITE), str(Relation.CONTAINS), str(Relation.PART))
"""Relations of a member to its keeper that can be asked for; `part` is proposed in any case."""

LOOK_FIRST: dict[str, str] = {
    str(Relation.COMPOSITE): "one of the two holds foreign content: look before you act",
    str(Relation.CONTAINS): "shows more than the keeper: look before you act",
}
"""What is said first of members that are proposed only because somebody asked for their relation."""

# What is withheld, not proposed, but may be once somebody looked.
_UNSEEN = str(Relation.UNVERIFIED)
_PATCH_SHARE = 0.004
"""From this share of the common view (inclusive) what one of the two shows alone may be a label or a stamp. Below lies
what blur and re-encoding leave; from `verification.relation.FOREIGN_AREA` on the relation itself is another."""
# Of what a composite shows so much less is in the other than the other way round, exclusive.
_LESS_COVERED = 0.02
_OPPOSITE = {str(Relation.PART): str(Relation.CONTAINS), str(Relation.CONTAINS): str(Relation.PART)}


def allowed_relations(include: Collection[Relation | str] = ()) -> frozenset[str]:
    """The relations of a member to its keeper that are proposed.

    Args:
        include: Of INCLUDABLE, besides the default ones.

    Raises:
        UnknownNameError: Another one.
    """
    for name in include:
        if str(name) not in INCLUDABLE:
            raise UnknownNameError("relation to include", str(name), INCLUDABLE)
    return frozenset((*_PROPOSED, *map(str, include)))


def mark_foreign(pictures: pl.DataFrame, pairs: pl.DataFrame, allowed: Collection[str]) -> pl.DataFrame:
    """Which pictures hold what is foreign to a copy of theirs, where those are to be proposed.

    Such a picture is larger than what it holds more often than not, but stays for nothing: the copy is all there, and
    without the rest.

    Args:
        pictures: Column `digest`.
        pairs: PAIRS; the tier they were stored with says which are copies.
        allowed: From `allowed_relations`.

    Returns:
        `pictures` with the column `foreign`, where composites are allowed; else as they were.
    """
    if str(Relation.COMPOSITE) not in allowed:
        return pictures
    composites = pairs.filter((pl.col("relation") == Relation.COMPOSITE) & (pl.col("tier") != Tier.SCENE))
    more_in_a = composites.filter(pl.col("covered_a") + _LESS_COVERED < pl.col("covered_b"))["digest_a"]
    more_in_b = composites.filter(pl.col("covered_b") + _LESS_COVERED < pl.col("covered_a"))["digest_b"]
    holders = pl.concat([more_in_a, more_in_b.alias("digest_a")]).unique()
    return pictures.with_columns(foreign=pl.col("digest").is_in(holders.implode()))


def mark_tilted(pictures: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Which pictures were tilted by hand, with filled corners, beside an upright copy of theirs.

    Such a picture may have more pixels than the upright one that it was made from, since its frame was enlarged for the
    corners. It comes after all that are upright.

    Args:
        pictures: Column `digest`.
        pairs: PAIRS; the tier they were stored with says which are copies.

    Returns:
        `pictures` with the column `tilted`.
    """
    off = ((pl.col("turn_degrees") + 45) % 90 - 45).abs() > TURNED_DEGREES
    # Of pictures that are no quarter turns of each other, only a tilted one beside the upright is hashed once more.
    tilted = pairs.filter(off.fill_null(False) & pl.col("view_pdq").is_not_null() & (pl.col("tier") == Tier.COPY))
    parts = pl.concat(
        [
            tilted.filter(pl.col("relation") == Relation.PART)["digest_a"],
            tilted.filter(pl.col("relation") == Relation.CONTAINS)["digest_b"].alias("digest_a"),
        ]
    ).unique()
    return pictures.with_columns(tilted=pl.col("digest").is_in(parts.implode()))


def related_pairs(pairs: pl.DataFrame, allowed: Collection[str]) -> pl.DataFrame:
    """The pairs of which one picture may be proposed for the other, in either direction, or is withheld."""
    either = [*allowed, *(_OPPOSITE.get(name, name) for name in allowed), _UNSEEN]
    return pairs.filter(pl.col("relation").is_in(either))


def same_view(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs that show one view: these alone say whether one of the two is an enlargement of the other."""
    return pairs.filter(pl.col("relation") == Relation.WHOLE)


def one_view(relations: pl.Series) -> NDArray[np.bool_]:
    """Where a relation is that of one view, as in `same_view`."""
    return (relations == Relation.WHOLE).to_numpy()


def may_be_told(relations: pl.Series, allowed: Collection[str]) -> NDArray[np.bool_]:
    """Where a member is proposed or withheld; elsewhere its relation alone says that it stays."""
    return relations.is_in([*allowed, _UNSEEN]).to_numpy()


def relation_codes(
    codes: NDArray[np.int8],
    traits: pl.DataFrame | ComparedTraits,
    keepers: NDArray[np.integer],
    members: NDArray[np.integer],
    resolution: NDArray[np.float32],
    relations: pl.Series,
    foreign: NDArray[np.float32],
    allowed: Collection[str],
) -> NDArray[np.int8]:
    """The codes of `policy.withhold_codes` with what relations add to them.

    Args:
        codes: int8 (m,), from `withhold_codes`.
        traits: As for that.
        keepers: As for that.
        members: As for that.
        resolution: As for that.
        relations: Of the members to their keepers.
        foreign: float32 (m,), shares of the common views that one of the two shows alone, 0..1.
        allowed: From `allowed_relations`.

    Returns:
        int8 (m,): `Withhold.RELATION` where the relation is not proposed. A part is withheld where nobody knows
        whether the keeper resolves it as well, and where it resolves as much and is better compressed: that the
        keeper is larger says nothing of the region that both show. The whole view is withheld where the two differ in
        a patch and the keeper is no better: its age or its name do not tell which of the two somebody wrote on.
    """
    compared = ComparedTraits.of(traits) if isinstance(traits, pl.DataFrame) else traits
    partial = ~one_view(relations)
    found = codes.copy()
    at = np.flatnonzero(~partial & (found == Withhold.NO) & (foreign >= np.float32(_PATCH_SHARE)))
    if len(at):
        found[at[_no_better(compared.rows(keepers[at]), compared.rows(members[at]))]] = Withhold.PATCH
    at = np.flatnonzero(partial)
    if len(at):
        keeper, member, ratio = compared.rows(keepers[at]), compared.rows(members[at]), resolution[at]
        unknown = np.isnan(ratio)
        as_fine = ~unknown & (ratio <= np.float32(1.0 + SIDE_TOLERANCE))
        lossless = as_fine & member["lossless"] & ~keeper["lossless"]
        both_lossy = ~member["lossless"] & ~keeper["lossless"]
        rated = both_lossy & (member["quality"] > 0) & (keeper["quality"] > 0)
        better = rated & (member["quality"] > keeper["quality"] + QUALITY_TOLERANCE)
        # Without known qualities what each pixel weighs tells, roughly: the two show different amounts of detail.
        density = [side["jpeg_bytes"] / side["pixels"] for side in (keeper, member)]
        better = as_fine & (better | (both_lossy & ~rated & (density[1] > DENSITY_TOLERANCE * density[0])))
        free = found[at] == Withhold.NO
        found[at[free & better]] = Withhold.QUALITY
        found[at[free & lossless]] = Withhold.LOSSLESS
        found[at[unknown]] = Withhold.UNRESOLVED
    found[~may_be_told(relations, allowed)] = Withhold.RELATION
    found[(relations == _UNSEEN).to_numpy()] = Withhold.UNSEEN
    return found


def _no_better(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where only the age or the name of two files, or the noise of what is measured of them, puts the keeper first."""
    as_large = member["pixels"] * AREA_TOLERANCE >= keeper["pixels"]
    rated = (member["quality"] > 0) & (keeper["quality"] > 0)
    as_good = rated & (member["quality"] + QUALITY_TOLERANCE >= keeper["quality"])
    # Without known qualities what each pixel weighs tells, roughly.
    density = [side["jpeg_bytes"] / side["pixels"] for side in (keeper, member)]
    as_good |= ~rated & (density[1] * DENSITY_TOLERANCE >= density[0])
    as_good = np.where(member["lossless"] == keeper["lossless"], member["lossless"] | as_good, member["lossless"])
    found: NDArray[np.bool_] = as_large & as_good & (member["from_camera"] == keeper["from_camera"])
    return found
