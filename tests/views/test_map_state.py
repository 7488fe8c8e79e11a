"""The state of a map: what is pointed at, what is selected and shared, and what the colours say. No widgets."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from map_worlds import made_clusters, made_map

from deeplens_kit.reporting.words import format_bytes
from deeplens_kit.views.state import SelectionState
from deeplens_kit.views.state.map_colours import (
    BY_CLUSTER,
    CATEGORY_COLOURS,
    CLUSTER_COLOURS,
    COLOUR_CHOICES,
    QUIET,
    RAMP,
    Colouring,
    colouring_of,
)
from deeplens_kit.views.state.map_state import MapState

# The grounds of reports, notebooks and dashboards, light and dark: --page and --surface of reporting's tokens.css.
GROUNDS = ("#f4f3ef", "#ffffff", "#14161a", "#1d2026")


@pytest.fixture
def state() -> MapState:
    return MapState(picture_map=made_map(60))


def test_a_box_selects_what_is_in_it_and_tells_every_viewer_once(state: MapState) -> None:
    told: list[list[str]] = []
    state.selection.param.watch(lambda event: told.append(event.new), ["digests"])
    x, y = state.places.T
    state.select_box((-5, -5), (5, 5))
    inside = (np.abs(x) <= 5) & (np.abs(y) <= 5)
    assert 0 < inside.sum() < 60
    assert state.selection.digests == state.points["digest"].filter(pl.Series(inside)).to_list()
    assert told == [state.selection.digests]
    assert state.selection.source == "map"
    assert state.selected.tolist() == inside.tolist()
    state.selection.clear()
    assert not state.selected.any()


def test_a_lasso_selects_what_is_in_it(state: MapState) -> None:
    x, y = state.places[7].tolist()
    state.select_polygon([(x - 0.01, y - 0.01), (x + 0.01, y - 0.01), (x, y + 0.01)])
    assert state.selection.digests == [state.points["digest"][7]]
    state.select_polygon([])
    assert state.selection.digests == []


def test_a_selection_made_elsewhere_shows_on_the_map() -> None:
    shared = SelectionState()
    state = MapState(picture_map=made_map(10), selection=shared)
    shared.select([state.points["digest"][3], "f" * 64], "gallery")
    assert np.flatnonzero(state.selected).tolist() == [3]


def test_pointing_finds_the_nearest_and_keeps_it_in_sight(state: MapState) -> None:
    x, y = state.places[4].tolist()
    state.point_at(x + 0.001, y, (0.05, 0.05))
    assert state.pointed == state.points["digest"][4]
    state.point_at(1e6, 1e6, (0.05, 0.05))
    assert state.pointed == state.points["digest"][4]
    assert state.pointed_points["digest"].to_list() == [state.points["digest"][4]]


def test_pictures_in_one_place_are_all_told() -> None:
    found = made_map(6)
    points = found.points.with_columns(x=pl.lit(1.0, pl.Float32), y=pl.lit(2.0, pl.Float32))
    state = MapState(picture_map=type(found)(points, "sscd_small", 6, 0, 0.0, cached=True))
    state.point_at(1, 2, (0.1, 0.1))
    assert state.pointed_points.height == 6
    assert state.pointed_points["digest"][0] == state.pointed


def test_another_map_is_pointed_at_anew(state: MapState) -> None:
    x, y = state.places[4].tolist()
    state.point_at(x, y, (1, 1))
    state.picture_map = made_map(5, seed=9)
    assert state.pointed == ""
    assert state.colouring.entry.shape == (5,)
    state.picture_map = None
    assert state.points.is_empty()
    assert state.pointed_points.is_empty()


@pytest.mark.parametrize("colour_by", COLOUR_CHOICES)
@pytest.mark.parametrize("count", [0, 1, 60])
def test_every_point_has_a_colour_and_the_legend_counts_all(colour_by: str, count: int) -> None:
    state = MapState(picture_map=made_map(count), colour_by=colour_by)
    found: Colouring = state.colouring
    assert found.entry.shape == found.share.shape == (count,)
    counted = np.bincount(found.entry, minlength=len(found.entries))[: len(found.entries)]
    assert [entry.pictures for entry in found.entries] == counted.tolist()
    along = found.entry == len(found.entries)
    assert ((found.share[along] >= 0) & (found.share[along] <= 1)).all()
    assert np.isnan(found.share[~along]).all()
    assert (found.ends is not None) == along.any()
    assert counted.sum() + along.sum() == count


def test_the_legend_of_locations_names_the_largest_and_sums_up_the_rest() -> None:
    points = made_map(40).points.with_columns(
        location=pl.concat_str(pl.lit("place "), (pl.int_range(pl.len()) ** 0.5).cast(pl.Int64).cast(pl.String))
    )
    found = colouring_of(points, "location")
    assert [entry.colour for entry in found.entries] == [*CATEGORY_COLOURS, QUIET]
    assert found.entries[0].name == "place 5"
    assert found.entries[-1].name == "Other locations"
    sizes = [entry.pictures for entry in found.entries[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(entry.pictures for entry in found.entries) == 40


def test_the_scale_goes_from_the_least_to_the_most_that_can_be_freed() -> None:
    points = made_map(60).points
    found = colouring_of(points, "reclaimable bytes")
    freed = points["reclaimable_bytes"].filter(points["reclaimable_bytes"] > 0)
    assert found.ends == (format_bytes(freed.min()), format_bytes(freed.max()))  # type: ignore[arg-type]
    assert [entry.name for entry in found.entries] == ["Nothing to free"]
    order = np.argsort(points["reclaimable_bytes"].to_numpy(), kind="stable")[-freed.len() :]
    assert (np.diff(found.share[order]) > 0).all()
    assert found.share[order[[0, -1]]].tolist() == [0.0, 1.0]
    assert colouring_of(points.filter(pl.col("reclaimable_bytes") == 0), "reclaimable bytes").ends is None


def test_the_scale_of_ages_goes_from_old_to_new_and_one_odd_date_does_not_stretch_it() -> None:
    points = made_map(400).points
    odd = pl.when(pl.int_range(pl.len()) == 1).then(datetime(1970, 1, 1)).otherwise("dated_at").cast(pl.Datetime("us"))
    found = colouring_of(points.with_columns(dated_at=odd), "age")
    assert found.ends == ("January 2011", "January 2021")
    assert [(entry.name, entry.pictures) for entry in found.entries] == [("No date known", 100)]
    assert found.share[1] == 0.0, "as old as the oldest that counts"
    by_year = dict(zip(points["dated_at"].dt.year().to_list(), found.share.tolist(), strict=True))
    assert 0.0 == by_year[2011] < by_year[2013] < by_year[2021] == 1.0
    undated = colouring_of(points.with_columns(dated_at=pl.lit(None, pl.Datetime("us"))), "age")
    assert (undated.ends, len(undated.entries)) == (None, 1)


@pytest.mark.parametrize("count", [0, 3, 25])
def test_clusters_have_colours_and_words_and_the_rest_is_quiet(count: int) -> None:
    found = made_map(90)
    state = MapState(picture_map=found, clusters=made_clusters(found, count))
    assert state.colour_by == (BY_CLUSTER if count else COLOUR_CHOICES[0])
    state.colour_by = BY_CLUSTER
    colouring = state.colouring
    colours = [entry.colour for entry in colouring.entries]
    assert colours == [*CLUSTER_COLOURS[:count], *CLUSTER_COLOURS[: max(count - len(CLUSTER_COLOURS), 0)], QUIET]
    assert len({entry.name for entry in colouring.entries}) == min(count, len(CLUSTER_COLOURS) + 1) + 1
    counted = np.bincount(colouring.entry, minlength=len(colouring.entries))
    assert [entry.pictures for entry in colouring.entries] == counted.tolist()
    outside = (state.cluster_of == 0).to_numpy()
    assert (colouring.entry[outside] == len(colours) - 1).all()
    assert not (colouring.entry[~outside] == len(colours) - 1).any()
    for at in (0, 2):
        state.pointed = state.points["digest"][at]
        number = state.cluster_of[at]
        assert state.pointed_cluster.startswith(f"Cluster {number}: sea, sand (" if number else "Outside any cluster")


def test_clusters_that_come_later_are_offered_and_those_taken_away_are_not() -> None:
    found = made_map(30)
    state = MapState(picture_map=found)
    assert state.pointed_cluster == ""
    with pytest.raises(ValueError, match="cluster"):
        state.colour_by = BY_CLUSTER
    state.clusters = made_clusters(found, 2, words=())
    state.colour_by = BY_CLUSTER
    assert state.colouring.entries[0].name == "Cluster 1"
    state.clusters = None
    assert state.colour_by == COLOUR_CHOICES[0]


@pytest.mark.parametrize("colour", [*CLUSTER_COLOURS, *RAMP, QUIET])
def test_colours_stand_out_on_light_and_dark(colour: str, repository: Path) -> None:
    tokens = (repository / "deeplens_kit/reporting/templates/tokens.css").read_text(encoding="utf-8")
    for ground in GROUNDS:
        assert ground in tokens
        assert contrast(colour, ground) >= 3.0, ground


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it; 3:1 is asked of graphics."""

    def light(colour: str) -> float:
        levels = [value / 255 for value in bytes.fromhex(colour[1:])]
        linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_state_loads_no_widgets(repository: Path) -> None:
    code = "import sys, deeplens_kit.views.state.map_state; print({'panel', 'bokeh', 'holoviews'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
