"""The neighbour graph: made once, replaced whole, and the same whatever was measured before."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import Interrupted
from deeplens_kit.matching.verification import Grey
from deeplens_kit.pipeline import Workspace, index, list_groups, list_objects, match
from deeplens_kit.pipeline.looks import PictureLooks


def test_nothing_is_done_twice(workspace: Workspace) -> None:
    index(workspace, and_match=False)
    assert not list_groups(workspace).current
    first = match(workspace)
    assert first is not None
    assert (first.pictures, first.copies) == (5, 1)
    assert match(workspace) is None
    assert list_groups(workspace).current


def test_only_copies_that_thumbnails_do_not_tell_apart_are_measured(workspace: Workspace, pictures: Path) -> None:
    small = Image.open(pictures / "coffee.jpg").resize((300, 200), Image.Resampling.LANCZOS)
    small.save(pictures / "smaller.jpg")
    # No larger than a thumbnail, the two of them are compared at full size as they are.
    small.save(pictures / "smaller again.jpg", quality=90)
    index(workspace)
    names = dict(list_objects(workspace).select("digest", "path").iter_rows())
    measured = workspace.catalog.pairs().drop_nulls("resolution").select("digest_a", "digest_b", "resolution")
    ratios = {tuple(sorted((names[a], names[b]))): max(ratio, 1 / ratio) for a, b, ratio in measured.iter_rows()}
    large, less = ("coffee.jpg", "more/coffee small.jpg"), ("smaller again.jpg", "smaller.jpg")
    assert ratios == {
        large: pytest.approx(1.0, rel=0.02),
        **{(one, other): pytest.approx(2.0, rel=0.02) for one in large for other in less},
    }
    assert workspace.catalog.pairs().height == len(ratios) + 1
    # The pairs tell; no picture has to be judged by itself.
    assert workspace.catalog.pictures(columns=["digest", "effective_pixels"]).drop_nulls().is_empty()


def test_a_measurement_that_fails_costs_its_pairs_alone(
    workspace: Workspace, pictures: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    coffee = Image.open(pictures / "coffee.jpg")
    coffee.resize((300, 200), Image.Resampling.LANCZOS).save(pictures / "smaller.jpg")
    coffee.resize((240, 160), Image.Resampling.LANCZOS).save(pictures / "smallest.jpg")
    index(workspace, and_match=False)
    names = dict(list_objects(workspace).select("digest", "path").iter_rows())
    luma = PictureLooks.luma

    def failing(looks: PictureLooks, digest: str) -> Grey | None:
        if names[digest] == "smaller.jpg":
            cv2.resize(np.zeros((0, 0), np.uint8), (4, 4))
        return luma(looks, digest)

    monkeypatch.setattr(PictureLooks, "luma", failing)
    report = match(workspace)
    assert report is not None
    assert (report.failed, report.pending) == (0, 0)
    told = {
        frozenset((names[a], names[b])): ratio
        for a, b, ratio in workspace.catalog.pairs().select("digest_a", "digest_b", "resolution").iter_rows()
    }
    assert told[frozenset(("coffee.jpg", "smallest.jpg"))] is not None
    assert {ratio for ends, ratio in told.items() if "smaller.jpg" in ends} == {None}
    assert "two pictures cannot be compared" in caplog.text
    # As a mapping where a command of another test has set the log up.
    assert "stage=resolution" in caplog.text.replace("': '", "=")
    assert match(workspace) is None


def test_a_picture_is_judged_by_itself_where_its_copy_does_not_tell(workspace: Workspace, pictures: Path) -> None:
    # A tenth larger: too little for what is measured between two pictures.
    coffee = Image.open(pictures / "coffee.jpg")
    coffee.resize((550, 367), Image.Resampling.LANCZOS).save(pictures / "smaller.png")
    index(workspace)
    names = dict(list_objects(workspace).select("digest", "path").iter_rows())
    measured = workspace.catalog.pictures(columns=["digest", "effective_pixels"]).drop_nulls()
    assert {names[digest] for digest in measured["digest"]} == {"coffee.jpg", "smaller.png", "more/coffee small.jpg"}
    told = workspace.catalog.pairs().drop_nulls("resolution")
    assert told["resolution"].to_list() == [pytest.approx(1.0, rel=0.02)]
    assert {names[told["digest_a"][0]], names[told["digest_b"][0]]} == {"coffee.jpg", "more/coffee small.jpg"}


def test_measuring_before_does_not_change_the_pairs(workspace: Workspace, pictures: Path) -> None:
    Image.open(pictures / "coffee.jpg").resize((300, 200)).save(pictures / "smaller.jpg")
    index(workspace)
    pairs = workspace.catalog.pairs().drop("run_id")
    # As after a run that was killed between the measuring and the pairs.
    workspace.catalog.replace_pairs(workspace.catalog.pairs().clear(), "older")
    assert match(workspace) is not None
    assert workspace.catalog.pairs().drop("run_id").equals(pairs)


def test_stopped_while_matching_the_old_pairs_stand(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    before = workspace.catalog.pairs()
    Image.open(pictures / "coffee.jpg").resize((300, 200)).save(pictures / "smaller.jpg")
    index(workspace, and_match=False)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted, match="run `deeplens index` again"):
        match(workspace, stop=stop)
    assert workspace.catalog.pairs().equals(before)
    assert not list_groups(workspace).current
    index(workspace)
    assert list_groups(workspace).current


def test_an_upscaled_copy_does_not_become_the_keeper(workspace: Workspace, pictures: Path) -> None:
    original = Image.open(pictures / "astronaut.jpg")
    original.resize((1024, 1024), Image.Resampling.BILINEAR).save(pictures / "larger.jpg", quality=90)
    index(workspace)
    groups = list_groups(workspace).groups
    group = groups.filter(pl.col("group_id").is_in(groups.filter(path="larger.jpg")["group_id"].implode()))
    assert dict(group.select("path", "is_keeper").iter_rows()) == {"astronaut.jpg": True, "larger.jpg": False}
