"""Indexing real folders: what is read, what is kept, what is reported, and what a second run does."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import (
    Interrupted,
    LeaseHeldError,
    LocationEmptiedError,
    LocationUnavailableError,
    WorkspaceError,
    WorkspaceMissingError,
)
from deeplens_kit.pipeline import (
    ProgressSnapshot,
    Workspace,
    coverage,
    index,
    list_failures,
    list_groups,
    list_objects,
    list_pairs,
    summarise_savings,
    thumbnail,
)
from deeplens_kit.pipeline.findings import ALL_PAIRS_LIMIT
from deeplens_kit.settings import FeatureSettings, IndexSettings


def test_every_object_has_one_outcome_and_bad_files_are_rows(workspace: Workspace) -> None:
    (report,) = index(workspace)
    assert (report.found, report.new, report.indexed, report.failures) == (10, 10, 6, 4)
    failures = dict(list_failures(workspace).select("path", "code").iter_rows())
    assert failures == {
        "empty.jpg": "empty",
        "cut.jpg": "corrupt",
        "more/cut again.jpg": "corrupt",
        "notes.jpg": "not_a_picture",
    }
    outcomes = coverage(workspace)
    assert outcomes["objects"].sum() == 10
    assert outcomes["bytes"].sum() == sum(path.stat().st_size for path in _files(workspace))
    assert workspace.ledger.runs()[-1].state == "finished"


def test_equal_bytes_are_analysed_once(workspace: Workspace) -> None:
    (report,) = index(workspace)
    assert report.pictures == 5
    objects = list_objects(workspace)
    digests = dict(objects.select("path", "digest").iter_rows())
    assert digests["chelsea.jpg"] == digests["more/again.jpg"]


def test_a_second_run_reads_nothing(workspace: Workspace) -> None:
    index(workspace)
    before = workspace.catalog.digest()
    (report,) = index(workspace)
    assert (report.unchanged, report.read_files, report.read_bytes, report.new) == (10, 0, 0, 0)
    assert workspace.catalog.digest() == before


def test_changed_moved_and_gone_files_are_followed(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    (pictures / "astronaut.jpg").rename(pictures / "more" / "renamed.jpg")
    (pictures / "coffee.jpg").unlink()
    Image.new("RGB", (64, 48), "red").save(pictures / "camera.jpg")
    (report,) = index(workspace)
    assert (report.new, report.changed, report.gone) == (1, 1, 2)
    assert report.pictures == 1, "the moved picture is known by its digest"
    assert set(list_objects(workspace)["path"]) == {
        os.fspath(path.relative_to(pictures)) for path in pictures.rglob("*") if path.is_file()
    }
    assert workspace.catalog.pictures()["digest"].is_in(list_objects(workspace)["digest"].implode()).all()


def test_a_mended_file_is_no_failure_any_more(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    shutil.copy(pictures / "camera.jpg", pictures / "cut.jpg")
    index(workspace)
    assert "cut.jpg" not in list_failures(workspace)["path"].to_list()


def test_an_emptied_or_missing_location_marks_nothing_as_gone(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    before = workspace.catalog.digest()
    aside = pictures.rename(pictures.with_name("unplugged"))
    with pytest.raises(LocationUnavailableError, match="pics"):
        index(workspace)
    pictures.mkdir()
    with pytest.raises(LocationEmptiedError, match="Nothing was marked as gone"):
        index(workspace)
    pictures.rmdir()
    aside.rename(pictures)
    assert workspace.catalog.digest() == before
    assert [run.state for run in workspace.ledger.runs()].count("failed") == 2
    (report,) = index(workspace)
    assert report.read_files == 0


def test_stop_keeps_what_was_read_and_the_next_run_goes_on(workspace: Workspace, noise_pictures) -> None:
    workspace.ledger.add_location("many", str(noise_pictures(60)), {})
    workspace.settings = replace(workspace.settings, index=IndexSettings(workers=1, commit_pictures=10))
    stop = threading.Event()

    class StopSoon:
        def update(self, snapshot: ProgressSnapshot) -> None:
            if snapshot.stage == "index" and snapshot.done:
                stop.set()

    with pytest.raises(Interrupted) as caught:
        index(workspace, ["many"], progress=StopSoon(), stop=stop)
    kept = list_objects(workspace).height
    assert 0 < kept < 60, "what was read is committed, and not all was read"
    assert [report.state for report in caught.value.reports] == ["interrupted"]
    (report,) = index(workspace, ["many"])
    assert report.unchanged == kept
    assert list_objects(workspace).height == 60
    assert {run.state for run in workspace.ledger.runs()} == {"interrupted", "finished"}


def test_one_run_per_location(workspace: Workspace) -> None:
    location = workspace.ledger.location("pics")
    run = workspace.ledger.start_run("index", location.location_id, {})
    with (
        workspace.ledger.lease(location, "somebody@elsewhere pid 7", run.run_id, 60.0),
        pytest.raises(LeaseHeldError, match="somebody@elsewhere"),
    ):
        index(workspace)
    index(workspace)


def test_a_feature_added_later_re_reads_one_object_per_picture(workspace: Workspace) -> None:
    features = workspace.settings.features
    workspace.settings = replace(workspace.settings, features=FeatureSettings(enabled=("clarity", "pdq")))
    index(workspace)
    assert workspace.catalog.pictures()["phash"].null_count() == 5
    workspace.settings = replace(workspace.settings, features=replace(features, enabled=("clarity", "pdq", "phash")))
    (report,) = index(workspace)
    assert (report.read_files, report.pictures) == (5, 5)
    assert workspace.catalog.pictures()["phash"].null_count() == 0


def test_a_model_that_is_missing_is_said_and_hashes_go_on(workspace: Workspace, tmp_path: Path) -> None:
    enabled = ("clarity", "pdq", "sscd_torch")
    settings = FeatureSettings(enabled=enabled, model_dir=str(tmp_path / "nowhere"))
    workspace.settings = replace(workspace.settings, features=settings)
    (report,) = index(workspace)
    assert list(report.missing_features) == ["sscd_torch"]
    assert workspace.catalog.pictures()["pdq"].null_count() == 0


def test_groups_pairs_and_savings_agree(workspace: Workspace) -> None:
    index(workspace)
    view = list_groups(workspace)
    assert view.current
    removed = view.groups.filter(~view.groups["is_keeper"])
    assert sorted(removed["path"]) == ["more/again.jpg", "more/coffee small.jpg"]
    assert dict(removed.select("path", "tier").iter_rows())["more/coffee small.jpg"] == "copy"
    assert summarise_savings(workspace)["gross_bytes"].sum() == removed["size_bytes"].sum()
    pairs = list_pairs(workspace).filter(list_pairs(workspace)["tier"] != "scene")
    assert {frozenset(row) for row in pairs.select("path_a", "path_b").iter_rows()} == {
        frozenset(("chelsea.jpg", "more/again.jpg")),
        frozenset(("coffee.jpg", "more/coffee small.jpg")),
    }
    bytes_only = list_groups(workspace, ["bytes"]).groups
    assert sorted(bytes_only.filter(~bytes_only["is_keeper"])["path"]) == ["more/again.jpg"]


def test_hard_links_are_one_file_and_free_nothing(workspace: Workspace, pictures: Path) -> None:
    os.link(pictures / "camera.jpg", pictures / "more" / "link.jpg")
    index(workspace)
    groups = list_groups(workspace).groups
    assert "more/link.jpg" in groups["path"].to_list() or "camera.jpg" in groups["path"].to_list()
    linked = groups.filter(groups["path"].is_in(["camera.jpg", "more/link.jpg"]))
    assert linked["frees_bytes"].sum() == 0
    amounts = summarise_savings(workspace)
    assert amounts["realisable_bytes"].sum() < amounts["gross_bytes"].sum()


def test_a_link_made_later_is_noticed_without_reading(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    os.link(pictures / "camera.jpg", pictures.parent / "outside.jpg")
    (report,) = index(workspace)
    assert report.read_files == 0
    objects = list_objects(workspace)
    assert objects.filter(objects["path"] == "camera.jpg")["link_count"].item() == 2


def test_thumbnails_are_cached_and_made_again(workspace: Workspace) -> None:
    index(workspace)
    digest = workspace.catalog.pictures()["digest"][0]
    cached = thumbnail(workspace, digest)
    assert cached is not None
    shutil.rmtree(workspace.settings.cache_dir)
    assert thumbnail(workspace, digest) is not None
    for side in (150, 600):
        assert thumbnail(workspace, digest, side) is not None
    assert thumbnail(workspace, "0" * 64) is None


def test_progress_says_rate_and_failures(workspace: Workspace) -> None:
    seen: list[ProgressSnapshot] = []

    class Keep:
        def update(self, snapshot: ProgressSnapshot) -> None:
            seen.append(snapshot)

    index(workspace, progress=Keep())
    last = [snapshot for snapshot in seen if snapshot.stage == "index"][-1]
    assert (last.done, last.total, last.failures) == (10, 10, 4)
    assert last.rate_per_second > 0


def _files(workspace: Workspace) -> list[Path]:
    folder = Path(workspace.ledger.location("pics").url.removeprefix("file://"))
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_that_two_locations_list_is_no_copy_of_itself(workspace: Workspace, pictures: Path) -> None:
    os.link(pictures / "camera.jpg", pictures / "more" / "link.jpg")
    index(workspace)
    before = list_groups(workspace).groups
    amounts = summarise_savings(workspace).drop("location_id")
    pairs = list_pairs(workspace).height
    workspace.ledger.add_location("within", str(pictures / "more"), {})
    (pictures.parent / "alias").symlink_to(pictures)
    workspace.ledger.add_location("aliased", str(pictures.parent / "alias"), {})
    index(workspace)
    after = list_groups(workspace).groups
    assert after.filter(pl.col("is_keeper").not_()).height <= before.filter(pl.col("is_keeper").not_()).height
    root = {item.name: Path(item.url.removeprefix("file://")) for item in workspace.ledger.locations()}
    for _, group in after.group_by("group_id"):
        real = [os.path.realpath(root[row["location"]] / row["path"]) for row in group.iter_rows(named=True)]
        assert len(set(real)) == len(real), "a file beside itself"
    assert summarise_savings(workspace)["realisable_bytes"].sum() <= amounts["realisable_bytes"].sum()
    assert list_pairs(workspace).height <= pairs


def test_one_bad_location_does_not_keep_the_others_from_being_indexed(workspace: Workspace, pictures: Path) -> None:
    lost = pictures.parent / "lost"
    lost.mkdir()
    workspace.ledger.add_location("a-lost", str(lost), {})
    lost.rmdir()
    with pytest.raises(LocationUnavailableError, match="a-lost") as caught:
        index(workspace)
    assert [report.location for report in caught.value.reports] == ["pics"]
    assert list_groups(workspace).current
    assert list_objects(workspace).height == 10


def test_files_of_a_location_that_is_not_active_are_in_no_group(workspace: Workspace, pictures: Path) -> None:
    other = pictures.parent / "other"
    shutil.copytree(pictures, other)
    workspace.ledger.add_location("other", str(other), {})
    index(workspace)
    assert set(list_groups(workspace).groups["location"]) == {"other", "pics"}
    workspace.ledger.set_location_active("other", False)
    assert set(list_groups(workspace).groups["location"]) == {"pics"}
    assert set(list_pairs(workspace)["location_a"]) == {"pics"}
    assert list_objects(workspace).filter(pl.col("location") == "other").height == 10


def test_emptied_locations_are_believed_when_told(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    shutil.rmtree(pictures)
    pictures.mkdir()
    with pytest.raises(LocationEmptiedError, match="--accept-gone"):
        index(workspace)
    (report,) = index(workspace, accept_gone=True)
    assert report.gone == 10
    assert list_objects(workspace).is_empty()
    assert workspace.catalog.pictures().is_empty()


def test_another_disk_in_its_place_marks_nothing_as_gone(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    pictures.rename(pictures.with_name("unplugged"))
    pictures.mkdir()
    (pictures / "stray.txt").write_text("left in the mount point")
    with pytest.raises(LocationEmptiedError, match="none of the files where it held 10"):
        index(workspace)
    assert list_objects(workspace).height == 10


def test_a_feature_added_later_makes_the_pairs_anew_and_keeps_what_was_measured(
    workspace: Workspace, pictures: Path
) -> None:
    # A tenth larger: too little for the pair to tell which resolves more, so that each is measured by itself.
    original = Image.open(pictures / "astronaut.jpg")
    original.resize((558, 558), Image.Resampling.BILINEAR).save(pictures / "larger.jpg", quality=90)
    features = workspace.settings.features
    workspace.settings = replace(workspace.settings, features=FeatureSettings(enabled=("clarity", "pdq")))
    index(workspace)
    measured = workspace.catalog.pictures(columns=["digest", "effective_pixels"]).drop_nulls().sort("digest")
    assert measured.height
    workspace.settings = replace(workspace.settings, features=replace(features, enabled=("clarity", "pdq", "phash")))
    index(workspace, ["pics"], and_match=False)
    assert not list_groups(workspace).current
    after = workspace.catalog.pictures(columns=["digest", "effective_pixels"]).drop_nulls().sort("digest")
    assert after.equals(measured)
    index(workspace)
    copies = workspace.catalog.pairs().filter(pl.col("tier") == "copy")
    assert copies["phash_distance"].null_count() == 0


def test_a_cache_that_cannot_be_written_is_one_clear_line(workspace: Workspace) -> None:
    cache = Path(workspace.settings.cache_dir)
    shutil.rmtree(cache)
    cache.write_text("a file where the folder was")
    with pytest.raises(WorkspaceError, match="cache"):
        index(workspace, workers=1)
    assert workspace.ledger.runs()[0].state == "failed"
    cache.unlink()
    index(workspace)
    assert list_objects(workspace).height == 10


def test_many_holders_of_alike_pictures_are_not_multiplied(workspace: Workspace, pictures: Path) -> None:
    for number in range(120):
        shutil.copy(pictures / "coffee.jpg", pictures / f"many{number}.jpg")
        shutil.copy(pictures / "more" / "coffee small.jpg", pictures / f"small{number}.jpg")
    index(workspace)
    assert list_pairs(workspace, ["copy"]).height == ALL_PAIRS_LIMIT**2
    assert list_pairs(workspace, ["bytes"]).height == 120 + 120 + 1


def test_a_lost_catalog_is_made_anew(workspace: Workspace) -> None:
    index(workspace)
    digest = workspace.content_digest()
    shutil.rmtree(workspace.settings.catalog_url)
    with pytest.raises(WorkspaceMissingError, match="deeplens init"):
        Workspace.open(workspace.directory)
    with Workspace.create(workspace.directory) as again:
        assert [item.name for item in again.ledger.locations()] == ["pics"]
        index(again)
        assert again.content_digest() == digest
    with pytest.raises(WorkspaceError, match="a workspace already"):
        Workspace.create(workspace.directory)
