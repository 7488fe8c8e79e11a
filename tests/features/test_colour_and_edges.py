"""What colour, dominant colours and edges tell of a picture, and what they do not."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.features import NAMED_COLOURS, extractor, palette_vector, shares
from deeplens_kit.features.colour import histogram
from deeplens_kit.features.edges import CELL_PX, DIRECTIONS, FLOOR, SIDE_PX, cell_histograms
from deeplens_kit.features.lab_colours import lab_of_rgb
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.settings import FeatureSettings

Pictures = dict[str, NDArray[np.uint8]]
KINDS = ("colour", "dominant_colours", "edges")
COLOURED = ("astronaut", "coffee", "cat")


def embed(kind: str, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    return extractor(kind, FeatureSettings()).extract(pictures)["vector"].astype(np.float32)


def test_they_are_not_computed_unless_asked_for_and_are_no_evidence() -> None:
    assert not set(KINDS) & {*FeatureSettings().enabled, *VECTOR_COLUMNS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_compressed_copy_is_nearer_than_every_other_picture(kind: str, pictures: Pictures) -> None:
    # The grey ones have one colour, and so have many others.
    order = [name for name in sorted(pictures) if kind == "edges" or np.ptp(pictures[name], axis=2).max() > 60]
    copies = []
    for name in order:
        small = Image.fromarray(pictures[name])
        stream = io.BytesIO()
        small.resize((small.width // 2, small.height // 2)).save(stream, "JPEG", quality=40)
        copies.append(np.asarray(Image.open(stream)))
    cosines = embed(kind, copies) @ embed(kind, [pictures[name] for name in order]).T
    assert (cosines.argmax(axis=1) == np.arange(len(order))).all()


def test_a_recoloured_picture_is_far_by_colour_and_near_by_edges(pictures: Pictures) -> None:
    originals = [pictures[name] for name in COLOURED]
    recoloured = [np.ascontiguousarray(item[..., [2, 0, 1]]) for item in originals]
    between = {kind: (embed(kind, originals) * embed(kind, recoloured)).sum(axis=1) for kind in KINDS}
    assert (between["colour"] < 0.8).all()
    assert (between["dominant_colours"] < 0.8).all()
    assert (between["edges"] > 0.97).all()


def test_a_rearranged_picture_is_near_by_colour_and_far_by_edges(pictures: Pictures) -> None:
    originals = [pictures[name] for name in COLOURED]
    turned = [np.ascontiguousarray(item[::-1, ::-1].transpose(1, 0, 2)) for item in originals]
    between = {kind: (embed(kind, originals) * embed(kind, turned)).sum(axis=1) for kind in KINDS}
    assert (between["colour"] > 0.99).all()
    assert (between["dominant_colours"] > 0.99).all()
    assert (between["edges"] < 0.9).all()


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=40))
def test_shares_of_colours_add_up_to_one(colours: list[tuple[int, int, int]]) -> None:
    found = histogram(lab_of_rgb(np.array(colours, dtype=np.uint8)))
    assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert (found >= 0).all()


def test_the_cosine_by_colour_is_the_bhattacharyya_coefficient(pictures: Pictures) -> None:
    from deeplens_kit.features.lab_colours import lab

    one, other = (histogram(lab(pictures[name])).astype(np.float64) for name in ("astronaut", "coffee"))
    vectors = embed("colour", [pictures["astronaut"], pictures["coffee"]]).astype(np.float64)
    assert vectors[0] @ vectors[1] == pytest.approx(np.sqrt(one * other).sum(), abs=2e-3)
    hellinger = np.linalg.norm(np.sqrt(one) - np.sqrt(other)) / np.sqrt(2)
    assert np.linalg.norm(vectors[0] - vectors[1]) == pytest.approx(np.sqrt(2) * hellinger, abs=2e-3)


@pytest.mark.parametrize("name", NAMED_COLOURS)
def test_a_sheet_of_a_named_colour_is_mostly_that_colour(name: str) -> None:
    sheet = np.full((90, 120, 3), NAMED_COLOURS[name], dtype=np.uint8)
    found = shares(embed("dominant_colours", [sheet])[0])
    assert next(iter(found)) == name
    assert found[name] > 0.75


def test_shares_are_what_was_painted_and_a_palette_finds_it() -> None:
    flag = np.full((100, 120, 3), NAMED_COLOURS["white"], dtype=np.uint8)
    flag[:75] = NAMED_COLOURS["navy"]
    others = [np.full((90, 90, 3), NAMED_COLOURS[name], dtype=np.uint8) for name in ("blue", "white", "olive")]
    vectors = embed("dominant_colours", [flag, *others])
    assert shares(vectors[0]) == pytest.approx({"navy": 0.75, "white": 0.25}, abs=0.03)
    cosines = vectors @ palette_vector({"white": 1, "navy": 3}).astype(np.float32)
    assert cosines.argmax() == 0
    assert cosines[0] > 0.98


def test_a_palette_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'navy'"):
        palette_vector({"navi": 1.0})
    for palette in ({}, {"navy": 0.0}, {"navy": -1.0}, {"navy": float("nan")}):
        with pytest.raises(SettingsError, match="at least one colour, each with a share above 0"):
            palette_vector(palette)


def test_directions_are_those_of_a_loop_over_all_pixels(pictures: Pictures) -> None:
    image = Image.fromarray(pictures["astronaut"]).convert("L").resize((SIDE_PX, SIDE_PX))
    grey = np.asarray(image, dtype=np.float32)
    slow = np.zeros((SIDE_PX // CELL_PX, SIDE_PX // CELL_PX, DIRECTIONS))
    for y, x in np.ndindex(grey.shape):
        across = float(grey[y, x + 1] - grey[y, x - 1]) if 0 < x < SIDE_PX - 1 else 0.0
        down = float(grey[y + 1, x] - grey[y - 1, x]) if 0 < y < SIDE_PX - 1 else 0.0
        strength = max(math.hypot(across, down) - FLOOR, 0.0)
        turned = math.degrees(math.atan2(down, across)) % 180 * DIRECTIONS / 180 - 0.5
        below = math.floor(turned)
        cell = slow[y // CELL_PX, x // CELL_PX]
        cell[below % DIRECTIONS] += strength * (1 - (turned - below))
        cell[(below + 1) % DIRECTIONS] += strength * (turned - below)
    assert np.allclose(cell_histograms(grey), slow / CELL_PX**2, atol=1e-3)


def test_a_line_is_found_where_it_is_and_in_its_direction() -> None:
    for degrees in (0, 30, 60, 90, 120, 150):
        drawn = Image.new("L", (SIDE_PX, SIDE_PX))
        middle, reach = SIDE_PX / 2, SIDE_PX
        step = (reach * math.cos(math.radians(degrees)), reach * math.sin(math.radians(degrees)))
        line = (middle - step[0], middle - step[1], middle + step[0], middle + step[1])
        ImageDraw.Draw(drawn).line(line, fill=255, width=7)
        by_direction = cell_histograms(np.asarray(drawn, dtype=np.float32)).sum(axis=(0, 1))
        across = (degrees + 90) % 180  # a gradient stands upright on its line
        away = np.abs((np.arange(DIRECTIONS) + 0.5) * 180 / DIRECTIONS - across)
        assert np.minimum(away, 180 - away)[by_direction.argmax()] <= 180 / DIRECTIONS, degrees


def test_less_light_moves_no_edge(pictures: Pictures) -> None:
    picture = pictures["rocket"]
    darker = (picture.astype(np.float32) * 0.6).astype(np.uint8)
    vectors = embed("edges", [picture, darker])
    assert vectors[0] @ vectors[1] > 0.96


def test_a_picture_without_edges_is_near_nothing(pictures: Pictures) -> None:
    vectors = embed("edges", [np.full((50, 60, 3), 77, dtype=np.uint8), pictures["page"]])
    assert not vectors[0].any()
