"""Two pictures of a pair as a person compares them: laid over one another as the close look laid them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from copied_pictures import CopiedPictures, photographs
from PIL import Image

from deeplens_kit.pipeline import Workspace, add_location, index, pair_looks, thumbnail
from deeplens_kit.pipeline.laid_pictures import common_view, difference_of, laid_on, moved

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
# The left half of a is all of b, turned by a quarter.
TURNED_HALF = (0.0, -1.0, 1.0, 2.0, 0.0, 0.0)


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    return Image.open(io.BytesIO(content))


@pytest.fixture
def workspace(tmp_path: Path, copied_pictures: CopiedPictures) -> Iterator[Workspace]:
    shutil.copytree(copied_pictures.matched, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace") as found:
        yield found


def copies(workspace: Workspace) -> tuple[str, str]:
    laid = workspace.catalog.pairs().filter(pl.col("transform").is_not_null(), tier="copy")
    return laid.sort("digest_a")["digest_a"][0], laid.sort("digest_a")["digest_b"][0]


def test_a_copy_lies_on_its_original_whichever_comes_first(workspace: Workspace) -> None:
    pair = copies(workspace)
    for one, other in (pair, pair[::-1]):
        looks = pair_looks(workspace, one, other)
        assert looks.notes == ()
        assert opened(looks.laid).size == opened(looks.difference).size == opened(looks.a).size == looks.size_a
        assert max(looks.size_a) <= 900
        assert looks.unlike is not None and looks.unlike < 0.03
        assert looks.name_a.partition(":")[2] and looks.name_a != looks.name_b
        # The copy is one of the whole view.
        for corners in (looks.corners_a, looks.corners_b):
            assert np.allclose(np.ptp(np.array(corners), axis=0), 1, atol=0.05)


def test_strangers_are_shown_and_said_to_be_such(workspace: Workspace) -> None:
    stored = set(workspace.catalog.pairs(["digest_a", "digest_b"]).rows())
    digests = sorted(workspace.catalog.pictures()["digest"])
    one, other = next((a, b) for a in digests for b in digests if a < b and (a, b) not in stored)
    looks = pair_looks(workspace, one, other)
    assert looks.a and looks.b and looks.laid is None and looks.corners_a == ()
    assert "cannot be laid over each other" in looks.notes[0]


def test_a_lost_file_is_shown_by_its_thumbnail_and_else_said_to_be_lost(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    whole = photographs()["coffee"]
    whole.save(files / "whole.jpg", quality=92)
    whole.resize((300, 200)).save(files / "small.png")
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "pics", str(files))
        index(workspace, and_match=False)
        of_path = dict(workspace.catalog.objects(columns=["path", "digest"]).iter_rows())
        one, other = of_path["whole.jpg"], of_path["small.png"]
        # No pair is stored: they are looked at now.
        assert pair_looks(workspace, one, other).laid is not None
        kept = thumbnail(workspace, one)
        (files / "whole.jpg").unlink()
        looks = pair_looks(workspace, one, other)
        assert looks.size_a == opened(kept).size and looks.laid is not None
        assert looks.notes == ("A: pics:whole.jpg cannot be read now; its thumbnail of 300 px is shown.",)
        workspace.thumbnails.path(one).unlink()
        looks = pair_looks(workspace, one, other)
        assert looks.a is None and looks.b is not None and looks.laid is None
        assert looks.notes == ("A: pics:whole.jpg cannot be read now, and no thumbnail of it was kept.",)
        nobody = pair_looks(workspace, "0" * 64, other)
        assert nobody.name_a == "" and "no file of it is in a location any more" in nobody.notes[0]


def test_corners_follow_the_turn() -> None:
    assert common_view(IDENTITY) == ((0, 0), (1, 0), (1, 1), (0, 1))
    corners = common_view(TURNED_HALF)
    assert set(corners) == {(0, 0), (0.5, 0), (0.5, 1), (0, 1)}
    assert moved(TURNED_HALF, [(0.0, 0.0), (0.5, 0.0)]) == ((1, 0), (1, 1))
    # Beyond the edge nothing is common.
    assert common_view((1.0, 0.0, 1.5, 0.0, 1.0, 0.0)) == ()
    assert common_view((1.0, 0.0, 0.0, 1.0, 0.0, 0.0)) == ()


def test_what_is_laid_on_a_picture_shows_nothing_elsewhere() -> None:
    random = np.random.default_rng(3)
    whole = np.repeat(np.repeat(random.integers(0, 255, (10, 20, 3), dtype=np.uint8), 8, 0), 8, 1)
    half = np.rot90(whole[:, :80], -1)
    laid, shows = laid_on(np.ascontiguousarray(half), (160, 80), TURNED_HALF)
    assert shows[:, :79].all() and not shows[:, 81:].any()
    assert np.abs(laid[2:-2, 2:77].astype(int) - whole[2:-2, 2:77]).mean() < 2
    drawn, unlike = difference_of(whole, laid, shows)
    assert unlike < 0.01
    altered = laid.copy()
    altered[20:40, 20:40] = 255 - altered[20:40, 20:40]
    marked, more = difference_of(whole, altered, shows)
    assert more > unlike + 0.01
    red = marked[..., 0].astype(int) - marked[..., 2]
    assert red[22:38, 22:38].mean() > 40 > 15 > red[50:70, 5:75].mean()
    assert drawn.shape == whole.shape


def test_light_is_no_difference() -> None:
    random = np.random.default_rng(4)
    one = random.integers(60, 160, (40, 40, 3), dtype=np.uint8)
    everywhere = np.ones((40, 40), np.bool_)
    for lit in (one + np.uint8(40), (one * 0.6).astype(np.uint8), 255 - one):
        assert difference_of(one, lit, everywhere)[1] < 0.01
    other = random.integers(60, 160, (40, 40, 3), dtype=np.uint8)
    assert difference_of(one, other, everywhere)[1] > 0.05
