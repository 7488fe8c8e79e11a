"""What files say of themselves in words that may be searched: nothing private, no bare numbers.

Takes the JSON of tags as the catalog keeps it, gives one text for each picture. What is private is judged here again,
by the rules of this release as well as by what was noted when the file was read, and never given.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.decode.tags.sensitive import kind_of

__all__ = ["public_text"]

# Numbers, dates and fractions find nothing that a filter does not find better.
_IN_WORDS = r"\p{L}\p{M}*\p{L}"
_BETWEEN = " · "
_FIELDS = ("group", "name", "value", "kind of what is private")


def public_text(tags: pl.Series) -> pl.Series:
    """The values of the tags of each picture that are not private and hold words, joined.

    Args:
        tags: As in METADATA.
    """
    numbered = pl.DataFrame({"tags": tags}).with_row_index("row")
    rows = (
        numbered.with_columns(pl.col("tags").str.json_decode(pl.List(pl.List(pl.String))))
        .explode("tags")
        .filter(pl.col("tags").list.len() == len(_FIELDS))
        .with_columns(value=pl.col("tags").list.get(2))
        .filter((pl.col("tags").list.get(3) == "") & pl.col("value").str.contains(_IN_WORDS))
        .with_columns(group=pl.col("tags").list.get(0), name=pl.col("tags").list.get(1))
        .drop("tags")
    )
    # Most tags of a batch are alike: each is judged once.
    judged = rows.select("group", "name", "value").unique()
    hidden = [kind_of(*row) != "" for row in judged.iter_rows()]
    private = judged.filter(pl.Series(hidden, dtype=pl.Boolean))
    public = rows.join(private, on=["group", "name", "value"], how="anti") if private.height else rows
    joined = public.group_by("row").agg(pl.col("value").unique(maintain_order=True).str.join(_BETWEEN))
    return numbered.drop("tags").join(joined, on="row", how="left", maintain_order="left")["value"].fill_null("")
