"""What speaks against acting on a member of a group by itself, whatever becomes of the others.

Takes a request and what locations can do, gives an expression of codes over members with their keepers; must not look
at how steps depend on each other (`plan_settling` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deeplens_kit.actions.left_out import LeftOut
from deeplens_kit.actions.plan_places import PlanPlace, place_flag
from deeplens_kit.actions.plan_request import LINK_ACTIONS, PlanRequest
from deeplens_kit.schemas import ActionKind, Relation, Tier

__all__ = ["first_of", "refusal", "refusals_of_action", "unwritable"]

_RELATIONS = (str(Relation.WHOLE), str(Relation.PART))


def refusal(request: PlanRequest, places: Mapping[str, PlanPlace], keepers: pl.Series) -> pl.Expr:
    """A `LeftOut` code for each member that may not be acted on; null for those that may.

    Args:
        request: What is asked.
        places: What locations can do, by id.
        keepers: Ids of the objects that stay in any group.
    """
    same_link = (pl.col("victim_link_id") == pl.col("keeper_link_id")).fill_null(False)
    same_bytes = pl.col("victim_digest") == pl.col("keeper_digest")
    # A file that was read again since, under another digest, is not the one that was grouped; an empty one has none.
    other = (pl.col("victim_held_digest") != pl.col("victim_digest")).fill_null(False)
    other_keeper = (pl.col("keeper_held_digest") != pl.col("keeper_digest")).fill_null(False)
    reasons: list[tuple[pl.Expr, LeftOut]] = [
        (pl.col("tier") == Tier.SCENE, LeftOut.SCENE),
        (~pl.col("relation").is_in(_RELATIONS), LeftOut.RELATION),
        (~pl.col("tier").is_in([str(tier) for tier in request.tiers]), LeftOut.TIER),
        (pl.col("victim_token").is_null() | other, LeftOut.UNKNOWN),
        (pl.col("object_id").is_in(keepers.implode()), LeftOut.KEEPER),
        (pl.col("keeper_token").is_null() | pl.col("keeper_digest").is_null() | other_keeper, LeftOut.NO_KEEPER),
        (pl.col("object_id") == pl.col("keeper_object_id"), LeftOut.SAME_FILE),
        (pl.col("decided"), LeftOut.DECIDED),
        (pl.col("held").fill_null(False), LeftOut.HELD),
        (pl.col("protected").fill_null(False), LeftOut.PROTECTED),
        (unwritable(places), LeftOut.READ_ONLY),
        (~place_flag("victim_location_id", places, "may_change"), LeftOut.CLOSED),
        (place_flag("victim_location_id", places, "immutable"), LeftOut.IMMUTABLE),
        (pl.col("dropped"), LeftOut.DROPPED),
        *refusals_of_action(request, places, same_link),
        (same_link & same_bytes, LeftOut.SAME_FILE),
    ]
    return first_of(reasons)


def unwritable(places: Mapping[str, PlanPlace]) -> pl.Expr:
    """Whether a file lies at a location of a kind that can only be read."""
    return pl.col("victim_location_id").is_in([name for name, place in places.items() if not place.takes_writing])


def first_of(reasons: Sequence[tuple[pl.Expr, LeftOut]]) -> pl.Expr:
    """The code of the first reason that holds; null where none does."""
    code: pl.Expr = pl.lit(None, pl.String)
    # The first that holds is told, so the last is asked first.
    for holds, name in reversed(reasons):
        code = pl.when(holds).then(pl.lit(str(name))).otherwise(code)
    return code


def refusals_of_action(
    request: PlanRequest, places: Mapping[str, PlanPlace], same_link: pl.Expr
) -> list[tuple[pl.Expr, LeftOut]]:
    """What speaks against the action itself at the location of each file."""
    here = pl.col("victim_location_id")
    if request.action in LINK_ACTIONS:
        able = [place_id for place_id, place in places.items() if str(request.action) in place.links]
        found = [(~here.is_in(able), LeftOut.CANNOT), (_out_of_reach(request, places), LeftOut.ELSEWHERE)]
        if request.action == ActionKind.HARDLINK:
            found.append((same_link, LeftOut.ALREADY))
        return found
    if request.action == ActionKind.MOVE:
        return [(here == request.target_location_id, LeftOut.ALREADY)]
    if request.action == ActionKind.STORAGE_CLASS:
        same = pl.col("victim_storage_class").str.to_lowercase() == request.target.lower()
        return [
            (~place_flag("victim_location_id", places, "sets_storage_class"), LeftOut.CANNOT),
            (same.fill_null(False), LeftOut.ALREADY),
        ]
    return []


def _out_of_reach(request: PlanRequest, places: Mapping[str, PlanPlace]) -> pl.Expr:
    """Where a link would lead to another location, or over the border of a file system, that it cannot cross."""
    elsewhere = pl.col("victim_location_id") != pl.col("keeper_location_id")
    if request.action == ActionKind.SYMLINK:
        local = place_flag("victim_location_id", places, "local") & place_flag("keeper_location_id", places, "local")
        return elsewhere & ~local.fill_null(False)
    # Of "device:inode" the device; where nobody tells it, the attempt does.
    device, keepers = (pl.col(f"{end}_link_id").str.split(":").list.first() for end in ("victim", "keeper"))
    return elsewhere | (device != keepers).fill_null(False)
