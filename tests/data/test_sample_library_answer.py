"""What the product says of the sample library, held against the library's own truth."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from sample_workspace import sample_workspace

from deeplens_kit.pipeline import Workspace, list_failures, list_groups, list_objects
from deeplens_kit.storage import decode_path

Place = tuple[str, str]
"""Location and path of a file."""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, dict]]:
    sample = sample_workspace(tmp_path_factory)
    with Workspace.open(sample.workspace) as workspace:
        yield workspace, sample.truth


def places(frame: pl.DataFrame) -> list[Place]:
    return [(location, decode_path(path)) for location, path in frame.select("location", "path").iter_rows()]


def stars(workspace: Workspace) -> dict[Place, Place]:
    """Each file that is proposed for removal, and the keeper that would stay for it."""
    groups = list_groups(workspace).groups
    members = list(zip(groups["group_id"], places(groups), groups["is_keeper"], strict=True))
    keeper = {group: place for group, place, keeps in members if keeps}
    return {place: keeper[group] for group, place, keeps in members if not keeps}


def test_nothing_but_copies_of_the_keeper_is_proposed(answer) -> None:
    workspace, truth = answer
    proposed = stars(workspace)
    for removed, kept in proposed.items():
        assert truth[removed]["expected"] == "copy", removed
        assert truth[removed]["source_id"] == truth[kept]["source_id"], (removed, kept)


def test_what_bytes_show_is_proposed(answer) -> None:
    workspace, truth = answer
    proposed = stars(workspace)
    assert {place for place, row in truth.items() if row["evidence"] == "bytes"} <= set(proposed)


def test_most_of_what_a_hash_shows_is_proposed_and_the_original_stays(answer) -> None:
    workspace, truth = answer
    proposed = stars(workspace)
    shown = {
        place for place, row in truth.items() if row["evidence"] in {"hash", "pixels"} and row["expected"] == "copy"
    }
    assert len(shown & set(proposed)) >= 0.75 * len(shown), sorted(shown - set(proposed))
    assert {truth[kept]["expected"] for kept in proposed.values()} == {"keeper"}


def test_a_watermarked_and_a_saved_again_copy_give_way_to_the_original(answer) -> None:
    proposed = stars(answer[0])
    original = ("share", "photos/2019/IMG_0498.JPG")
    for name in ("shop/chelsea_marked.jpg", "export/IMG_0498 saved again.jpg"):
        assert proposed["laptop", name] == original


def test_a_grey_copy_stands_for_nothing_though_it_is_lossless(answer) -> None:
    workspace, _ = answer
    objects = list_objects(workspace)
    digest = dict(zip(places(objects), objects["digest"], strict=True))
    grey, original = digest["laptop", "export/IMG_0498 grey.png"], digest["share", "photos/2019/IMG_0498.JPG"]
    view = list_groups(workspace)
    assert grey not in view.groups["digest"].to_list()
    # The camera's file comes first; nobody can tell whether the other was made from it or from something finer.
    reasons = view.withheld.filter(keeper_digest=original, digest=grey)["reason"].to_list()
    assert reasons == ["it is lossless at about the keeper's size, the keeper is lossy"]


def test_every_bad_file_has_its_reason(answer) -> None:
    workspace, truth = answer
    failures = list_failures(workspace)
    found = dict(zip(places(failures), failures["code"], strict=True))
    assert found == {place: row["expected"] for place, row in truth.items() if not row["source_id"]}


def test_every_file_is_accounted_for(answer) -> None:
    workspace, truth = answer
    skipped = [place for place, row in truth.items() if row["expected"] == "skipped"]
    assert set(places(list_objects(workspace))) == set(truth) - set(skipped)
    names = {location.location_id: location.name for location in workspace.ledger.locations()}
    runs = {names[run.location_id]: run.figures for run in workspace.ledger.runs() if run.kind == "index"}
    assert set(runs) == set(names.values())
    assert sum(sum(figures["skipped"].values()) for figures in runs.values()) == len(skipped)
    for name, figures in runs.items():
        assert figures["found"] == sum(
            location == name and row["expected"] != "skipped" for (location, _), row in truth.items()
        )
