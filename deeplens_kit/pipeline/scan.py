"""A listing held against the catalog's rows: what is new, changed, unchanged or gone.

Takes a location and its rows of `objects` and gives the objects to read and the rows to remove; must not read a
file or write a store. Objects beneath folders that could not be listed are unreachable, not gone, and a location
that lists empty where it held objects stops the scan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.errors import LocationEmptiedError
from deeplens_kit.schemas import LISTING, OBJECTS, Outcome
from deeplens_kit.storage import UNSETTLED
from deeplens_kit.storage.base import Listing, ListingProblem, LocationKind, SkippedFolder, SkipReason

__all__ = ["ROW_COLUMNS", "TOLD_COLUMNS", "Comparison", "ScanResult", "compare", "scan"]

TOLD_COLUMNS = ("link_id", "link_count", "checksum", "storage_class")
"""What a listing tells besides the state of the content: it may change while the content stays."""

ROW_COLUMNS = ("object_id", "path", "size_bytes", "change_token", *TOLD_COLUMNS, "outcome")
"""The columns of `objects` that a scan looks at; without those of `TOLD_COLUMNS` it cannot tell that these changed."""

_KEPT_OUT = pl.col("outcome") == Outcome.KEPT_OUT
_NEEDED = ("object_id", "path", "change_token", "outcome")


_MANY_OBJECTS = 10
"""From so many objects (inclusive) a location of which not one is left stops the run: another disk in its place is then
likelier than that all were renamed. An empty listing stops it whatever the number."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every listed object in exactly one of three frames, every row of the catalog accounted for.

    Attributes:
        new: LISTING rows that the catalog does not have, by path.
        changed: LISTING rows whose change token differs from the catalog's, by path.
        unchanged: LISTING rows with the token that the catalog has, beside the columns that the catalog's rows have
            and LISTING has not, such as object_id, outcome and, where given, digest.
        relinked: LISTING rows of those unchanged whose hard links, listed checksum or storage class changed: rows to
            write again without reading.
        gone: Ids of objects that are no longer there.
        gone_bytes: Their bytes, as they were.
        unreachable: Ids of objects that a problem of the listing hides: kept as they are.
    """

    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: pl.DataFrame
    relinked: pl.DataFrame
    gone: list[str]
    gone_bytes: int
    unreachable: list[str]


@dataclass(frozen=True, slots=True)
class ScanResult(Comparison):
    """A comparison with what the listing said besides.

    Attributes:
        problems: Folders and files that could not be listed.
        skipped: Entries left out, by reason.
        skipped_folders: Folders left out whole.
        paths: Of all objects, in the order in which the storage gave them.
    """

    problems: tuple[ListingProblem, ...]
    skipped: Mapping[SkipReason, int]
    skipped_folders: tuple[SkippedFolder, ...]
    paths: pl.Series

    @property
    def found(self) -> int:
        """Objects listed: new, changed and unchanged."""
        return self.new.height + self.changed.height + self.unchanged.height

    @property
    def counts(self) -> dict[str, int]:
        """Objects by what became of them; `found` is the sum of new, changed and unchanged."""
        return {
            "found": self.found,
            "new": self.new.height,
            "changed": self.changed.height,
            "unchanged": self.unchanged.height,
            "gone": len(self.gone),
            "unreachable": len(self.unreachable),
            "problems": len(self.problems),
            "skipped": sum(self.skipped.values()),
        }

    @property
    def sizes_bytes(self) -> dict[str, int]:
        """Bytes by what became of them; `found` is the sum of new, changed and unchanged, `to_read` of two."""
        frames = {"new": self.new, "changed": self.changed, "unchanged": self.unchanged}
        sizes = {name: int(frame["size_bytes"].sum()) for name, frame in frames.items()}
        read = sizes["new"] + sizes["changed"]
        return {"found": sum(sizes.values()), "to_read": read, **sizes, "gone": self.gone_bytes}


def scan(
    location: LocationKind,
    rows: pl.DataFrame,
    *,
    skip: Sequence[Path] = (),
    exclude: Sequence[str] = (),
    retry: Collection[Outcome] = (),
    accept_gone: bool = False,
) -> ScanResult:
    """List a location and hold the listing against its rows.

    Args:
        location: Opened location.
        rows: The rows of `objects` of this location, one per path, with ROW_COLUMNS (TOLD_COLUMNS may be left out) and
            any others, which `unchanged` gives back.
        skip: Files and folders of the workspace, never entered.
        exclude: Globs left out besides those of the location.
        retry: Outcomes to read again although the file did not change, for example after permissions were mended.
        accept_gone: Take a location at its word that lists nothing of what it held.

    Raises:
        LocationUnavailableError: The location cannot be listed.
        LocationEmptiedError: It lists empty where it held objects, or nothing of the many that it held.
    """
    listing = location.list(skip=skip, exclude=exclude)
    found = compare(listing, rows, retry=retry)
    if not accept_gone:
        _refuse_emptied(location, listing, rows, found)
    return ScanResult(
        new=found.new,
        changed=found.changed,
        unchanged=found.unchanged,
        relinked=found.relinked,
        gone=found.gone,
        gone_bytes=found.gone_bytes,
        unreachable=found.unreachable,
        problems=listing.problems,
        skipped=listing.skipped,
        skipped_folders=listing.skipped_folders,
        paths=listing.frame["path"],
    )


def compare(listing: Listing, rows: pl.DataFrame, *, retry: Collection[Outcome] = ()) -> Comparison:
    """Hold a listing against rows; pure, and joins of columns only.

    Args:
        listing: LISTING frame and problems.
        rows: As for `scan`.
        retry: As for `scan`.

    Raises:
        TypeError: `rows` lacks a column or holds a path twice: a defect of the catalog.
    """
    _check(rows)
    held = rows.rename({name: f"held_{name}" for name in LISTING.names if name in rows.columns and name != "path"})
    joined = listing.frame.join(held, on="path", how="left")
    if joined.height != listing.frame.height:
        raise TypeError("table objects: rows of one location hold a path twice")
    known = pl.col("held_change_token").is_not_null()
    same = pl.col("held_change_token").eq_missing(pl.col("change_token"))
    # A token that a change may leave as it is says nothing, however often it comes.
    same &= ~pl.col("change_token").str.ends_with(UNSETTLED)
    if retry:
        same &= ~pl.col("outcome").is_in([str(outcome) for outcome in retry])
    unchanged = joined.filter(same)
    gone, unreachable = _missing(listing, rows, found=joined.height - joined["held_change_token"].null_count())
    return Comparison(
        new=joined.filter(~known).select(LISTING.names).sort("path"),
        changed=joined.filter(known & ~same).select(LISTING.names).sort("path"),
        unchanged=unchanged.select(pl.exclude("^held_.*$")),
        relinked=_relinked(unchanged).select(LISTING.names),
        gone=gone,
        gone_bytes=_bytes_of(gone, rows),
        unreachable=unreachable,
    )


def _bytes_of(ids: Sequence[str], rows: pl.DataFrame) -> int:
    if not ids or "size_bytes" not in rows.columns:
        return 0
    return int(rows.filter(pl.col("object_id").is_in(ids))["size_bytes"].sum())


def _relinked(unchanged: pl.DataFrame) -> pl.DataFrame:
    # Of what is kept out no checksum is held: it may be the very digest.
    held = [name for name in TOLD_COLUMNS if f"held_{name}" in unchanged.columns]
    differs = [
        pl.col(f"held_{name}").ne_missing(pl.col(name)) & (pl.lit(name != "checksum") | ~_KEPT_OUT) for name in held
    ]
    return unchanged.filter(pl.any_horizontal(differs)) if differs else unchanged.clear()


def _check(rows: pl.DataFrame) -> None:
    for name in _NEEDED:
        if rows.schema.get(name) != OBJECTS.polars[name]:
            raise TypeError(f"table objects: {name} is {rows.schema.get(name)}, should be {OBJECTS.polars[name]}")


def _refuse_emptied(location: LocationKind, listing: Listing, rows: pl.DataFrame, found: Comparison) -> None:
    emptied = listing.frame.is_empty() and not rows.is_empty()
    replaced = rows.height >= _MANY_OBJECTS and len(found.gone) == rows.height
    if not (emptied or replaced):
        return
    what = "no files" if emptied else "none of the files"
    raise LocationEmptiedError(
        location.name,
        f"Location {location.name!r} lists {what} where it held {rows.height}: its disk or share may be "
        "disconnected, or its options may leave everything out "
        f"({sum(listing.skipped.values())} entries left out, {len(listing.problems)} could not be listed). "
        "Nothing was marked as gone; connect it, mend the options, or if they are really gone run "
        "`deeplens index --accept-gone`.",
    )


def _missing(listing: Listing, rows: pl.DataFrame, *, found: int) -> tuple[list[str], list[str]]:
    """The ids of rows without a file: gone, and hidden by a problem of the listing."""
    if found == rows.height:  # one row per path, so every row was met
        return [], []
    missing = rows.select("object_id", "path").join(listing.frame.select("path"), on="path", how="anti").sort("path")
    blind = _outermost([problem.path for problem in listing.problems])
    if not blind:
        return missing["object_id"].to_list(), []
    # Of sorted outermost paths only the last one not after a path can be it or a folder above it.
    places = pl.Series("blind", blind, dtype=pl.String)
    before = places.search_sorted(missing["path"], side="right").cast(pl.Int64) - 1
    above = pl.col("above")
    beneath = (above == pl.col("path")) | (above.str.ends_with("/") & pl.col("path").str.starts_with(above))
    marked = missing.with_columns(places.gather(before.clip(lower_bound=0)).alias("above"), before.alias("before"))
    marked = marked.with_columns(hidden=beneath & (pl.col("before") >= 0))
    return marked.filter(~pl.col("hidden"))["object_id"].to_list(), marked.filter("hidden")["object_id"].to_list()


def _outermost(paths: list[str]) -> list[str]:
    """Sorted paths without those beneath another of them; a folder's path ends in '/'."""
    kept: list[str] = []
    for path in sorted(paths):
        if not (kept and kept[-1].endswith("/") and path.startswith(kept[-1])):
            kept.append(path)
    return kept
