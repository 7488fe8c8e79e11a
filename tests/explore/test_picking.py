"""What lies where a person points or draws, against plain geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.explore import PlacePicker

GRID = np.array([(x, y) for y in range(5) for x in range(5)], np.float32)


def test_the_nearest_place_within_reach() -> None:
    picker = PlacePicker(GRID)
    assert picker.nearest(1.2, 2.9, (0.5, 0.5)) == 3 * 5 + 1
    assert picker.nearest(1.5, 2.5, (0.5, 0.5)) is None
    assert picker.nearest(3.0, 3.5, (0.1, 0.5)) in (18, 23)
    # What is near on the screen counts, where a step across is far and a step up is not.
    assert picker.nearest(1.4, 2.0, (0.1, 10.0)) is None
    two = PlacePicker(np.array([(0.0, 0.0), (1.0, 3.0)], np.float32))
    assert two.nearest(0.9, 0.0, (1.0, 100.0)) == 1


def test_places_that_are_the_same() -> None:
    places = np.concatenate([GRID, GRID[7:8]])
    assert PlacePicker(places).at(7).tolist() == [7, 25]


def test_no_places() -> None:
    picker = PlacePicker(np.zeros((0, 2), np.float32))
    assert picker.nearest(0, 0, (1, 1)) is None
    assert picker.in_box((0, 0), (1, 1)).size == 0
    assert picker.in_polygon(np.array([(0, 0), (1, 0), (0, 1)])).size == 0


def test_a_box_holds_its_edges() -> None:
    assert PlacePicker(GRID).in_box((1, 1), (2, 3)).tolist() == [6, 7, 11, 12, 16, 17]


@pytest.mark.parametrize("corners", [[], [(0, 0)], [(0, 0), (4, 4)]])
def test_a_line_holds_nothing(corners: list[tuple[float, float]]) -> None:
    assert PlacePicker(GRID).in_polygon(np.array(corners).reshape(-1, 2)).size == 0


def test_a_polygon_with_a_bay_and_one_that_crosses_itself() -> None:
    picker = PlacePicker(GRID)
    bay = np.array([(-0.5, -0.5), (4.5, -0.5), (4.5, 4.5), (2.0, 0.5), (-0.5, 4.5)])
    assert 12 not in picker.in_polygon(bay)
    assert {0, 4, 5, 9, 14} <= set(picker.in_polygon(bay).tolist())
    bow = np.array([(-0.5, -0.5), (4.5, 4.5), (4.5, -0.5), (-0.5, 4.5)])
    on_a_side = {0, 4, 6, 8, 12, 16, 18, 20, 24}
    assert set(picker.in_polygon(bow).tolist()) - on_a_side == {5, 10, 15, 11, 9, 14, 19, 13}


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=30),
    st.floats(0.5, 8.0),
    st.integers(3, 12),
)
def test_a_regular_polygon_holds_what_lies_left_of_all_its_sides(
    points: list[tuple[int, int]], radius: float, sides: int
) -> None:
    places = np.array(points, np.float32) + np.float32(0.137)
    turn = np.arange(sides) * 2 * np.pi / sides + 0.1
    corners = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    edge = np.roll(corners, -1, axis=0) - corners
    gap = places[:, None] - corners[None]
    left = edge[None, :, 0] * gap[..., 1] - edge[None, :, 1] * gap[..., 0] > 0
    assert PlacePicker(places).in_polygon(corners).tolist() == np.flatnonzero(left.all(axis=1)).tolist()
