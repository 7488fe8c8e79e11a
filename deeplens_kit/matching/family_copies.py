"""Families that are there a second time: which members stay, and which may go with their whole family.

Takes objects of any outcome and the pictures that are known; gives for every object whose picture is in a family
whether it stays, and the files of other kinds that may go with it. Must not look at pixels: only bytes that are equal,
role by role, make a file the counterpart of another. What is not known to be equal stays.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from deeplens_kit.matching.families import find_families
from deeplens_kit.matching.family_names import Role
from deeplens_kit.matching.keep_order import is_protected

__all__ = ["FamilyStanding", "family_standing", "with_standing"]

_EMPTY = hashlib.sha256(b"").hexdigest()
# Which companion a sentence names: what would be missed most comes first.
_MISSED = (Role.RAW, Role.VIDEO, Role.ORIGINAL, Role.EDITED, Role.FRAME, Role.SOUND, Role.SIDECAR)
_PLACE = ["object_id", "location_id", "path", "size_bytes", "modified_at", "link_id", "link_count"]
_STANDING = pl.Schema(
    {"object_id": pl.String(), "stays": pl.Boolean(), "in_family": pl.Boolean(), "companion": pl.String()}
)


@dataclass(frozen=True, slots=True)
class FamilyStanding:
    """Where families stand.

    Attributes:
        pictures: Of every object that holds a picture of a family: object_id, stays (it is not proposed), in_family
            (False for a stray copy of a member), companion (name of a file that it belongs with; null for a stray).
        companions: Of every file of another kind that goes with a family, and of those of equal bytes: columns of
            OBJECTS, digest, and `part`: "keeper" (one for each digest, first), "member" (it may go) or
            "other" (neither).
    """

    pictures: pl.DataFrame
    companions: pl.DataFrame


def family_standing(objects: pl.DataFrame, pictures: pl.Series, staying: pl.Series | None = None) -> FamilyStanding:
    """Tell which members of families stay.

    A family may go where another that stays holds the bytes of each of its members in the same role; of families that
    are the same in all, one stays. A stray copy may go where a member of a family has the same bytes. All else stays,
    and so does a family of which any file is protected.

    Args:
        objects: OBJECTS of any outcome, each file once; `location`, `protected` and `place` as for `group` and
            `find_families`.
        pictures: Digests of the pictures that are known.
        staying: Digests of which a person keeps every file: a family with one of them stays whole.
    """
    families = find_families(objects)
    if "location" not in objects.columns:
        objects = objects.with_columns(location="location_id")
    files = objects.select(
        *_PLACE,
        "location",
        protected=is_protected(objects.columns),
        holds=pl.col("digest").is_in(pictures.implode()).fill_null(False),
        # An empty file was not read, but nothing is unknown of it.
        digest=pl.when(pl.col("size_bytes") == 0).then(pl.lit(_EMPTY)).otherwise("digest"),
    )
    # 1. Families with a picture: nothing is ever proposed of others.
    members = families.join(files, on="object_id").filter(pl.col("holds").any().over("family_id"))
    # 2. Those that are there a second time.
    decided = pl.lit(False) if staying is None else pl.col("digest").is_in(staying.implode()).fill_null(False)
    members = members.join(_named_companions(members), on="object_id").with_columns(
        goes=pl.col("family_id").is_in(_second_families(members).implode()) & ~decided.any().over("family_id")
    )
    return FamilyStanding(_of_pictures(files, members), _of_companions(files, members))


def with_standing(held: pl.DataFrame, standing: FamilyStanding) -> pl.DataFrame:
    """Objects that hold pictures with stays, in_family, companion, and `pinned`: its picture is in a family.

    Args:
        held: Rows with object_id.
        standing: Where families stand.
    """
    joined = held.join(standing.pictures, on="object_id", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("stays").fill_null(True), pl.col("in_family").fill_null(False), pinned=pl.col("stays").is_not_null()
    )


def _named_companions(members: pl.DataFrame) -> pl.DataFrame:
    """object_id, companion: the name of the most important other member of its family."""
    missed = pl.col("role").replace_strict({str(role): at for at, role in enumerate(_MISSED)}, return_dtype=pl.Int8)
    ordered = members.sort(missed, "path", "object_id")
    name = pl.col("path").str.split("/").list.last()
    first, second = (name.slice(at, 1).first().over("family_id") for at in (0, 1))
    is_first = pl.int_range(pl.len()).over("family_id") == 0
    return ordered.select("object_id", companion=pl.when(is_first).then(second).otherwise(first))


def _second_families(members: pl.DataFrame) -> pl.Series:
    """Names of the families of which another that stays holds every member."""
    # A member by what it is, with a number where the family holds the same bytes in one role more than once.
    mark = pl.concat_str("role", pl.lit(" "), pl.col("holds").cast(pl.String), pl.lit(" "), "digest")
    marks = members.with_columns(mark=mark)
    again = pl.int_range(pl.len()).over("family_id", "mark")
    marks = marks.with_columns(mark=pl.concat_str("mark", pl.lit(" "), again))
    families = marks.group_by("family_id").agg(
        members=pl.len(),
        known=pl.col("mark").is_not_null().all(),
        content=pl.col("mark").sort().str.join("\n"),
        modified_at=pl.col("modified_at").min(),
        location=pl.col("location").min(),
        protected=pl.col("protected").any(),
    )
    # 1. Of families that are the same in all, the oldest stays, as of equal files, and every protected one.
    oldest = ["protected", "modified_at", "location", "family_id"]
    known = families.filter("known").sort(oldest, descending=[True, False, False, False], nulls_last=True)
    chosen = known.unique("content", keep="first", maintain_order=True)
    twins = known.join(chosen, on="family_id", how="anti")["family_id"]
    # 2. Of those left, what a larger one holds: it must hold the member that is rarest.
    left = marks.filter(pl.col("mark").is_not_null() & ~pl.col("family_id").is_in(twins.implode()))
    left = left.select("family_id", "mark")
    rarest = (
        left.join(chosen, on="family_id", how="semi")
        .join(left.group_by("mark").len("families"), on="mark")
        .sort("families", "mark")
        .unique("family_id", keep="first", maintain_order=True)
    )
    sizes = families.select("family_id", "members")
    larger = (
        rarest.select("family_id", "mark")
        .join(left.rename({"family_id": "larger_id"}), on="mark")
        .join(sizes, on="family_id")
        .join(sizes, left_on="larger_id", right_on="family_id", suffix="_larger")
        .filter(pl.col("members_larger") > pl.col("members"))
        .select("family_id", "larger_id", "members")
    )
    held = larger.join(left, on="family_id").join(left, left_on=["larger_id", "mark"], right_on=["family_id", "mark"])
    within = (
        held.group_by("family_id", "larger_id", "members").len("found").filter(pl.col("found") == pl.col("members"))
    )
    going = pl.concat([twins, within["family_id"].unique()])
    return going.filter(~going.is_in(families.filter("protected")["family_id"].implode()))


def _of_pictures(files: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    mine = members.filter("holds").select(
        "object_id", stays=~pl.col("goes"), in_family=pl.lit(True), companion="companion"
    )
    # A stray copy may go: a family that stays has its bytes, for a family goes only for one that has all of them.
    digests = members.filter("holds")["digest"].unique()
    strays = files.filter(pl.col("holds") & pl.col("digest").is_in(digests.implode())).join(
        members, on="object_id", how="anti"
    )
    others = strays.select("object_id", stays=pl.lit(False), in_family=pl.lit(False), companion=pl.lit(None, pl.String))
    return pl.concat([mine, others]).match_to_schema(_STANDING)


def _of_companions(files: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    kinds = members.filter(~pl.col("holds"))
    going = kinds.filter("goes")["digest"].unique()
    standing = kinds.select("object_id", "goes")
    found = (
        files.filter(pl.col("digest").is_in(going.implode()) & ~pl.col("holds"))
        .join(standing, on="object_id", how="left")
        .sort("digest", "goes", "modified_at", "location", "path", "object_id", nulls_last=True)
    )
    first = pl.int_range(pl.len()).over("digest") == 0
    part = pl.when(first).then(pl.lit("keeper")).when("goes").then(pl.lit("member")).otherwise(pl.lit("other"))
    return found.with_columns(part=part).drop("goes", "holds")
