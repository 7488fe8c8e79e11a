"""An answer never lands on a picture, a store, or a file of another kind; names and matches are told apart."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
import skimage.data
from cli_process import Deeplens
from PIL import Image


@pytest.fixture
def pictures(indexed: Path) -> Path:
    return indexed.parent / "pictures"


@pytest.mark.parametrize("option", ["--csv", "--html"])
def test_pictures_and_stores_are_never_written_over(
    deeplens: Deeplens, indexed: Path, pictures: Path, tmp_path: Path, option: str
) -> None:
    ending = option.removeprefix("--")
    link, twin = tmp_path / f"link.{ending}", tmp_path / "twin"
    link.symlink_to(indexed / "ledger.sqlite")
    twin.symlink_to(pictures / "archive")
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    precious = [
        pictures / "archive" / "cup.png",
        pictures / "archive" / f"new.{ending}",
        twin / "2023" / f"new.{ending}",
        indexed / "ledger.sqlite",
        indexed / "workspace.toml",
        indexed / "catalog" / f"new.{ending}",
        indexed / "cache" / f"new.{ending}",
        link,
        notes,
    ]
    before = {path: path.read_bytes() for path in precious if path.exists()}
    assert len(before) == 5
    for path in precious:
        done = deeplens("--workspace", indexed, "duplicates", option, path)
        assert (done.code, done.out) == (2, ""), path
        assert done.err.startswith("deeplens: Cannot write")
        assert done.err.count("\n") == 1
        assert path.exists() is (path in before)
    assert {path: path.read_bytes() for path in before} == before


def test_every_command_refuses_to_write_into_a_location(deeplens: Deeplens, indexed: Path, pictures: Path) -> None:
    target = pictures / "shop" / "answer.csv"
    for words in (("pairs",), ("savings",), ("status",), ("failures",), ("index",), ("locations", "list"),
                  ("locations", "check"), ("catalog", "digest")):  # fmt: skip
        done = deeplens("--workspace", indexed, *words, "--csv", target)
        assert (done.code, done.out) == (2, ""), words
        assert "inside the location 'shop'" in done.err
    assert not target.exists()


def test_an_answer_of_before_is_replaced(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    for name, option in (("old.CSV", "--csv"), ("old.htm", "--html"), ("old.html", "--html")):
        (tmp_path / name).write_text("old")
        assert deeplens("--workspace", indexed, "duplicates", option, tmp_path / name).code == 0
        assert (tmp_path / name).read_text(encoding="utf-8") != "old"


def test_csv_to_standard_output(deeplens: Deeplens, indexed: Path) -> None:
    done = deeplens("--workspace", indexed, "failures", "--csv", "-")
    assert {row["path"] for row in csv.DictReader(io.StringIO(done.out))} == {"broken.jpg", "empty.jpg", "notes.txt"}
    assert not Path("-").exists()
    both = deeplens("--workspace", indexed, "failures", "--csv", "-", "--json")
    assert (both.code, both.out) == (2, "")
    assert deeplens("--workspace", indexed, "duplicates", "--html", "-").code == 2


def test_two_files_are_told_apart_whatever_their_names(deeplens: Deeplens, tmp_path: Path) -> None:
    folder, workspace = tmp_path / "names", tmp_path / "w"
    folder.mkdir()
    Image.fromarray(skimage.data.coffee()).save(folder / "a.png")
    data = (folder / "a.png").read_bytes()
    for name in (b"u\xff.png", b"u\\xff.png"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
    deeplens("init", workspace)
    deeplens("--workspace", workspace, "locations", "add", "names", folder)
    assert deeplens("--workspace", workspace, "index").code == 0
    rows = deeplens("--workspace", workspace, "duplicates", "--json").json["rows"]
    assert sorted(row["path"] for row in rows) == ["a.png", "u\\\\xff.png", "u\\xff.png"]
    assert len({row["object_id"] for row in rows}) == 3
    assert all("/" in row["object_id"] for row in rows)
    pairs = deeplens("--workspace", workspace, "pairs", "--json").json["rows"]
    assert {row["object_id_a"] for row in pairs} | {row["object_id_b"] for row in pairs} == {
        row["object_id"] for row in rows
    }


def test_withheld_matches_are_rows_with_their_keepers(deeplens: Deeplens, tmp_path: Path) -> None:
    folder, workspace = tmp_path / "pictures", tmp_path / "w"
    folder.mkdir()
    image = Image.fromarray(skimage.data.chelsea())
    image.save(folder / "large.jpg", quality=60)
    image.convert("RGBA").resize((300, 200)).save(folder / "transparent.png")
    faded = image.convert("RGBA").resize((300, 200))
    faded.putalpha(180)
    faded.save(folder / "transparent.png")
    deeplens("init", workspace)
    deeplens("--workspace", workspace, "locations", "add", "pics", folder)
    assert deeplens("--workspace", workspace, "index").code == 0
    document = deeplens("--workspace", workspace, "duplicates", "--json").json
    assert document["summary"]["withheld"] == len(document["withheld"]) == 1
    (row,) = document["withheld"]
    assert {row["path"], row["keeper_path"]} == {"large.jpg", "transparent.png"}
    assert row["reason"]
    only = deeplens("--workspace", workspace, "duplicates", "--withheld", "--json")
    assert only.json["rows"] == [row]
    shown = deeplens("--workspace", workspace, "duplicates", "--withheld").out
    assert f"pics:{row['keeper_path']}" in shown
    assert row["reason"] in shown
