"""Reads that fail for a moment: nothing known is lost, and the next run tries again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import ObjectUnreadableError
from deeplens_kit.pipeline import Workspace, index, list_failures, list_objects
from deeplens_kit.pipeline.graph import is_current
from deeplens_kit.pipeline.listing_rows import record_problems
from deeplens_kit.pipeline.scan import scan
from deeplens_kit.settings import FeatureSettings
from deeplens_kit.storage import ListingProblem
from deeplens_kit.storage.local import LocalLocation


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Paths whose reading fails as long as they are in the set, as on a share whose connection is lost."""
    paths: set[str] = set()
    read = LocalLocation.read

    def unreliable(location: LocalLocation, path: str, **how: object) -> bytes:
        if path in paths:
            raise ObjectUnreadableError(f"{path!r} cannot be read: input/output error.")
        return read(location, path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalLocation, "read", unreliable)
    return paths


def test_a_failure_of_the_moment_is_tried_again(workspace: Workspace, failing: set[str]) -> None:
    failing.add("coffee.jpg")
    index(workspace)
    assert "coffee.jpg" in list_failures(workspace)["path"].to_list()
    failing.clear()
    (report,) = index(workspace)
    assert (report.read_files, report.indexed) == (1, 1)
    assert "coffee.jpg" not in list_failures(workspace)["path"].to_list()
    (report,) = index(workspace)
    assert report.read_files == 0, "damaged files are not read again by themselves"
    (report,) = index(workspace, retry_failed=True)
    assert (report.read_files, report.failures) == (3, 4)


def test_a_bad_read_does_not_cost_what_is_known(workspace: Workspace, failing: set[str]) -> None:
    features = workspace.settings.features
    workspace.settings = replace(workspace.settings, features=FeatureSettings(enabled=("clarity", "pdq")))
    index(workspace)
    failing.add("coffee.jpg")
    workspace.settings = replace(workspace.settings, features=replace(features, enabled=("clarity", "pdq", "phash")))
    index(workspace)
    row = list_objects(workspace).filter(pl.col("path") == "coffee.jpg")
    assert (row["outcome"].item(), row["phash"].item()) == ("indexed", None)
    failing.clear()
    index(workspace)
    assert workspace.catalog.pictures()["phash"].null_count() == 0


def test_detail_is_measured_on_any_holder_and_again_when_none_could_be_read(
    workspace: Workspace, pictures: Path, failing: set[str]
) -> None:
    Image.open(pictures / "coffee.jpg").resize((300, 200)).save(pictures / "smaller.jpg")
    shutil.copy(pictures / "smaller.jpg", pictures / "more" / "smaller too.jpg")
    index(workspace, and_match=False)
    failing.update({"coffee.jpg", "more/smaller too.jpg"})
    index(workspace)
    paths = dict(list_objects(workspace).select("path", "effective_pixels").iter_rows())
    assert paths["coffee.jpg"] is None
    assert paths["smaller.jpg"] is not None
    failing.clear()
    index(workspace)
    # Now the pair itself tells which of the two resolves more.
    assert workspace.catalog.pairs()["resolution"].drop_nulls().len() >= 1
    assert is_current(workspace)


def test_a_listing_problem_does_not_hide_a_failure(workspace: Workspace) -> None:
    index(workspace)
    location = workspace.ledger.location("pics")
    before = list_failures(workspace).height
    found = scan(workspace.kind_of(location), workspace.catalog.objects(location.location_id))
    blind = replace(found, problems=(ListingProblem("cut.jpg", "permission", "The file cannot be listed."),))
    record_problems(workspace, location, blind, "run")
    assert list_failures(workspace).height == before + 1
    record_problems(workspace, location, found, "run")
    assert list_failures(workspace).filter(pl.col("path") == "cut.jpg")["code"].to_list() == ["corrupt"]
