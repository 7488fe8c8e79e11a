"""Overlap: which folders hold what other folders hold, as bytes or as copies.

Takes files and the copies that groups are made of, gives for pairs of folders how much of the first the second holds
as well. Must not follow a chain: a picture is held where its bytes are, or those of a picture that it is a copy of, or
that is a copy of it. Two copies of one keeper say nothing of each other.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import sparse

from deeplens_kit.savings.folders import folder_of, within
from deeplens_kit.schemas import Column, TableSchema

__all__ = ["MOST_FOLDERS", "OVERLAPS", "folder_overlaps", "telling_overlaps"]

MOST_FOLDERS = 256
"""Folders that are held against each other: those with most bytes of pictures that are there more than once."""

OVERLAPS = TableSchema(
    "overlaps",
    (
        Column("location_a", pl.String(), "id of the location of the folder that is asked about"),
        Column("folder_a", pl.String(), "its path; empty for the top"),
        Column("location_b", pl.String(), "id of the location of the folder that holds of it"),
        Column("folder_b", pl.String(), "its path"),
        Column("pictures_a", pl.Int64(), "different pictures of the first"),
        Column("pictures", pl.Int64(), "of these, that the second holds too"),
        Column("bytes", pl.Int64(), "sizes of the first folder's files with them"),
        Column("share", pl.Float64(), "pictures / pictures_a, 0..1"),
    ),
    key=("location_a", "folder_a", "location_b", "folder_b"),
)

# Of the first folder, what the second must hold for it to be called contained (inclusive), and in how many pictures.
_LEAST_SHARE, _LEAST_PICTURES = 0.5, 2
_KEY = ["location_id", "folder"]


def folder_overlaps(files: pl.DataFrame, copies: pl.DataFrame, most_folders: int = MOST_FOLDERS) -> pl.DataFrame:
    """How much of each folder each other one holds.

    Args:
        files: Columns location_id, path, digest, size_bytes of indexed files, each file once.
        copies: Columns digest, keeper_digest: the members of groups that are no equal bytes, each with its keeper.
        most_folders: Folders that are held against each other.

    Returns:
        OVERLAPS, in no particular order; neither folder lies in the other, and they have a picture in common.
    """
    files = files.select("location_id", folder_of().alias("folder"), "digest", "size_bytes")
    # 1. Pictures that are there more than once, by number; only they can be in two folders.
    ends = pl.concat([copies["digest"], copies["keeper_digest"].rename("digest")])
    twice = files.group_by("digest").len().filter(pl.col("len") > 1)["digest"]
    shared = pl.concat([twice, ends]).unique().to_frame("digest").with_row_index("picture")
    lying = files.join(shared, on="digest")
    # 2. The folders with most of them, at every depth.
    leaves = lying.group_by(_KEY).agg(bytes=pl.col("size_bytes").sum())
    chosen = _heaviest(_with_ancestors(leaves), most_folders)
    if chosen.height < 2:
        return OVERLAPS.empty()
    every = files.select(_KEY).unique()
    inside = _with_ancestors(every).join(chosen, left_on=["location_id", "ancestor"], right_on=_KEY)
    inside = inside.select(*_KEY, "number")
    # 3. Which folder holds which picture, and how many bytes of it.
    placed = lying.join(inside, on=_KEY).group_by("picture", "number").agg(pl.col("size_bytes").sum())
    shape = (shared.height, chosen.height)
    at = (placed["picture"].to_numpy(), placed["number"].to_numpy())
    sizes = sparse.csr_array((placed["size_bytes"].to_numpy(), at), shape=shape)
    holds = sparse.csr_array((np.ones(placed.height, np.int64), at), shape=shape)
    held = _near(shared, copies) @ holds
    held.data[:] = 1
    # 4. For each two folders the pictures of the first that the second holds.
    pictures, bytes_ = (holds.T @ held).toarray(), (sizes.T @ held).toarray()
    inside_all = files.select(*_KEY, "digest").unique().join(inside, on=_KEY)
    counts = np.zeros(chosen.height, np.int64)
    for number, count in inside_all.group_by("number").agg(pl.col("digest").n_unique()).iter_rows():
        counts[number] = count
    return _as_rows(chosen, pictures, bytes_, counts)


def telling_overlaps(overlaps: pl.DataFrame, most: int) -> pl.DataFrame:
    """The overlaps that say most, each told once.

    A folder is told of where at least half of it is held elsewhere. Those come first of which most bytes are, by how
    much of the folder that is. What another line tells already is left out: a folder within that of a line, or around
    it, held by a folder within or around that of the same line, and the same two folders the other way round.

    Args:
        overlaps: OVERLAPS.
        most: The most rows.

    Returns:
        OVERLAPS, the most telling first.
    """
    worth = overlaps.filter(pl.col("share") >= _LEAST_SHARE, pl.col("pictures") >= _LEAST_PICTURES).with_columns(
        weight=pl.col("bytes") * pl.col("share"),
        deep=pl.col("folder_b").str.len_chars(),
        wide=pl.col("folder_a").str.len_chars(),
    )
    # Of two folders that hold as much of the first the one that lies deeper says more.
    order = ["weight", "deep", "wide", "location_a", "folder_a", "location_b", "folder_b"]
    told: list[dict[str, str]] = []
    rows: list[list[object]] = []
    for row in worth.sort(order, descending=[True, True, False, *[False] * 4]).iter_rows(named=True):
        if len(rows) == most:
            break
        if not any(_same(row, line) for line in told):
            told.append(row)
            rows.append([row[name] for name in OVERLAPS.names])
    return OVERLAPS.check(pl.DataFrame(rows, schema=OVERLAPS.polars, orient="row"))


def _same(row: dict[str, str], line: dict[str, str]) -> bool:
    """Whether two overlaps are of the same folders, or of such as lie in one another, in either direction."""
    return any(
        _nested(row["location_a"], row["folder_a"], line[f"location_{one}"], line[f"folder_{one}"])
        and _nested(row["location_b"], row["folder_b"], line[f"location_{other}"], line[f"folder_{other}"])
        for one, other in (("a", "b"), ("b", "a"))
    )


def _nested(location: str, folder: str, other_location: str, other: str) -> bool:
    return location == other_location and (within(folder, other) or within(other, folder))


def _with_ancestors(folders: pl.DataFrame) -> pl.DataFrame:
    """Each folder once for itself and once for every folder that it lies in: `ancestor`."""
    here = folders.with_columns(ancestor=pl.col("folder"))
    parts = [here]
    while True:
        here = here.filter(pl.col("ancestor") != "").with_columns(ancestor=folder_of("ancestor"))
        if here.is_empty():
            return pl.concat(parts)
        parts.append(here)


def _heaviest(rolled: pl.DataFrame, most: int) -> pl.DataFrame:
    """The folders of most bytes, with a number each: location_id, folder, number."""
    sums = rolled.group_by("location_id", folder="ancestor").agg(pl.col("bytes").sum())
    return (
        sums.sort("bytes", *_KEY, descending=[True, False, False])
        .head(most)
        .sort(_KEY)
        .select(*_KEY, number=pl.int_range(pl.len(), dtype=pl.Int64))
    )


def _near(shared: pl.DataFrame, copies: pl.DataFrame) -> sparse.csr_array:
    """Which picture stands for which: itself, its keeper, and its members."""
    number = dict(zip(("digest", "keeper_digest"), (shared, shared.rename({"digest": "keeper_digest"})), strict=True))
    edges = copies.select("digest", "keeper_digest").unique()
    edges = edges.join(number["digest"].rename({"picture": "member"}), on="digest")
    edges = edges.join(number["keeper_digest"].rename({"picture": "keeper"}), on="keeper_digest")
    own, member, keeper = np.arange(shared.height), edges["member"].to_numpy(), edges["keeper"].to_numpy()
    rows, columns = np.concatenate([own, member, keeper]), np.concatenate([own, keeper, member])
    return sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(shared.height, shared.height))


def _as_rows(chosen: pl.DataFrame, pictures: np.ndarray, bytes_: np.ndarray, counts: np.ndarray) -> pl.DataFrame:
    first, second = np.nonzero(pictures)
    rows = pl.DataFrame({"a": first, "b": second}).with_columns(
        pictures=pl.Series(pictures[first, second]), bytes=pl.Series(bytes_[first, second]),
        pictures_a=pl.Series(counts[first]),
    )  # fmt: skip
    sides = {
        side: chosen.select(
            pl.col("number").alias(side),
            pl.col("location_id").alias(f"location_{side}"),
            pl.col("folder").alias(f"folder_{side}"),
        )
        for side in ("a", "b")
    }
    rows = rows.join(sides["a"], on="a").join(sides["b"], on="b")
    names = [pl.when(pl.col(f"folder_{side}") == "").then(pl.lit("")).otherwise(pl.col(f"folder_{side}") + "/")
             for side in ("a", "b")]  # fmt: skip
    nested = (pl.col("location_a") == pl.col("location_b")) & (
        names[0].str.starts_with(names[1]) | names[1].str.starts_with(names[0])
    )
    rows = rows.filter(~nested).with_columns(share=pl.col("pictures") / pl.col("pictures_a"))
    return OVERLAPS.check(rows.select(OVERLAPS.names))
