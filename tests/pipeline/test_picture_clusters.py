"""The clusters of a workspace: from the cache or found, with copies counted once and words for each."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import lance
import numpy as np
import polars as pl
import pytest
from PIL import Image
from series_workspace import EACH, SERIES, make_series
from shared_folder import shared_folder

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.explore import Clustering
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import (
    ProgressSnapshot,
    Workspace,
    annotate_file,
    cluster_pictures,
    index,
    list_groups,
    list_pairs,
    summarise_savings,
)
from deeplens_kit.pipeline import cluster_naming as naming_module
from deeplens_kit.pipeline import clustering as clustering_module
from deeplens_kit.pipeline.cluster_cache import ClusterCache, ClusterKey
from deeplens_kit.pipeline.copy_families import counted_with
from deeplens_kit.schemas import CLUSTER_MEMBERS, CLUSTERS
from tests.features.tiny_clip import drawn, needs_semantic


@pytest.fixture(scope="session")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory, "clustered-series", make_series)


@pytest.fixture
def indexed(tmp_path: Path, series: Path) -> Iterator[Workspace]:
    shutil.copytree(series / "workspace", tmp_path / "copy")
    with Workspace.open(tmp_path / "copy") as copy:
        yield copy


def cached_files(workspace: Workspace) -> list[Path]:
    return sorted((Path(workspace.settings.cache_dir) / "clusters").glob("*"))


def test_alike_pictures_make_clusters_and_copies_count_once(indexed: Workspace) -> None:
    found = cluster_pictures(indexed)
    clusters, members = CLUSTERS.check(found.clusters), CLUSTER_MEMBERS.check(found.members)
    assert (found.feature, found.least, found.cached) == ("colour", 5, False)
    assert clusters["different"].to_list() == [EACH] * 3
    assert clusters["cluster"].to_list() == [1, 2, 3]
    by_medoid = {row["path"].split("/")[0]: row for row in clusters.iter_rows(named=True)}
    assert set(by_medoid) == set(SERIES)
    # A picture with eight copies, and one whose bytes lie twice.
    assert (by_medoid["meadow"]["pictures"], by_medoid["meadow"]["objects"]) == (EACH + 8, EACH + 8)
    assert (by_medoid["sunset"]["pictures"], by_medoid["sunset"]["objects"]) == (EACH, EACH + 1)
    assert found.without_vector == 0
    assert found.in_none == 4
    assert found.pictures == members.height + 4
    # Bytes are those of every file.
    objects = indexed.catalog.objects(columns=["digest", "size_bytes"]).join(members, on="digest")
    sums = objects.group_by("cluster").agg(pl.col("size_bytes").sum()).sort("cluster")
    assert clusters["bytes"].to_list() == sums["size_bytes"].to_list()
    # One medoid each, which is of the cluster, and copies are counted with a picture of it.
    assert members.filter("is_medoid").sort("cluster")["digest"].to_list() == clusters["digest"].to_list()
    assert members.filter("is_medoid")["cluster"].is_unique().all()
    pairs = members.join(members, left_on="copy_of", right_on="digest", suffix="_kept")
    assert pairs.height == members.height
    assert (pairs["cluster"] == pairs["cluster_kept"]).all()
    assert members.filter(pl.col("copy_of") != pl.col("digest")).height == 8


def test_words_come_from_what_is_said_of_the_pictures(indexed: Workspace) -> None:
    found = cluster_pictures(indexed)
    assert found.words_by == "texts"
    told = {row["path"].split("/")[0]: row["words"] for row in found.clusters.iter_rows(named=True)}
    # Not the artist that every file names.
    assert "Zebedee" in str(indexed.catalog.metadata()["tags"].to_list())
    assert told["sunset"] == ["sunset"]
    assert told["meadow"] == ["meadow"]
    assert set(told["deep sea"]) == {"deep", "sea"}
    # What people say counts at once.
    for number in range(EACH):
        annotate_file(indexed, f"pics:sunset/{number}.png", NoteChange(add_tags=("evening",)))
    told = {row["path"].split("/")[0]: row["words"] for row in cluster_pictures(indexed).clusters.iter_rows(named=True)}
    assert set(told["sunset"]) == {"sunset", "evening"}


def test_nothing_of_it_is_a_pair_a_group_or_a_saving(indexed: Workspace) -> None:
    before = list_pairs(indexed), list_groups(indexed).groups, summarise_savings(indexed)
    cluster_pictures(indexed)
    after = list_pairs(indexed), list_groups(indexed).groups, summarise_savings(indexed)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))


def test_a_second_look_is_the_first_one_from_a_file(indexed: Workspace) -> None:
    first = cluster_pictures(indexed)
    (path,) = cached_files(indexed)
    second = cluster_pictures(indexed)
    assert second.cached
    assert second.clusters.equals(first.clusters)
    assert second.members.equals(first.members)
    path.unlink()
    third = cluster_pictures(indexed)
    assert not third.cached
    assert third.members.equals(first.members)
    # Another least is another question.
    assert not cluster_pictures(indexed, least=3).cached
    assert len(cached_files(indexed)) == 2


@pytest.mark.parametrize("content", ["nothing", "nonsense", "half", "another file", "too short", "beyond"])
def test_a_damaged_file_is_made_again(indexed: Workspace, content: str) -> None:
    first = cluster_pictures(indexed)
    (path,) = cached_files(indexed)
    whole = path.read_bytes()
    with np.load(path) as stored:
        arrays = dict(stored)
    if content == "too short":
        np.savez(path, **(arrays | {"labels": arrays["labels"][1:]}))
    elif content == "beyond":
        np.savez(path, **(arrays | {"medoids": arrays["medoids"] + 1_000}))
    elif content == "another file":
        with path.open("wb") as stream:
            np.save(stream, arrays["labels"])
    else:
        path.write_bytes({"nothing": b"", "nonsense": b"nonsense", "half": whole[: len(whole) // 2]}[content])
    again = cluster_pictures(indexed)
    assert not again.cached
    assert again.members.equals(first.members)
    assert cluster_pictures(indexed).cached


def test_every_part_of_the_key_changes_the_name_of_the_file(tmp_path: Path) -> None:
    key = ClusterKey.of(["a" * 64, "b" * 64], np.array([0, 1]), "colour_1", 5)
    others = {
        "digests": ("a" * 64, "c" * 64),
        "copies_of": (0, 0),
        "feature_key": "colour_2",
        "least": 6,
        "clustering_version": key.clustering_version + 1,
        "libraries": ("scikit-learn 9.9",),
    }
    assert set(others) == {item.name for item in dataclasses.fields(ClusterKey)}
    cache = ClusterCache(tmp_path)
    names = {cache.path(dataclasses.replace(key, **{name: value})) for name, value in others.items()}
    assert len(names | {cache.path(key)}) == len(others) + 1
    assert cache.path(dataclasses.replace(key)) == cache.path(key)


def test_what_was_not_used_for_longest_is_swept(tmp_path: Path) -> None:
    cache, words = ClusterCache(tmp_path), np.zeros((1, 4), np.float16)
    clustering = Clustering(np.zeros(2, np.int32), np.ones(2, np.float32), np.zeros(1, np.int64))
    keys = [ClusterKey.of(["a", "b"], np.arange(2), "colour", least) for least in range(2, 14)]
    for at, key in enumerate(keys[:-1]):
        cache.put(key, clustering)
        cache.put_words(f"model {at}", ["sea"], words)
        for path in (tmp_path / "clusters").glob("*"):
            if path.stat().st_mtime > 1000:
                os.utime(path, (at, at))
    assert cache.get(keys[3]) is not None
    assert cache.get(keys[2]) is None
    cache.put(keys[-1], clustering)
    assert [cache.get(key) is not None for key in keys] == [at in (3, *range(5, 12)) for at in range(12)]
    kept = [cache.words(f"model {at}", ["sea"], 4) is not None for at in range(11)]
    assert kept == [at >= 7 for at in range(11)]


def test_clusters_that_lack_a_vector_that_was_lost_are_not_kept(indexed: Workspace) -> None:
    (table,) = (Path(indexed.directory) / "catalog").glob("vectors_colour*")
    lost = cluster_pictures(indexed).clusters["digest"][0]
    shutil.rmtree(Path(indexed.settings.cache_dir) / "clusters")
    lance.dataset(str(table)).delete(f"digest = '{lost}'")
    for _ in range(2):
        found = cluster_pictures(indexed)
        assert not found.cached
        assert lost not in found.members["digest"]
    assert cached_files(indexed) == []


def test_an_empty_workspace_has_no_clusters(workspace: Workspace) -> None:
    found = cluster_pictures(workspace)
    assert (found.feature, found.pictures, found.clusters.height, found.members.height) == ("", 0, 0, 0)
    CLUSTERS.check(found.clusters)
    CLUSTER_MEMBERS.check(found.members)
    assert cached_files(workspace) == []


def test_a_feature_that_no_picture_has_gives_none_and_says_so(indexed: Workspace) -> None:
    found = cluster_pictures(indexed, "sscd")
    assert (found.feature, found.clusters.height, found.without_vector) == ("sscd", 0, found.pictures)
    with pytest.raises(UnknownNameError, match="did you mean 'colour'"):
        cluster_pictures(indexed, "color")
    with pytest.raises(SettingsError, match="take at least 2"):
        cluster_pictures(indexed, least=1)


def test_progress_ends_with_all_and_a_stopped_run_leaves_nothing(
    indexed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[ProgressSnapshot] = []

    class Listener:
        def update(self, snapshot: ProgressSnapshot) -> None:
            heard.append(snapshot)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clustering_module, "cluster", stopped)
    with pytest.raises(KeyboardInterrupt):
        cluster_pictures(indexed)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        cluster_pictures(indexed)
    monkeypatch.undo()
    assert cached_files(indexed) == []
    found = cluster_pictures(indexed, progress=Listener())
    assert not found.cached
    assert {snapshot.stage for snapshot in heard} == {"clusters"}
    assert heard[-1].done == heard[-1].total == found.pictures


def test_a_cache_that_cannot_be_written_costs_no_clusters(indexed: Workspace) -> None:
    (Path(indexed.settings.cache_dir) / "clusters").write_text("a file where the folder should be")
    assert cluster_pictures(indexed).clusters.height == 3
    assert not cluster_pictures(indexed).cached


def test_copies_of_copies_are_counted_with_the_keeper_of_most() -> None:
    rows = [("g1", "d", True), ("g1", "a", False), ("g1", "b", False), ("g2", "b", True), ("g2", "c", False)]
    rows += [("g3", "f", True), ("g3", "f", False), ("g4", "x", True), ("g4", "e", False)]
    groups = pl.DataFrame(rows, schema=["group_id", "digest", "is_keeper"], orient="row")
    digests = pl.Series(list("abcdef"))
    stands = counted_with(digests, np.ones(6, bool), groups)
    assert digests.gather(stands).to_list() == ["d", "d", "d", "d", "e", "f"]
    # One that may not stand for others is passed over.
    usable = digests.to_numpy() != "d"
    assert digests.gather(counted_with(digests, usable, groups)).to_list() == ["b", "b", "b", "b", "e", "f"]


@needs_semantic
def test_a_model_of_words_and_pictures_names_what_is_seen(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It has learnt no other phrases.
    monkeypatch.setattr(naming_module, "phrase_of", lambda word: f"a {word}")
    models, pictures = tmp_path / "models", tmp_path / "pictures"
    models.mkdir()
    pictures.mkdir()
    for name in ("tiny_clip.pt", "tiny_clip.json"):
        (models / name).write_bytes((tiny_clip / name).read_bytes())
    (models / "tiny.toml").write_text('kind = "open_clip"\ncheckpoint = "tiny_clip.pt"\n')
    shown = ("a red circle", "a blue square", "a yellow cross")
    for number, (pixels, _) in enumerate(zip(*drawn(8, 11, shown), strict=True)):
        Image.fromarray(pixels).save(pictures / f"{number}.png")
    Workspace.create(tmp_path / "workspace").close()
    file = tmp_path / "workspace" / "workspace.toml"
    enabled = '["clarity", "phash", "pdq", "colour", "tiny"]'
    file.write_text(f"{file.read_text()}\n[features]\nenabled = {enabled}\nmodel_dir = '{models}'\n")
    words = ("red circle", "blue square", "yellow cross", "green circle")
    with Workspace.open(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("shapes", str(pictures), {})
        index(workspace)
        found = cluster_pictures(workspace, words=words)
        assert (found.feature, found.words_by) == ("tiny", "tiny")
        # By the number of a picture what it shows.
        seen = {int(row["path"].split(".")[0]) // 8: row["words"][0] for row in found.clusters.iter_rows(named=True)}
        assert {number: words[number] for number in seen} == seen
        assert len(seen) >= 2
        # Words that were embedded once need no model again.
        (models / "tiny_clip.pt").write_bytes(b"gone")
        assert cluster_pictures(workspace, words=words).clusters.equals(found.clusters)
