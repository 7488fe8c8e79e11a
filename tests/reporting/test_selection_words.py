"""What a selection adds up to, and the words for each of its pictures."""

from __future__ import annotations

import polars as pl
import pytest

from deeplens_kit.reporting.selection_words import add_up_selection, describe_selected, selected_points
from deeplens_kit.schemas import MAP_POINTS


def point(digest: str, **given: object) -> dict[str, object]:
    row = {
        "digest": digest,
        "x": 0.0,
        "y": 0.0,
        "location": "share",
        "path": f"folder/{digest}.jpg",
        "objects": 1,
        "size_bytes": 1000,
        "width_px": 1200,
        "height_px": 800,
        "format": "JPEG",
        "tier": "",
        "group_id": "",
        "is_keeper": False,
        "reclaimable_bytes": 0,
    }
    assert set(given) <= set(row)
    return row | given


@pytest.fixture
def points() -> pl.DataFrame:
    group = {"tier": "bytes", "group_id": "g1"}
    rows = [
        point("a", is_keeper=True, **group),
        point("b", objects=3, reclaimable_bytes=2000, path="odd\nname.jpg", **group),
        point("c", size_bytes=500),
    ]
    return MAP_POINTS.check(pl.DataFrame(rows, schema=MAP_POINTS.polars))


def test_the_order_is_that_of_the_selection_and_unknown_pictures_are_left_out(points: pl.DataFrame) -> None:
    assert selected_points(points, ["c", "gone", "a"])["digest"].to_list() == ["c", "a"]
    assert selected_points(points, []).height == 0


def test_what_is_selected_adds_up(points: pl.DataFrame) -> None:
    totals = add_up_selection(points)
    assert (totals.pictures, totals.objects, totals.bytes) == (3, 5, 1000 + 3 * 1000 + 500)
    assert (totals.groups, totals.reclaimable_bytes) == (1, 2000)
    assert totals.sentence == "3 pictures in 5 files, 4.50 kB; 1 group, 2.00 kB could be freed."
    alone = add_up_selection(selected_points(points, ["c"]))
    assert alone.sentence == "1 picture in 1 file, 500 B; none of them is in a group."
    assert add_up_selection(points.clear()).pictures == 0


def test_each_picture_has_a_card(points: pl.DataFrame) -> None:
    cards = describe_selected(points)
    assert cards["badge"].to_list() == ["keeper", "bytes", ""]
    assert cards["title"].to_list() == ["a.jpg", "odd\\nname.jpg", "c.jpg"]
    assert cards["lines"][1].to_list() == [
        "share:odd\\nname.jpg",
        "1,200 × 800 px, JPEG, 1.00 kB",
        "3 files hold it",
        "2.00 kB could be freed",
    ]
    assert describe_selected(points.clear()).columns == ["digest", "title", "lines", "badge"]
