"""What a person has selected, in words: how many pictures, what they take, what could be freed; and a card for each.

Takes MAP_POINTS and the selected digests, gives a value and a frame; must not choose pictures or look into the stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path

__all__ = ["SelectionTotals", "add_up_selection", "describe_selected", "selected_points"]

_CARDS = pl.Schema({"digest": pl.String(), "title": pl.String(), "lines": pl.List(pl.String()), "badge": pl.String()})


@dataclass(frozen=True, slots=True)
class SelectionTotals:
    """What selected pictures add up to.

    Attributes:
        pictures: Distinct contents.
        objects: Files that hold them.
        bytes: Bytes of these files.
        reclaimable_bytes: Bytes that removing the proposed ones among them would free.
        groups: Groups that they are in.
    """

    pictures: int
    objects: int
    bytes: int
    reclaimable_bytes: int
    groups: int

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        said = f"{plural(self.pictures, 'picture')} in {plural(self.objects, 'file')}, {format_bytes(self.bytes)}"
        if not self.groups:
            return f"{said}; none of them is in a group."
        return f"{said}; {plural(self.groups, 'group')}, {format_bytes(self.reclaimable_bytes)} could be freed."


def selected_points(points: pl.DataFrame, digests: Sequence[str]) -> pl.DataFrame:
    """The rows of MAP_POINTS of some pictures, in the order of `digests`; a picture that has no row is left out."""
    order = pl.DataFrame({"digest": list(digests)}, schema={"digest": pl.String})
    return order.join(points, on="digest", how="inner", maintain_order="left")


def add_up_selection(selected: pl.DataFrame) -> SelectionTotals:
    """Add up rows of MAP_POINTS."""
    return SelectionTotals(
        pictures=selected.height,
        objects=int(selected["objects"].sum()),
        bytes=int((selected["objects"] * selected["size_bytes"]).sum()),
        reclaimable_bytes=int(selected["reclaimable_bytes"].sum()),
        groups=selected.filter(pl.col("group_id") != "")["group_id"].n_unique(),
    )


def describe_selected(selected: pl.DataFrame) -> pl.DataFrame:
    """A card for each row of MAP_POINTS: digest, title, lines, badge."""
    rows = [
        {
            "digest": row["digest"],
            "title": display_path(row["path"].rpartition("/")[2]),
            "lines": _lines(row),
            "badge": "keeper" if row["is_keeper"] else row["tier"] if row["reclaimable_bytes"] else "",
        }
        for row in selected.iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=_CARDS)


def _lines(row: dict[str, object]) -> list[str]:
    place = f"{display_path(str(row['location']))}:{display_path(str(row['path']))}"
    shape = f"{row['width_px']:,} × {row['height_px']:,} px, {row['format']}, {format_bytes(_whole(row, 'size_bytes'))}"
    lines = [place, shape]
    if (objects := _whole(row, "objects")) > 1:
        lines.append(plural(objects, "file") + " hold it")
    if frees := _whole(row, "reclaimable_bytes"):
        lines.append(f"{format_bytes(frees)} could be freed")
    return lines


def _whole(row: dict[str, object], name: str) -> int:
    value = row[name]
    assert isinstance(value, int)
    return value
