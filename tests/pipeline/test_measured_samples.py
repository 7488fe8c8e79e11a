"""Digests of native samples: computed for those that need them, kept, and computed again where they went stale."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.decode import SAMPLES_VERSION, native_samples
from deeplens_kit.pipeline import Workspace, index, list_groups, list_objects, match
from deeplens_kit.pipeline.look_names import VERDICTS
from deeplens_kit.pipeline.native_samples import measure_samples
from deeplens_kit.schemas import PICTURES


@pytest.fixture
def twins(workspace: Workspace, pictures: Path) -> Workspace:
    """The workspace with the samples of a JPEG as PNG, and a JPEG without its metadata; indexed."""
    with Image.open(pictures / "astronaut.jpg") as opened:
        opened.save(pictures / "astronaut.png")
    whole = (pictures / "coffee.jpg").read_bytes()
    comment = b"an evening in Zurich"
    (pictures / "coffee told.jpg").write_bytes(
        whole[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + whole[2:]
    )
    index(workspace)
    return workspace


def samples_by_path(workspace: Workspace) -> dict[str, str | None]:
    return dict(list_objects(workspace).filter(pl.col("digest").is_not_null()).select("path", "samples").iter_rows())


def tiers_by_paths(workspace: Workspace) -> dict[frozenset[str], str]:
    names = dict(list_objects(workspace).select("digest", "path").iter_rows())
    rows = workspace.catalog.pairs().select("digest_a", "digest_b", "tier")
    return {frozenset((names[a], names[b])): tier for a, b, tier in rows.iter_rows()}


def test_equal_samples_make_pairs_of_their_tier(twins: Workspace, pictures: Path) -> None:
    told = samples_by_path(twins)
    assert told["astronaut.jpg"] == told["astronaut.png"]
    assert told["coffee.jpg"] == told["coffee told.jpg"]
    assert told["astronaut.jpg"] == native_samples((pictures / "astronaut.jpg").read_bytes(), twins.settings.decode)
    # Of another quality: its samples are others, and nobody decoded it to see that.
    assert told["more/coffee small.jpg"] is None
    assert told["chelsea.jpg"] is None
    tiers = tiers_by_paths(twins)
    assert tiers[frozenset(("astronaut.jpg", "astronaut.png"))] == "pixels"
    assert tiers[frozenset(("coffee.jpg", "coffee told.jpg"))] == "pixels"
    assert tiers[frozenset(("coffee.jpg", "more/coffee small.jpg"))] == "copy"


def test_what_was_told_is_not_asked_again_and_does_not_change_the_pairs(twins: Workspace, pictures: Path) -> None:
    pairs, digest = twins.catalog.pairs(), twins.content_digest()
    twins.catalog.replace_pairs(pairs, "older")
    (pictures / "astronaut.png").unlink()  # it is not read: its pair was looked at, what its samples are is known
    assert match(twins) is not None
    assert twins.catalog.pairs().drop("run_id").equals(pairs.drop("run_id"))
    assert twins.content_digest() == digest


def test_a_digest_of_another_version_is_computed_again(twins: Workspace) -> None:
    names = dict(list_objects(twins).select("path", "digest").iter_rows())
    told = samples_by_path(twins)
    assert (told["astronaut.jpg"] or "").startswith(f"{SAMPLES_VERSION}-")
    older = pl.DataFrame({"digest": [names["astronaut.jpg"], names["coffee.jpg"]], "samples": ["0-abc", ""]})
    twins.catalog.set_samples(older)
    found = measure_samples(twins, twins.catalog.pairs())
    assert found.missing == 0
    assert samples_by_path(twins) == told | {"coffee.jpg": ""}


def test_a_picture_that_cannot_be_read_now_is_asked_next_time(twins: Workspace, pictures: Path) -> None:
    names = dict(list_objects(twins).select("path", "digest").iter_rows())
    cleared = twins.catalog.pictures().filter(digest=names["astronaut.png"]).select("digest", samples=pl.lit(None))
    twins.catalog.set_samples(cleared.cast({"samples": PICTURES.polars["samples"]}))
    content = (pictures / "astronaut.png").read_bytes()
    (pictures / "astronaut.png").unlink()
    twins.catalog.replace_pairs(twins.catalog.pairs(), "older")
    match(twins)
    pair = frozenset(("astronaut.jpg", "astronaut.png"))
    assert tiers_by_paths(twins)[pair] == "copy"
    (pictures / "astronaut.png").write_bytes(content)
    assert match(twins) is not None
    assert tiers_by_paths(twins)[pair] == "pixels"
    assert match(twins) is None


@pytest.mark.parametrize("kept", [True, False], ids=["what was seen is kept", "the cache is gone"])
def test_a_pair_that_loses_its_equal_samples_is_what_was_seen_of_it(
    workspace: Workspace, pictures: Path, kept: bool
) -> None:
    # On a blank page nothing is seen, so that its samples alone make the view of such a pair a whole one.
    for name in ("one", "other"):
        told = PngInfo()
        told.add_text("Comment", name)
        Image.new("RGB", (300, 200), "white").save(pictures / f"{name}.png", pnginfo=told)
    index(workspace)
    names = dict(list_objects(workspace).select("path", "digest").iter_rows())
    ends = sorted((names["one.png"], names["other.png"]))

    def row() -> tuple[object, ...]:
        found = workspace.catalog.pairs().filter(digest_a=ends[0], digest_b=ends[1])
        return found.select("tier", "relation", "verification").row(0)

    assert row() == ("pixels", "whole", VERDICTS)
    # As if a later version of the digest told the two apart.
    unequal = [f"{SAMPLES_VERSION}-{digit * 64}" for digit in "01"]
    workspace.catalog.set_samples(pl.DataFrame({"digest": ends, "samples": unequal}))
    workspace.catalog.replace_pairs(workspace.catalog.pairs(), "older")
    if not kept:
        shutil.rmtree(workspace.settings.cache_dir)
    report = match(workspace)
    assert report is not None
    assert report.verified == (0 if kept else 1)
    assert row() == ("scene", "unverified", VERDICTS)


def test_pairs_of_equal_samples_are_not_looked_at_again(twins: Workspace) -> None:
    pairs = twins.catalog.pairs()
    for _ in range(2):
        twins.catalog.replace_pairs(twins.catalog.pairs(), "older")
        report = match(twins)
        assert report is not None
        assert (report.verified, report.reused) == (0, pairs.height)
        assert twins.catalog.pairs().drop("run_id").equals(pairs.drop("run_id"))


def test_another_version_of_the_digest_is_a_reason_to_match(twins: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert match(twins) is None
    monkeypatch.setattr("deeplens_kit.pipeline.graph.SAMPLES_VERSION", "another")
    assert not list_groups(twins).current
    assert match(twins) is not None
    assert list_groups(twins).current


def test_samples_stay_when_a_picture_is_analysed_again(twins: Workspace) -> None:
    told = samples_by_path(twins)
    rows = twins.catalog.pictures().with_columns(features=pl.lit(""))
    twins.catalog.write_batch(CatalogBatch(pictures=rows))
    index(twins, and_match=False)
    assert "" not in set(twins.catalog.pictures()["features"])
    assert samples_by_path(twins) == told


def test_measuring_nothing_reads_nothing(workspace: Workspace) -> None:
    index(workspace)
    found = measure_samples(workspace, workspace.catalog.pairs())
    assert (found.samples.height, found.missing) == (0, 0)
