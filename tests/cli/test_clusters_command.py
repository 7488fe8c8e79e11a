"""`deeplens clusters`: a table, JSON and CSV of clusters and of the pictures of one; words where there are none."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from cli_process import Deeplens
from series_workspace import EACH, SERIES, make_series
from shared_folder import shared_folder


@pytest.fixture
def series(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = shared_folder(tmp_path_factory, "clustered-series", make_series)
    shutil.copytree(made / "workspace", tmp_path / "series")
    return tmp_path / "series"


def test_the_table_names_sizes_words_and_the_picture_most_like_all(deeplens: Deeplens, series: Path) -> None:
    done = deeplens("--workspace", series, "clusters")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split()[:5] == ["cluster", "different", "pictures", "files", "size"]
    assert lines[1].split()[:4] == ["1", str(EACH), str(EACH + 8), str(EACH + 8)]
    assert all(any(name.split()[0] in line for line in lines[1:4]) for name in SERIES)
    assert "pics:meadow/" in lines[1]
    assert lines[4].startswith("3 clusters by colour, with 29 of 33 pictures; 4 in none.")
    assert "no size here is a saving" in lines[5]


def test_json_and_csv_hold_exact_values(deeplens: Deeplens, series: Path) -> None:
    answer = deeplens("--workspace", series, "clusters", "--json").json
    assert answer["command"] == "clusters"
    assert [row["cluster"] for row in answer["rows"]] == [1, 2, 3]
    assert answer["rows"][0]["words"] == ["meadow"]
    summary = answer["summary"]
    assert (summary["clusters"], summary["feature"], summary["least"]) == (3, "colour", 5)
    assert (summary["pictures"], summary["in_clusters"], summary["in_none"]) == (33, 29, 4)
    rows = list(csv.DictReader(io.StringIO(deeplens("--workspace", series, "clusters", "--csv", "-").out)))
    assert [int(row["bytes"]) for row in rows] == [row["bytes"] for row in answer["rows"]]
    # A cell holds the words as one text.
    assert {"deep, sea", "sea, deep"} & {row["words"] for row in rows}


def test_one_cluster_shows_its_pictures(deeplens: Deeplens, series: Path) -> None:
    done = deeplens("--workspace", series, "clusters", "show", 1)
    assert done.code == 0
    lines = done.out.splitlines()
    assert len([line for line in lines if "copy of pics:meadow/0.png" in line]) == 8
    assert len([line for line in lines if "most like all of it" in line]) == 1
    assert f"Cluster 1: {EACH} different pictures, {EACH + 8} pictures with copies" in done.out
    answer = deeplens("--workspace", series, "clusters", "show", 2, "--limit", 3, "--json").json
    assert len(answer["rows"]) == 3
    assert {row["cluster"] for row in answer["rows"]} == {2}
    assert answer["summary"]["cluster"]["different"] == EACH
    # What was given to the list holds for what is shown of it.
    assert deeplens("--workspace", series, "clusters", "--least", 9, "show", 1).code == 2


def test_where_there_are_none_it_says_why(deeplens: Deeplens, series: Path, related: Path, tmp_path: Path) -> None:
    none = deeplens("--workspace", related, "clusters", "--least", 2).out
    assert none.startswith("No clusters by ") and "2 different pictures" in none and "--least" not in none
    done = deeplens("--workspace", series, "clusters", "--least", 9)
    assert done.code == 0
    assert done.out.startswith("No clusters by colour: nowhere lie 9 different pictures close together. --least takes")
    done = deeplens("--workspace", series, "clusters", "--feature", "sscd")
    assert "No picture has a vector of sscd yet" in done.out
    done = deeplens("--workspace", series, "clusters", "show", 4)
    assert done.code == 2
    assert done.err.splitlines()[-1] == "deeplens: There is no cluster 4; they are numbered from 1 to 3."
    done = deeplens("--workspace", series, "clusters", "--feature", "colours")
    assert done.code == 2
    assert "did you mean 'colour'" in done.err
    assert deeplens("init", tmp_path / "new").code == 0
    assert "No locations" in deeplens("--workspace", tmp_path / "new", "clusters").out
