"""The ground of a map: what those who look at one map share, and what each has of their own."""

from __future__ import annotations

import numpy as np
from map_worlds import made_clusters, made_map

from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.state.map_colours import BY_CLUSTER
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.views.state.map_state import MapState


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
