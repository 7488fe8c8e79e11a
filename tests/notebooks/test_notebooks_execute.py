"""Each notebook runs as papermill runs it, and its figures are those of the ground truth."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import NOTEBOOKS, Runner
from examples import IN_FULL, in_turn
from sample_workspace import SampleWorkspace

from data.make_sample_library import LOCATIONS
from deeplens_kit.cli import main
from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import Workspace, add_location, list_groups

pytestmark = pytest.mark.slow

# Each run starts a kernel. Where examples are to be few, half of the notebooks see one poor workspace, half the other.
_EMPTY, _FAILING = (NOTEBOOKS, NOTEBOOKS) if IN_FULL else (NOTEBOOKS[::2], NOTEBOOKS[1::2])


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


def test_every_picture_is_on_the_map_and_the_selection_is_what_can_be_freed(
    execute: Runner, sample: SampleWorkspace
) -> None:
    figures = execute("02_explore_clusters", workspace=str(sample.workspace)).figures
    assert figures["pictures"] == len(contents(sample))
    assert figures["without_vector"] == 0
    with Workspace.open(sample.workspace) as workspace:
        groups = list_groups(workspace).groups
    freed = groups.group_by("digest").agg(pl.col("frees_bytes").sum()).filter(pl.col("frees_bytes") > 0)
    largest = freed.sort("frees_bytes", descending=True).head(12)
    assert figures["selection"]["pictures"] == largest.height > 0
    assert figures["selection"]["reclaimable_bytes"] == largest["frees_bytes"].sum()
    assert figures["notes"] == []


@pytest.mark.parametrize("bounds", in_turn([{}, {"likelihood_min": 0.999, "page_likelihood_min": 0.999}], 1))
def test_thresholds_find_what_the_groups_hold(execute: Runner, sample: SampleWorkspace, bounds: dict[str, int]) -> None:
    figures = execute("03_tune_thresholds", workspace=str(sample.workspace), **bounds).figures
    with Workspace.open(sample.workspace) as workspace:
        groups = list_groups(workspace, rule=Thresholds(**bounds).rule()).groups
    removable = groups.filter(~groups["is_keeper"])
    now = figures["now"]
    assert now["objects"] == removable["object_id"].n_unique()
    assert now["groups"] == groups["group_id"].n_unique()
    assert now["realisable_bytes"] == removable["frees_bytes"].sum()
    # Never fewer than equal bytes show, never more than there are copies.
    assert len(sample.places(evidence="bytes")) <= now["objects"] <= len(sample.places(expected="copy"))
    assert (figures["now"] == figures["strict"]) == (not bounds)
    if not bounds:
        shown = len(sample.places(evidence="bytes")) + 0.8 * len(sample.places(evidence="hash"))
        assert now["objects"] >= shown


def test_the_report_says_what_the_command_says(
    execute: Runner, sample: SampleWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = execute("04_savings_report", workspace=str(sample.workspace), out="monday.html")
    assert main(["--workspace", str(sample.workspace), "savings", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert ran.figures == said["summary"]
    page = (ran.folder / "monday.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert json.loads((ran.folder / "monday.json").read_text(encoding="utf-8"))["rows"] == said["rows"]
    assert "monday.html" in ran.text


@pytest.mark.parametrize("name", _EMPTY)
def test_an_empty_workspace_ends_well_and_says_what_to_do(execute: Runner, empty: Path, name: str) -> None:
    ran = execute(name, workspace=str(empty))
    assert "add_location(name, folder)" in ran.text
    assert no_copies(ran.figures)


@pytest.mark.parametrize("name", in_turn(_FAILING, 0))
def test_a_workspace_with_failures_only_ends_well(execute: Runner, failures_only: Path, name: str) -> None:
    ran = execute(name, workspace=str(failures_only))
    assert "2 files found, 0 of them analysed (0 %)" in ran.text
    assert no_copies(ran.figures)


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


def no_copies(figures: dict[str, Any]) -> bool:
    """Whether every count of what could be freed is nought."""
    told = [figures, *(item for item in figures.values() if isinstance(item, dict))]
    named = ("pictures", "groups", "objects", "realisable_bytes", "reclaimable_bytes")
    counts = [item[name] for item in told for name in named if name in item]
    return bool(counts) and not any(counts)
