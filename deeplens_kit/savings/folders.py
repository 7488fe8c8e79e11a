"""Folders that tell where something lies: hierarchical heavy hitters, and how much of one folder another one holds.

Takes files with their location and path, gives folders and sums; must not open one. A path is as the catalog has it,
and the folder of a file is its path without the last part: empty for the top of a location.
"""

from __future__ import annotations

import polars as pl

__all__ = ["ELSEWHERE", "HEAVY_SHARE", "folder_of", "heavy_folder_of", "heavy_folders", "within"]

HEAVY_SHARE = 0.05
"""Of all bytes, what a folder must hold besides the folders named beneath it; inclusive. It bounds the table: at most
twenty folders can."""

ELSEWHERE = None
"""The folder of what lies in none of the folders named."""

_KEY = ["location_id", "folder"]


def folder_of(path: str = "path") -> pl.Expr:
    """The folder of a path; empty at the top of its location."""
    return pl.col(path).str.replace(r"/?[^/]*$", "")


def within(folder: str, other: str) -> bool:
    """Whether a folder is the other one or lies beneath it, both of one location."""
    return not other or folder == other or folder.startswith(f"{other}/")


def heavy_folders(amounts: pl.DataFrame, share: float = HEAVY_SHARE) -> pl.DataFrame:
    """The folders that hold most, deep ones before those that they lie in.

    From the deepest level up a folder is named where it holds enough that no folder named beneath it does; what is not
    enough counts for the folder above. So nothing counts twice, and a thousand small folders become the one that they
    lie in.

    Args:
        amounts: Columns location_id, folder, bytes; a row for each folder that holds files itself.
        share: Of all bytes, above 0 and at most 1.

    Returns:
        Columns location_id, folder, bytes (without those of folders named beneath), most first.
    """
    total = int(amounts["bytes"].sum())
    least = max(1, -(-int(total * round(share * 1_000_000)) // 1_000_000))
    rest = amounts.group_by(_KEY).agg(pl.col("bytes").sum()).with_columns(depth=_depth())
    named = [amounts.select(*_KEY, "bytes").clear()]
    for depth in range(int(rest["depth"].max() or 0), -1, -1):  # type: ignore[arg-type]
        here = rest.filter(pl.col("depth") == depth).group_by(_KEY).agg(pl.col("bytes").sum())
        heavy = pl.col("bytes") >= least
        named.append(here.filter(heavy).select(*_KEY, "bytes"))
        if depth == 0:
            break
        up = here.filter(~heavy).with_columns(folder=folder_of("folder"), depth=pl.lit(depth - 1, pl.UInt32))
        rest = pl.concat([rest.filter(pl.col("depth") < depth), up.select(rest.columns)])
    return pl.concat(named).sort("bytes", *_KEY, descending=[True, False, False])


def heavy_folder_of(folders: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """For each folder the deepest of the named ones that it lies in.

    Args:
        folders: Columns location_id and folder, each once.
        named: Columns location_id and folder, few.

    Returns:
        The folders with `heavy`; null where they lie in none.
    """
    found = pl.lit(None, pl.String)
    for location_id, folder in named.select(_KEY).sort(_depth()).iter_rows():
        inside = pl.col("location_id") == location_id
        if folder:
            inside &= (pl.col("folder") == folder) | pl.col("folder").str.starts_with(f"{folder}/")
        found = pl.when(inside).then(pl.lit(folder)).otherwise(found)
    return folders.with_columns(heavy=found)


def _depth() -> pl.Expr:
    """How many folders a folder lies in, itself among them; 0 for the top."""
    slashes = pl.col("folder").str.count_matches("/", literal=True)
    return pl.when(pl.col("folder") == "").then(0).otherwise(slashes + 1).cast(pl.UInt32)
