"""Points as an image: each where it should be, those of the legend above the rest, few and many alike."""

from __future__ import annotations

import numpy as np
import pytest
from map_worlds import made_map

from deeplens_kit.views import map_raster
from deeplens_kit.views.map_discs import draw_discs
from deeplens_kit.views.map_kernels import positions_within
from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.state.map_colours import COLOUR_CHOICES, QUIET, Colouring, LegendEntry, colouring_of

RED = "#d00000"


def of_two(entry: list[int]) -> Colouring:
    entries = (LegendEntry("one", RED, 1), LegendEntry("rest", QUIET, 1))
    return Colouring(entries, np.array(entry, np.int16), np.full(len(entry), np.nan, np.float32))


@pytest.fixture(params=["discs", "density"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "density":
        monkeypatch.setattr(map_raster, "MOST_DISCS", 0)
    return str(request.param)


def test_points_are_drawn_where_they_are(kind: str) -> None:
    places = np.array([(2.0, 7.0), (8.0, 1.0)], np.float32)
    image = MapRaster(places, of_two([0, 0])).draw(Window((0, 0), (10, 10), 200, 100))
    assert image.shape == (100, 200, 4)
    # A quarter from the left, at 7 of 10 from the bottom; and the other one.
    assert image[30, 40, 3] > 100
    assert image[90, 160, 3] > 100
    assert image[30, 40, :3] == pytest.approx([0xD0, 0, 0], abs=2)
    drawn = np.argwhere(image[..., 3] > 0)
    assert all(min(np.hypot(*(at - (30, 40))), np.hypot(*(at - (90, 160)))) < 9 for at in drawn)


def test_points_outside_the_window_are_left_out(kind: str) -> None:
    places = np.array([(2.0, 7.0), (8.0, 1.0)], np.float32)
    image = MapRaster(places, of_two([0, 0])).draw(Window((3, 3), (4, 4), 50, 50))
    assert not image.any()


def test_quiet_points_lie_beneath(kind: str) -> None:
    places = np.tile(np.array([(5.0, 5.0)], np.float32), (3, 1))
    image = MapRaster(places, of_two([1, 0, 1])).draw(Window((0, 0), (10, 10), 41, 41))
    assert image[20, 20, 0] > 150
    assert image[20, 20, 1] < 90


def test_what_is_not_selected_fades(kind: str) -> None:
    places = np.array([(2.0, 5.0), (8.0, 5.0)], np.float32)
    raster, window = MapRaster(places, of_two([0, 0])), Window((0, 0), (10, 10), 100, 100)
    plain = raster.draw(window)
    image = raster.draw(window, np.array([False, True]))
    assert image[50, 80, 3] == plain[50, 80, 3]
    assert 0 < image[50, 20, 3] < plain[50, 20, 3] / 2
    assert np.array_equal(raster.draw(window, np.array([False, False])), plain)


def test_amounts_go_along_the_scale(kind: str) -> None:
    places = np.array([(2.0, 5.0), (8.0, 5.0)], np.float32)
    colouring = Colouring((), np.zeros(2, np.int16), np.array([0.0, 1.0], np.float32), ends=("10 B", "1 MB"))
    image = MapRaster(places, colouring).draw(Window((0, 0), (10, 10), 100, 100))
    assert image[50, 20, 2] > image[50, 20, 0], "little is blue"
    assert image[50, 80, 0] > image[50, 80, 2], "much is orange"


@pytest.mark.parametrize("colour_by", COLOUR_CHOICES)
@pytest.mark.parametrize("count", [1, 60])
def test_every_colouring_draws_its_points(kind: str, count: int, colour_by: str) -> None:
    points = made_map(count).points
    places = points.select("x", "y").to_numpy().astype(np.float32)
    window = Window((-40, -40), (40, 40), 160, 160)
    image = MapRaster(places, colouring_of(points, colour_by)).draw(window)
    column, row = np.floor((places + 40) * 2).astype(int).T
    assert (image[159 - row, column, 3] > 0).all()


def test_many_points_are_a_density_and_few_are_discs() -> None:
    random = np.random.default_rng(0)
    many = random.normal(size=(map_raster.MOST_DISCS + 1, 2)).astype(np.float32)
    colouring = of_two([0] * len(many))
    window = Window((-5, -5), (5, 5), 300, 300)
    dense = MapRaster(many, colouring).draw(window)
    assert dense[150, 150, 3] > 240
    # The dense middle is opaque, a lone point is not, and each is seen.
    assert 0 < dense[..., 3][dense[..., 3] > 0].min() < 255
    # The same map looked at closely has few points in the window: discs of several pixels.
    close = MapRaster(many, colouring).draw(Window((4, -5), (5, 5), 300, 300))
    assert (close[..., 3] > 0).sum() > 10 * ((many[:, 0] >= 4) & (abs(many[:, 1]) <= 5)).sum()


def test_a_window_looks_at_all_points_near_it_and_at_no_others() -> None:
    random = np.random.default_rng(4)
    places = np.concatenate([random.normal(size=(5_000, 2)), random.normal(scale=0.01, size=(5_000, 2)) + 3])
    tiles = MapTiles(places.astype(np.float32))
    assert np.array_equal(tiles.places, places.astype(np.float32)[tiles.order])
    assert np.array_equal(np.sort(tiles.order), np.arange(10_000))
    for low, high in (((-1, -1), (0.5, 2)), ((2.99, 2.99), (3.0, 3.01)), ((-99, -99), (99, 99)), ((7, 7), (8, 8))):
        window = np.array([*low, *high], np.float64)
        found = positions_within(tiles.places, tiles.runs(low, high), window, 10_000)
        x, y = tiles.places.T
        inside = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
        assert np.array_equal(found, np.flatnonzero(inside))
    assert len(positions_within(tiles.places, tiles.runs((-99, -99), (99, 99)), np.array([-99.0, -99, 99, 99]), 7)) == 8


def test_pixels_of_a_density_hold_the_colours_of_all_points_in_them() -> None:
    entries = (LegendEntry("one", "#ff0000", 3), LegendEntry("two", "#0000ff", 1))
    colouring = Colouring(entries, np.array([0, 0, 0, 1] * 8_000, np.int16), np.full(32_000, np.nan, np.float32))
    image = MapRaster(np.full((32_000, 2), 5, np.float32), colouring).draw(Window((0, 0), (10, 10), 20, 20))
    assert image[9, 10].tolist() == [191, 0, 64, 255]


def test_a_disc_is_round_smooth_and_where_it_should_be() -> None:
    colours = np.array([[200, 10, 10, 255]], np.uint8)
    image = draw_discs(np.array([[20.5, 10.5]]), colours, 5.0, 41, 21)
    alpha = image[..., 3].astype(float) / 255
    assert alpha.sum() == pytest.approx(np.pi * 25, rel=0.03)
    assert np.array_equal(alpha, alpha[::-1])
    assert np.array_equal(alpha, alpha[:, ::-1])
    assert ((alpha > 0) & (alpha < 1)).any()
    assert (image[alpha > 0][:, :3] == (200, 10, 10)).all()


def test_later_discs_lie_on_top_and_those_at_the_edge_are_cut() -> None:
    colours = np.array([[200, 0, 0, 255], [0, 0, 200, 255]], np.uint8)
    image = draw_discs(np.array([[5.0, 5.0], [5.0, 5.0]]), colours, 3.0, 10, 10)
    assert image[5, 5].tolist() == [0, 0, 200, 255]
    edge = draw_discs(np.array([[0.0, 0.0], [99.0, 99.0]]), colours, 3.0, 10, 10)
    assert edge[0, 0].tolist() == [200, 0, 0, 255]
    assert (edge[..., 3] > 0).sum() < 16
    assert not draw_discs(np.zeros((0, 2)), colours[:0], 3.0, 4, 4).any()
