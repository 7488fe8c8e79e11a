"""Rectangles that are pictures themselves are found, and nothing is found where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.features import extractor, unpack_regions
from deeplens_kit.features.panels import Panel, find_panels
from deeplens_kit.settings import FeatureSettings

Pictures = dict[str, NDArray[np.uint8]]
CLOSE = 0.9


def scaled(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def beside(*rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.vstack([np.hstack(row) for row in rows])


def pasted(ground: NDArray[np.uint8], part: NDArray[np.uint8], left: int, top: int) -> NDArray[np.uint8]:
    whole = ground.copy()
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole


def holds(found: list[Panel], *box: int) -> bool:
    return any(panel.overlap(Panel(*box)) >= CLOSE for panel in found)


def test_the_four_cells_of_a_collage(pictures: Pictures) -> None:
    cells = [scaled(pictures[name], 180, 140) for name in ("astronaut", "coffee", "coins", "page")]
    found = find_panels(beside(cells[:2], cells[2:]))
    for left, top in ((0, 0), (180, 0), (0, 140), (180, 140)):
        assert holds(found, left, top, left + 180, top + 140)


@pytest.mark.parametrize(("left", "top"), [(20, 30), (111, 87), (200, 150)])
def test_a_picture_pasted_on_another(pictures: Pictures, left: int, top: int) -> None:
    whole = pasted(scaled(pictures["coffee"], 384, 288), scaled(pictures["astronaut"], 150, 120), left, top)
    assert holds(find_panels(whole), left, top, left + 150, top + 120)


@pytest.mark.parametrize("bar", [0, 255, 90])
def test_what_bars_or_a_frame_surround(pictures: Pictures, bar: int) -> None:
    part = scaled(pictures["coffee"], 200, 150)
    letterbox = np.full((150, 384, 3), bar, np.uint8)
    assert holds(find_panels(pasted(letterbox, part, 92, 0)), 92, 0, 292, 150)
    frame = np.full((210, 260, 3), bar, np.uint8)
    assert holds(find_panels(pasted(frame, part, 30, 30)), 30, 30, 230, 180)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "coins"])
def test_a_photograph_has_none(pictures: Pictures, name: str) -> None:
    assert find_panels(pictures[name]) == []


def test_flat_ground_noise_and_crumbs_have_none() -> None:
    random = np.random.default_rng(3)
    assert find_panels(np.full((384, 200, 3), 70, np.uint8)) == []
    assert find_panels(random.integers(0, 256, (200, 384, 3), dtype=np.uint8)) == []
    assert find_panels(random.integers(0, 256, (39, 384, 3), dtype=np.uint8)) == []
    halves = np.zeros((200, 200, 3), np.uint8)
    halves[:, 100:] = 200
    assert find_panels(halves) == [], "two flat halves show nothing"


def test_a_printed_frame_is_no_seam() -> None:
    page = np.full((384, 280, 3), 240, np.uint8)
    page[60:62, 40:240] = page[300:302, 40:240] = 20
    page[60:302, 40:42] = page[60:302, 238:240] = 20
    assert find_panels(page) == []


def test_a_transposed_picture_has_the_same_panels(pictures: Pictures) -> None:
    whole = pasted(scaled(pictures["coffee"], 384, 288), scaled(pictures["astronaut"], 150, 120), 50, 60)
    turned = find_panels(np.ascontiguousarray(whole.transpose(1, 0, 2)))
    assert {Panel(top, left, bottom, right) for left, top, right, bottom in turned} == set(find_panels(whole))


def test_a_region_is_near_the_picture_that_it_shows_and_knows_its_place(pictures: Pictures) -> None:
    whole = pasted(scaled(pictures["coffee"], 384, 288), scaled(pictures["astronaut"], 150, 120), 50, 60)
    plain = pictures["astronaut"]
    rows = extractor("sscd_small_regions", FeatureSettings()).extract([plain, whole, plain])["regions"]
    found = unpack_regions(rows)
    assert set(found.row) == {1}
    vectors = extractor("sscd_small", FeatureSettings()).extract([plain, whole])["vector"].astype(np.float32)
    cosines = found.vectors.astype(np.float32) @ vectors.T
    best = int(cosines[:, 0].argmax())
    assert cosines[best, 0] > 0.8 > float(vectors[0] @ vectors[1])
    assert found.boxes[best] == pytest.approx([50 / 384, 60 / 288, 200 / 384, 180 / 288], abs=0.01)
