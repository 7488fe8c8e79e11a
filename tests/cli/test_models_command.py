"""Models at the command line: the list, getting one, and whether it is right here."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli_process import Deeplens

from deeplens_kit.features.canonical_vectors import CANONICAL


@pytest.fixture
def own(deeplens: Deeplens, tmp_path: Path) -> Path:
    """A workspace with a folder of models in which one descriptor lacks its file and another is wrong."""
    workspace = tmp_path / "own"
    assert deeplens("init", workspace).code == 0
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine.toml").write_text('kind = "onnx"\nfile = "m.onnx"\ninput_px = 8\ndimensions = 5\nlicence = "CC0"\n')
    (folder / "wrong.toml").write_text('kind = "onnx"\nfil = "m.onnx"\n')
    with (workspace / "workspace.toml").open("a") as stream:
        stream.write(f'[features]\nmodel_dir = "{folder}"\nenabled = ["phash", "sscd_small", "mine"]\n')
    return workspace


def test_the_list_needs_no_workspace_and_says_what_each_is_for(deeplens: Deeplens, tmp_path: Path) -> None:
    answer = deeplens("models", "list", "--json").json
    rows = {row["name"]: row for row in answer["rows"]}
    assert rows["sscd_small"] == rows["sscd_small"] | {
        "purposes": "copy",
        "kind": "onnx",
        "installed": True,
        "reason": "",
        "enabled": True,
        "dimensions": 512,
        "size_bytes": 3_514_854,
        "custom": False,
        "files": "sscd_small.onnx",
    }
    assert (rows["colour"]["purposes"], rows["colour"]["enabled"], rows["colour"]["size_bytes"]) == (
        "likeness",
        False,
        0,
    )
    assert all(row["licence"] and row["source"] for row in rows.values())
    done = deeplens("models", "list", "--csv", tmp_path / "models.csv")
    assert done.code == 0
    with (tmp_path / "models.csv").open(newline="") as stream:
        assert [row["name"] for row in csv.DictReader(stream)] == list(rows)
    shown = deeplens("models", "list").out
    assert "sscd_torch: sscd_disc_mixup.torchscript.pt is not there: run `deeplens models pull sscd_torch`" in shown


def test_own_models_are_listed_with_what_they_lack(deeplens: Deeplens, own: Path) -> None:
    done = deeplens("--workspace", own, "models", "list", "--json")
    row = done.json["rows"][-1]
    assert (row["name"], row["custom"], row["enabled"], row["installed"]) == ("mine", True, True, False)
    assert row["licence"] == "CC0"
    assert "key in" in done.json["summary"]["broken"]["wrong"]
    shown = deeplens("--workspace", own, "models", "list").out
    assert "mine: m.onnx is not there: place it in " in shown
    assert "wrong: no model: There is no key in" in shown and "did you mean 'file'?" in shown


def test_pull_says_what_is_there_and_what_comes_with_a_package(
    deeplens: Deeplens, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = deeplens("models", "pull", "sscd_small", "--json")
    assert (done.code, done.json["summary"]) == (0, {"installed": True})
    assert done.json["rows"][0]["sha256"].startswith("240436cc")
    assert "needs no file" in deeplens("models", "pull", "edges").out
    missing = deeplens("--workspace", own, "models", "pull", "mine")
    assert (missing.code, missing.out) == (6, "")
    assert missing.err == f"deeplens: Model 'mine': m.onnx is not there: place it in {str(tmp_path / 'models')!r}.\n"
    unknown = deeplens("models", "pull", "sscd_smal")
    assert unknown.code == 2 and "did you mean 'sscd_small'?" in unknown.err


def test_check_ends_with_0_where_all_is_right_and_with_6_where_it_is_not(
    deeplens: Deeplens, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = deeplens("models", "check", "colour", "--json")
    assert right.code == 0
    (row,) = right.json["rows"]
    assert (row["name"], row["right"], row["compared"], row["dimensions"]) == ("colour", True, True, 294)
    assert row["pictures_per_second"] > 0
    assert "1 of 1 model right." in deeplens("models", "check", "colour").out

    canonical = CANONICAL["colour"]
    monkeypatch.setitem(CANONICAL, "colour", replace(canonical, sums=canonical.sums[::-1]))
    wrong = deeplens("models", "check", "colour")
    assert wrong.code == 6
    assert "0 of 1 model right." in wrong.out
    assert wrong.err.startswith("deeplens: Model 'colour' (by rule) is not right here: sums over the vector")

    absent = deeplens("--workspace", own, "models", "check", "mine")
    assert (absent.code, absent.out) == (6, "")
    assert absent.err.startswith("deeplens: Model 'mine' is not installed: m.onnx is not there")


def test_without_a_name_what_is_installed_is_checked(deeplens: Deeplens, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the models with weights none, so that this takes no time.
    for module in ("onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, module, None)
    done = deeplens("models", "check", "--json")
    assert done.code == 0
    assert [row["name"] for row in done.json["rows"]] == ["colour", "dominant_colours", "edges"]
    assert done.json["summary"] == {"right": 3, "failed": []}
