"""What people wrote into a file that its keeper's file does not say: names of tags, never their values.

Takes pairs of pictures, gives for each a few words; reads the catalog alone. What a camera or a program notes about the
picture itself (its sides, its exposure) is left out: the columns of `pictures` hold what of it matters.
"""

from __future__ import annotations

import json

import polars as pl

from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["with_lost_tags"]

_WRITTEN = frozenset({"XMP", "IPTC", "PNG", "JPEG", "GIF", "WEBP", "TIFF"})
_WRITTEN_EXIF = frozenset(
    {
        *("ImageDescription", "Artist", "Copyright", "UserComment", "Rating"),
        *("XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject"),
    }
)
# What a program that writes the block says of itself or of the samples.
_OF_PROGRAMS = ("xmp:", "xmpMM:", "tiff:", "exif:", "exifEX:", "crs:", "photoshop:ICCProfile", "GIMP:", "stEvt:")
_SHOWN = 5


def with_lost_tags(workspace: Workspace, matches: pl.DataFrame) -> pl.DataFrame:
    """EXPLAINED with the tags that a member's file alone has added to `loses`.

    Args:
        workspace: An open workspace.
        matches: EXPLAINED.
    """
    member = (pl.col("standing") == "member") & (pl.col("digest") != pl.col("other_digest"))
    ends = matches.filter(member).select("digest", "other_digest").unique()
    if ends.is_empty():
        return matches
    digests = pl.concat([ends["digest"], ends["other_digest"]]).unique().to_list()
    names = {row["digest"]: _names(row["tags"]) for row in workspace.catalog.metadata(digests).iter_rows(named=True)}
    rows = [(digest, other, _words(names.get(digest, {}), names.get(other, {}))) for digest, other in ends.iter_rows()]
    said = pl.DataFrame(rows, schema={"digest": pl.String, "other_digest": pl.String, "tags": pl.String}, orient="row")
    more = pl.concat_str(pl.col("loses"), pl.col("tags"), separator="; ", ignore_nulls=True)
    both = pl.when(pl.col("loses").is_null() & pl.col("tags").is_null()).then(None).otherwise(more)
    joined = matches.join(said, on=["digest", "other_digest"], how="left", maintain_order="left")
    return joined.with_columns(loses=pl.when(member).then(both).otherwise("loses")).drop("tags")


def _names(tags: str) -> dict[str, None]:
    """Names of what people wrote, in the order of the file, each once."""
    return {
        f"{group} {name}": None
        for group, name, value, _ in json.loads(tags)
        if value
        and (name in _WRITTEN_EXIF if group == "EXIF" else group in _WRITTEN and not name.startswith(_OF_PROGRAMS))
    }


def _words(mine: dict[str, None], its: dict[str, None]) -> str | None:
    alone = [name for name in mine if name not in its]
    if not alone:
        return None
    more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
    return ", ".join(alone[:_SHOWN]) + more
