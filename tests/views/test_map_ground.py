"""The ground of a map: what those who look at one map share, and what each has of their own."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from map_worlds import made_clusters, made_map

from deeplens_kit.errors import DecoderUnavailableError
from deeplens_kit.views.map_page import MapPage
from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.state.map_colours import BY_CLUSTER
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.views.state.map_state import MapState
from deeplens_kit.views.state.search_state import UNEXPECTED
from deeplens_kit.views.state.shared_states import Shared


def test_two_who_look_share_what_is_heavy_and_have_selections_of_their_own() -> None:
    ground = MapGround(made_map(60))
    one, other = MapState(), MapState()
    for state in (one, other):
        state.stand_on(ground)
    assert one.places is other.places and one.colouring is other.colouring and one.points is other.points
    one.select_box((-100, -100), (100, 100))
    one.colour_by = "format"
    assert one.selected.all() and not other.selected.any()
    assert other.colour_by == "location" and one.colouring is not other.colouring


def test_clusters_come_later_and_the_rest_stays_shared() -> None:
    ground = MapGround(made_map(60))
    state = MapState()
    state.stand_on(ground)
    coloured = state.colouring
    places, tiles = state.places, ground.part("tiles", lambda: MapTiles(ground.places))
    state.pin(ground.points["digest"][3])
    clustered = ground.with_clusters(made_clusters(ground.picture_map, 2))
    state.stand_on(clustered)
    assert state.colour_by == BY_CLUSTER and state.places is places and state.ground is clustered
    assert clustered.part("tiles", lambda: MapTiles(places)) is tiles
    assert state.pointed == ground.points["digest"][3], "the same map: one looks on"
    assert clustered.token is ground.token and MapGround(ground.picture_map).token is not ground.token
    assert ground.clusters is None and clustered.colouring("location") is coloured


def test_a_drawing_of_ones_own_fades_what_oneself_has_not_selected() -> None:
    ground = MapGround(made_map(60))
    shared = MapRaster(ground.places, ground.colouring("location"))
    window = Window((-40, -40), (40, 40), 120, 120)
    mine, theirs = shared.for_one(), shared.for_one()
    chosen = np.arange(60) < 5
    before = theirs.draw(window)
    assert (mine.draw(window, chosen) != before).any()
    assert (theirs.draw(window) == before).all()
    assert mine._codes is theirs._codes and mine._tiles is theirs._tiles


def test_clusters_that_cannot_be_found_can_be_asked_for_again() -> None:
    ground = MapGround(made_map(60))
    wrong: list[Exception] = []

    async def ask(_feature: str, _anew: bool) -> Shared[MapGround]:
        raise DecoderUnavailableError("There is no map yet.")

    async def ask_clusters(_feature: str, of: MapGround) -> Shared[MapGround]:
        if wrong:
            raise wrong.pop(0)
        return Shared(of.with_clusters(made_clusters(of.picture_map, 2)), outdated=False, made_at=0.0)

    def nearest(_ground: MapGround) -> Any:
        return lambda _digest, _most: ground.points.clear()

    async def looked_at() -> None:
        page = MapPage(ask, ask_clusters, nearest, ["sscd_small"], lambda *_: None, lambda *_: "", acts=None)
        page._found, page._state = Shared(ground, outdated=False, made_at=0.0), MapState()
        wrong[:] = [RuntimeError("a defect"), DecoderUnavailableError("No memory is left.")]
        with pytest.raises(RuntimeError):
            await page._cluster()
        assert UNEXPECTED.split("`")[0] in page._bar.html and page._clustering is None
        await page._cluster()
        assert "No memory is left." in page._bar.html
        await page._cluster()
        assert page._found.value.clusters is not None and page._bar.html == ""

    asyncio.run(looked_at())
