"""Each notebook runs as papermill runs it, and its figures are those of the ground truth."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import NOTEBOOKS, Executed, Runner, Together
from examples import IN_FULL, in_turn
from sample_workspace import SampleWorkspace

from data.make_sample_library import LOCATIONS
from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import Workspace, add_location, list_groups

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_indexing_accounts_for_every_file(execute: Runner, sample: SampleWorkspace, tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "new") as new:
        for location in LOCATIONS:
            add_location(new, location, str((sample.library / location).resolve()))
    ran = execute("01_index_locations", workspace=str(tmp_path / "new"))
    skipped = sample.places(expected="skipped")
    bad = [place for place in sample.places(source_id="") if place not in skipped]
    figures = ran.figures
    assert figures["found"] == figures["new"] == len(sample.truth) - len(skipped)
    assert figures["failures"] == len(bad)
    assert figures["indexed"] == figures["found"] - len(bad)
    assert figures["pictures"] == len(contents(sample))
    assert figures["skipped"] == len(skipped)
    assert figures["notes"] == []
    for place in bad:
        assert sample.truth[place]["expected"] in ran.text
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in ran.outputs)


def test_on_the_sample_library_each_says_what_its_commands_say(
    execute_together: Together, sample: SampleWorkspace
) -> None:
    workspace = {"workspace": str(sample.workspace)}
    runs = {name: (name, workspace) for name in NOTEBOOKS[1:]}
    stricter = {"likelihood_min": 0.999, "page_likelihood_min": 0.999}
    runs["stricter"] = ("03_tune_thresholds", workspace | stricter)
    ran = execute_together(runs)
    with Workspace.open(sample.workspace) as opened:
        groups = list_groups(opened).groups
        strict = list_groups(opened, rule=Thresholds(**stricter).rule()).groups
    check_map(ran["02_explore_clusters"].figures, sample, groups)
    check_thresholds(ran["03_tune_thresholds"].figures, groups)
    assert ran["03_tune_thresholds"].figures["now"] == ran["03_tune_thresholds"].figures["strict"]
    check_thresholds(ran["stricter"].figures, strict)
    # Never fewer than equal bytes show, never more than there are copies; and of what hashes show nearly all.
    found = ran["03_tune_thresholds"].figures["now"]["objects"]
    assert len(sample.places(evidence="bytes")) <= found <= len(sample.places(expected="copy"))
    assert found >= len(sample.places(evidence="bytes")) + 0.8 * len(sample.places(evidence="hash"))
    check_review(ran["04_review_duplicates"], groups)
    check_plan(ran["05_plan_savings"], groups)
    check_search(ran["06_search"], sample)


def check_map(figures: dict[str, Any], sample: SampleWorkspace, groups: pl.DataFrame) -> None:
    """Every picture is on the map, and selected is that from whose files most can be freed."""
    assert figures["pictures"] == len(contents(sample))
    assert figures["without_vector"] == 0
    freed = groups.group_by("digest").agg(pl.col("frees_bytes").sum()).filter(pl.col("frees_bytes") > 0)
    largest = freed.sort("frees_bytes", descending=True).head(12)
    assert figures["selection"]["pictures"] == largest.height > 0
    assert figures["selection"]["reclaimable_bytes"] == largest["frees_bytes"].sum()
    assert figures["notes"] == []


def check_thresholds(figures: dict[str, Any], groups: pl.DataFrame) -> None:
    """The thresholds find what the groups hold."""
    removable = groups.filter(~groups["is_keeper"])
    now = figures["now"]
    assert now["objects"] == removable["object_id"].n_unique()
    assert now["groups"] == groups["group_id"].n_unique()
    assert now["realisable_bytes"] == removable["frees_bytes"].sum()


def check_review(ran: Executed, groups: pl.DataFrame) -> None:
    """The groups of the command are reviewed, and looking at them says nothing of them."""
    figures = ran.figures
    assert figures["groups"] == groups["group_id"].n_unique()
    assert figures["realisable_bytes"] == groups["frees_bytes"].sum()
    assert figures["decisions"] == figures["labels"] == 0


def check_plan(ran: Executed, groups: pl.DataFrame) -> None:
    """No location is opened: nothing is saved, and what would be is equal bytes and pixels, with what opens the way."""
    figures = ran.figures
    facts = groups.filter(pl.col("tier").is_in(["bytes", "pixels"]), ~pl.col("is_keeper"), pl.col("frees_bytes") > 0)
    assert figures["plan_id"] == ""
    assert figures["objects"] == facts["object_id"].n_unique() > 0
    assert set(figures["closed"]) == set(LOCATIONS)
    assert "--option permissions=change" in ran.text
    assert "No plan was saved, so there is nothing to rehearse." in ran.text


def check_search(ran: Executed, sample: SampleWorkspace) -> None:
    """By words what lies in the folder of that name, by picture among all pictures."""
    named = {place for place in sample.places() if "photos" in place[1].split("/") and sample.truth[place]["source_id"]}
    assert ran.figures["objects"] >= len(named) > 0
    assert ran.figures["compared"] == len(contents(sample))


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_poor_workspaces_end_well_and_say_what_to_do(
    execute_together: Together, empty: Path, failures_only: Path, one_picture: Path
) -> None:
    poor = {
        "empty": (empty, "add_location(name, folder)"),
        "failures": (failures_only, "2 files found, 0 of them analysed (0 %)"),
        "one": (one_picture, "1 file found, 1 of them analysed (100 %)"),
    }
    runs = {f"{kind} {name}": (name, {"workspace": str(poor[kind][0])}) for kind in poor for name in NOTEBOOKS}
    for called, ran in execute_together(runs).items():
        kind = called.split()[0]
        assert poor[kind][1] in ran.text, called
        assert no_copies(ran.figures, of_pictures=kind != "one"), called


@pytest.mark.parametrize("name", in_turn(NOTEBOOKS, 2))
def test_a_workspace_that_is_not_there_is_one_line(execute: Runner, tmp_path: Path, name: str) -> None:
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="is no workspace") as caught:
        execute(name, workspace=str(tmp_path / "nowhere"))
    assert len(caught.value.traceback) == 1


def contents(sample: SampleWorkspace) -> set[str]:
    """Digests of the pictures in the library, as its truth and its bytes have them."""
    return {
        hashlib.sha256((sample.library / location / path).read_bytes()).hexdigest()
        for (location, path), row in sample.truth.items()
        if row["source_id"] and row["expected"] != "skipped"
    }


def no_copies(figures: dict[str, Any], *, of_pictures: bool) -> bool:
    """Whether every count of what could be freed is nought, and `of_pictures` that of pictures too."""
    told = [figures, *(item for item in figures.values() if isinstance(item, dict))]
    named = ["groups", "objects", "realisable_bytes", "reclaimable_bytes", *(["pictures"] if of_pictures else [])]
    return not any(item[name] for item in told for name in named if name in item)
