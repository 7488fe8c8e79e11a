"""Keep policies at the command line: what there is, what a file says, what it would change, and what is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_process import Deeplens

ARCHIVE = {"name": "archive first", "criteria": ["age"], "protected_locations": ["archive"]}


@pytest.fixture
def on(indexed: Path, tmp_path: Path) -> tuple[object, ...]:
    """The options that name a copy of the indexed workspace."""
    return ("--workspace", shutil.copytree(indexed, tmp_path / "copied"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "archive.json"
    file.write_text(json.dumps(ARCHIVE))
    return file


def test_policies_are_listed_shown_and_checked(deeplens: Deeplens, on: tuple[object, ...], archive: Path) -> None:
    rows = deeplens(*on, "policy", "list", "--json").json["rows"]
    assert [row["policy"] for row in rows if row["in_use"]] == ["default"]
    shown = deeplens(*on, "policy", "show", "oldest").out
    assert "1  resolution: more pixels that carry detail" in shown
    assert json.loads(shown[shown.index("{") :])["name"] == "oldest"
    checked = deeplens(*on, "policy", "check", archive)
    assert "what lies at archive" in checked.out
    archive.write_text(json.dumps(ARCHIVE | {"protected_locations": ["archiv"]}))
    refused = deeplens(*on, "policy", "check", archive)
    assert refused.code == 2
    assert "did you mean 'archive'?" in refused.err
    # What could not be put in use is no good policy either.
    for name, said in (("default", "give yours another name"), ("a/b", "cannot name a file")):
        archive.write_text(json.dumps(ARCHIVE | {"name": name}))
        for word in ("check", "use"):
            refused = deeplens(*on, "policy", word, archive)
            assert refused.code == 2 and said in refused.err


def test_a_policy_is_compared_asked_by_and_used(deeplens: Deeplens, on: tuple[object, ...], archive: Path) -> None:
    usual = deeplens(*on, "duplicates", "--json").json
    assert any(row["location"] == "archive" for row in usual["rows"] if not row["is_keeper"])
    asked = deeplens(*on, "duplicates", "--policy", archive, "--json").json
    assert asked["summary"]["policy"] == "archive first"
    assert not any(row["location"] == "archive" for row in asked["rows"] if not row["is_keeper"])
    assert "the keep policy protects it" in {row["reason"] for row in asked["withheld"]}
    compared = deeplens(*on, "policy", "compare", archive, "--json").json["summary"]
    assert compared["realisable_bytes_before"] == usual["summary"]["realisable_bytes"]
    assert compared["realisable_bytes"] == asked["summary"]["realisable_bytes"]
    assert "With archive first" in deeplens(*on, "policy", "compare", archive).out
    assert deeplens(*on, "policy", "use", archive).code == 0
    used = deeplens(*on, "duplicates", "--json").json
    assert used["rows"] == asked["rows"]
    assert any("archive first" in note for note in used["summary"]["notes"])
    group_id = used["rows"][0]["group_id"]
    told = deeplens(*on, "explain", group_id)
    assert "it tells nothing that the keeper does not" in told.out or "it alone tells" in told.out
    assert deeplens(*on, "explain", group_id, "--json").json["summary"]["policy"] == "archive first"
