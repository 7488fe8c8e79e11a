"""`deeplens ingest`, `tag` and `collections`: rows, messages and exit codes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_process import Deeplens
from PIL import Image
from skimage import data

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.ledger import Ledger
from deeplens_kit.settings import WORKSPACE_FILE

_HASHES = '\n[features]\nenabled = ["clarity", "phash", "pdq"]\n'


@pytest.fixture
def workspace(tmp_path: Path, deeplens: Deeplens) -> Path:
    """A workspace with the location `lib`, opened for creating, that knows hashes alone; and a picture beside it."""
    folder = tmp_path / "workspace"
    assert deeplens("init", folder).code == 0
    with (folder / WORKSPACE_FILE).open("a") as file:
        file.write(_HASHES)
    (tmp_path / "lib").mkdir()
    added = deeplens(
        "--workspace", folder, "locations", "add", "lib", tmp_path / "lib", "--option", "permissions=create"
    )
    assert added.code == 0, added.err
    Image.fromarray(data.coffee()).resize((240, 160)).save(tmp_path / "cup.jpg", quality=90)
    Image.fromarray(data.coffee()).resize((200, 133)).save(tmp_path / "small.webp", quality=80)
    (tmp_path / "notes.jpg").write_text("no picture")
    return folder


def test_a_batch_is_told_row_by_row(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    given = [tmp_path / name for name in ("cup.jpg", "notes.jpg", "small.webp")]
    done = deeplens("--workspace", workspace, "ingest", *given, "--to", "lib", "--json", "--collection", "cups")
    assert done.code == 1
    assert "1 of 3 items could not be taken in" in done.err
    answer = done.json
    assert [row["state"] for row in answer["rows"]] == ["stored", "refused", "stored"]
    assert answer["summary"] == {
        "stored": 2, "known": 0, "refused": 1, "failed": 0, "location": "lib", "not_begun": 0,
    }  # fmt: skip
    first, _, last = answer["rows"]
    assert first["path"].startswith("cups/20")
    assert (tmp_path / "lib" / first["path"]).read_bytes() == given[0].read_bytes()
    assert (last["tier"], last["matches"]) == ("copy", 1)
    (match,) = answer["matches"]
    assert (match["path"], match["match_digest"], match["digest"]) == (first["path"], first["digest"], last["digest"])
    # Once more, as a table: what is there already is no failure.
    done = deeplens("--workspace", workspace, "ingest", given[0], given[2], "--to", "lib")
    assert done.code == 0, done.err
    assert f"You have this picture already: lib:{first['path']} (bytes)" in done.out
    assert done.out.splitlines()[-1] == "2 items: 2 known."


def test_what_was_stored_before_it_ended_is_told(
    deeplens: Deeplens, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Ledger.annotate

    def once(self: Ledger, *words: Any, **named: Any) -> Any:
        monkeypatch.setattr(Ledger, "annotate", refuse)
        return said(self, *words, **named)

    def refuse(*_: object, **__: object) -> None:
        raise WorkspaceError("Cannot write to the ledger: connection lost.")

    monkeypatch.setattr(Ledger, "annotate", once)
    given = [tmp_path / name for name in ("cup.jpg", "small.webp", "notes.jpg")]
    done = deeplens("--workspace", workspace, "ingest", *given, "--to", "lib", "--tag", "red", "--json")
    assert (done.code, "connection lost" in done.err) == (3, True)
    assert [(row["state"], row["indexed"]) for row in done.json["rows"]] == [("stored", True), ("stored", False)]
    assert all((tmp_path / "lib" / row["path"]).is_file() for row in done.json["rows"])
    assert (done.json["summary"]["not_begun"], done.json["summary"]["error"]["code"]) == (1, "workspace")


def test_what_comes_through_a_pipe(
    deeplens: Deeplens, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "cup.jpg").read_bytes())))
    words = ["ingest", "-", "--to", "lib", "--name", "Espresso.png", "--template", "{name}.{ext}", "--csv", "-"]
    done = deeplens("--workspace", workspace, *words)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].startswith("-,stored,,,lib,Espresso.jpg,")
    assert deeplens("--workspace", workspace, "ingest", "-", "-", "--to", "lib").code == 2


def test_tags_and_collections(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    assert "No collections yet" in deeplens("--workspace", workspace, "collections").out
    words = ["--to", "lib", "--template", "{name}.{ext}", "--tag", "red", "--description", "in the morning"]
    assert deeplens("--workspace", workspace, "ingest", tmp_path / "cup.jpg", *words).code == 0
    done = deeplens(
        "--workspace", workspace, "tag", "lib:cup.jpg", "--collection", "cups", "--tag", "blue", "--remove-tag", "red"
    )
    assert done.code == 0, done.err
    shown = deeplens("--workspace", workspace, "tag", "lib:cup.jpg")
    assert shown.out.splitlines()[:4] == [
        "lib:cup.jpg",
        "  collection: cups",
        "  tags: blue",
        "  description: in the morning",
    ]
    (row,) = deeplens("--workspace", workspace, "tag", "lib:cup.jpg", "--json").json["rows"]
    assert (row["collection"], row["tags"], row["category"]) == ("cups", "blue", "")
    (row,) = deeplens("--workspace", workspace, "collections", "--json").json["rows"]
    assert (row["collection"], row["pictures"]) == ("cups", 1)
    assert deeplens("--workspace", workspace, "tag", "lib:none.jpg", "--tag", "x").code == 2
    added = deeplens("--workspace", workspace, "collections", "add", "zoo", "--description", "animals")
    assert (added.code, added.out.splitlines()[-1].startswith("Added the collection zoo.")) == (0, True), added.err
    rows = deeplens("--workspace", workspace, "collections", "--json").json["rows"]
    assert [(row["collection"], row["description"], row["pictures"]) for row in rows] == [
        ("cups", "", 1),
        ("zoo", "animals", 0),
    ]
    again = deeplens("--workspace", workspace, "collections", "add", "zoo")
    assert (again.code, "a collection named 'zoo' already" in again.err) == (2, True)


def test_what_cannot_begin_says_why(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    cup = tmp_path / "cup.jpg"
    done = deeplens("--workspace", workspace, "ingest", cup, "--to", "lib", "--template", "{hash}.{ext}")
    assert (done.code, "field of a template named 'hash'" in done.err) == (2, True)
    (tmp_path / "closed").mkdir()
    assert deeplens("--workspace", workspace, "locations", "add", "closed", tmp_path / "closed").code == 0
    done = deeplens("--workspace", workspace, "ingest", cup, "--to", "closed")
    assert (done.code, "takes no new files" in done.err) == (4, True)
    with (workspace / WORKSPACE_FILE).open("a") as file:
        file.write('\n[ingest]\nscanner = "clamd:relative"\n')
    done = deeplens("--workspace", workspace, "status")
    assert (done.code, "'ingest.scanner' is 'clamd:relative'" in done.err) == (2, True)
