"""The selection shows itself as it changes."""

from __future__ import annotations

import polars as pl
import pytest

from deeplens_kit.schemas import MAP_POINTS
from deeplens_kit.views import SelectionView
from deeplens_kit.views.state.selection import SelectionState


@pytest.fixture
def points() -> pl.DataFrame:
    rows = [
        (name, 0.0, 0.0, "share", f"{name}.jpg", 1, 10, 4, 3, "JPEG", None, "", "", False, 0) for name in ("a", "b")
    ]
    return pl.DataFrame(rows, schema=MAP_POINTS.polars, orient="row")


def shown(view: SelectionView) -> str:
    words, gallery = view.__panel__().objects
    return str(words.html) + str(gallery.object)


def test_it_follows_the_selection(points: pl.DataFrame) -> None:
    asked: list[tuple[str, int]] = []
    selection = SelectionState()

    def thumbnail(digest: str, side_px: int) -> bytes | None:
        asked.append((digest, side_px))
        return None

    view = SelectionView(selection, points, thumbnail)
    assert "Nothing is selected" in shown(view)
    selection.select(["b", "unknown"], "map")
    assert "1 picture in 1 file" in shown(view)
    assert "b.jpg" in shown(view)
    assert "a.jpg" not in shown(view)
    assert [digest for digest, _ in asked] == ["b"]
    selection.clear()
    assert "Nothing is selected" in shown(view)
