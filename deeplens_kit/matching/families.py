"""Families: files that belong together, told by their names before anything is proposed.

Takes objects of any outcome, gives the family of each that has one; must not look at digests or pixels. One shot is
often several files: a RAW and its JPEG, a still and its video, a picture and its sidecars, an original and its edited
version, the frames of a burst. They lie in one folder under names that their makers define (`family_names`). The same
stem in another folder says nothing, and two pictures that differ in extension alone are no family: one may be a copy.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.matching.family_names import (
    APPLE_VERSION,
    DARKTABLE_VERSION,
    EDITED_STEM,
    ROLES,
    SERIES,
    SNAPSEED_EXTENSION,
    SNAPSEED_STEM,
    TAKEOUT_CHARACTERS,
    TAKEOUT_STEM,
    WHOLE_NAME,
    Role,
)
from deeplens_kit.schemas import FAMILIES

__all__ = ["find_families"]

_EXTENSION = r"^(?s:.)+\.([^.]+)$"
# Roles that a name can derive from: a sidecar alone is nobody's original.
_BASES = (str(Role.ORIGINAL), str(Role.RAW), str(Role.VIDEO))


def find_families(objects: pl.DataFrame) -> pl.DataFrame:
    """The families among objects.

    Args:
        objects: object_id, location_id, path; where there is the column `place` (what names the location's root
            itself, as storage gives it), folders are told by it, so that locations that overlap share families.

    Returns:
        FAMILIES, by object: those that have at least one companion.
    """
    # 1. Folder, stem and role; what no convention knows is left out.
    named = _with_sidecar_stems(_named(objects))
    # 2. The stem of the whole family, where a name says that it derives from one that is there.
    rooted = _rooted(named)
    # 3. One family per folder and stem, where there is more to it than pictures of one name.
    family = ["folder", "stem"]
    has_media = pl.col("role").ne(Role.SIDECAR).any().over(family)
    is_more = pl.col("role").ne(Role.ORIGINAL).any().over(family)
    # Overlapping locations share a family; it is named after the first of them.
    name = pl.concat_str("location_id", pl.lit("/"), "directory", "stem").min().over(family)
    found = rooted.filter((pl.len().over(family) > 1) & has_media & is_more)
    return FAMILIES.check(found.select("object_id", "role", family_id=name).sort("object_id"))


def _named(objects: pl.DataFrame) -> pl.DataFrame:
    """object_id, location_id, directory, folder (directory with its location), stem, extension, role; in lower case."""
    place = pl.col("place") if "place" in objects.columns else pl.concat_str("location_id", pl.lit("/"))
    name = pl.col("path").str.split("/").list.last()
    # The extension first: what no convention knows is most of many disks.
    known = (
        objects.select("object_id", "location_id", "path", name=name, place=place)
        .with_columns(extension=pl.col("name").str.extract(_EXTENSION).str.to_lowercase())
        .with_columns(role=pl.col("extension").replace_strict(ROLES, default=None, return_dtype=pl.String))
        .filter(pl.col("role").is_not_null())
    )
    split = known.with_columns(
        directory=pl.col("path").str.strip_suffix(pl.col("name")),
        stem=pl.col("name").str.to_lowercase().str.strip_suffix(pl.concat_str(pl.lit("."), "extension")),
    )
    return split.with_columns(folder=pl.concat_str("place", "directory")).drop("place", "path", "name")


def _with_sidecar_stems(named: pl.DataFrame) -> pl.DataFrame:
    """Sidecars with the stem of the picture that their name says."""
    is_sidecar = pl.col("role") == Role.SIDECAR
    media, sidecars = named.filter(~is_sidecar), named.filter(is_sidecar)
    if sidecars.is_empty():
        return named
    is_takeout = pl.col("extension") == "json"
    takeout, others = sidecars.filter(is_takeout), sidecars.filter(~is_takeout)
    parts = pl.col("stem").str.extract_groups(TAKEOUT_STEM)
    stem = pl.concat_str(parts.struct[0], parts.struct[1].fill_null(""))
    takeout = _cut_short(takeout.with_columns(whole=stem), media).with_columns(stem=pl.coalesce("whole", "cut", "stem"))
    others = others.with_columns(stem=pl.coalesce(pl.col("stem").str.extract(WHOLE_NAME), "stem"))
    # Names that only a sidecar has, beside the stem that they derive from.
    stems = media.select("folder", "stem").unique().with_columns(known=pl.lit(True))
    derived = pl.col("stem").str.extract(DARKTABLE_VERSION)
    others = (
        others.join(stems, on=["folder", "stem"], how="left")
        .with_columns(derived=derived)
        .join(stems, left_on=["folder", "derived"], right_on=["folder", "stem"], how="left", suffix="_derived")
        .with_columns(
            stem=pl.when(pl.col("known").is_null() & pl.col("known_derived").is_not_null())
            .then("derived")
            .otherwise("stem")
        )
    )
    return pl.concat([media, takeout.select(media.columns), others.select(media.columns)])


def _cut_short(takeout: pl.DataFrame, media: pl.DataFrame) -> pl.DataFrame:
    """`cut`: the stem of the picture whose name Takeout cut to make that of the sidecar; null where there is none."""
    long = pl.col("stem").str.len_chars() == TAKEOUT_CHARACTERS
    if takeout.filter(long & pl.col("whole").is_null()).is_empty():
        return takeout.with_columns(cut=pl.lit(None, pl.String))
    name = pl.concat_str("stem", pl.lit("."), "extension")
    starts = (
        media.select("folder", cut="stem", name=name)
        .filter(pl.col("name").str.len_chars() > TAKEOUT_CHARACTERS)
        .select("folder", "cut", start=pl.col("name").str.slice(0, TAKEOUT_CHARACTERS))
        .sort("cut")
        .unique(["folder", "start"], keep="first", maintain_order=True)
    )
    return takeout.join(starts, left_on=["folder", "stem"], right_on=["folder", "start"], how="left")


def _rooted(named: pl.DataFrame) -> pl.DataFrame:
    """The stem of the family in place of each one's own, and the role that this gives it."""
    # 1. Edited versions name their original; where that is not there, the name says nothing.
    apple, edited, snapseed = (
        pl.concat_str(parts.struct[0], parts.struct[1].fill_null(""))
        for parts in (
            pl.col("stem").str.extract_groups(pattern) for pattern in (APPLE_VERSION, EDITED_STEM, SNAPSEED_STEM)
        )
    )
    original = pl.coalesce(apple, edited, pl.when(pl.col("extension") == SNAPSEED_EXTENSION).then(snapseed))
    bases = named.filter(pl.col("role").is_in(_BASES)).select("folder", original="stem").unique()
    marked = named.with_columns(original=original).join(
        bases.with_columns(known=pl.lit(True)), on=["folder", "original"], how="left"
    )
    derives = pl.col("known").fill_null(False)
    rooted = marked.with_columns(root=pl.when(derives).then("original").otherwise("stem"))
    # 2. Frames of one shot share a stem, whether or not there is one without a number.
    shot = pl.coalesce(pl.col("root").str.extract(series.pattern) for series in SERIES)
    rooted = rooted.with_columns(shot=shot)
    role = (
        pl.when(derives & pl.col("role").is_in(_BASES))
        .then(pl.lit(str(Role.EDITED)))
        .when((pl.col("role") == Role.ORIGINAL) & pl.col("shot").is_not_null())
        .then(pl.lit(str(Role.FRAME)))
        .otherwise("role")
    )
    return rooted.with_columns(role=role, stem=pl.coalesce("shot", "root"))
