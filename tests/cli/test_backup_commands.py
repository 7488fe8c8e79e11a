"""Backups by command: made, listed, proved, restored."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import Deeplens

from tests.examples import IN_FULL


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_backup_is_made_listed_proved_and_restored(deeplens: Deeplens, tmp_path: Path) -> None:
    own, place = tmp_path / "workspace", tmp_path / "backups"
    deeplens("init", own)
    deeplens("--workspace", own, "collections", "add", "sea")
    made = deeplens("--workspace", own, "backup", place)
    assert made.code == 0 and made.out.startswith("Backup 2")
    again = deeplens("--workspace", own, "backup", "make", place, "--json").json
    listed = deeplens("backup", "list", place, "--json").json["rows"]
    assert [row["backup"] for row in listed] == [again["summary"]["backup"], made.out.split()[1].rstrip(":")]
    assert "2 backups." in deeplens("backup", "list", place).out
    assert " is whole: " in deeplens("backup", "verify", place, "--name", listed[1]["backup"]).out
    asked = deeplens("--workspace", own, "backup", "prune", place, "--keep", 1)
    assert (asked.code, "give --yes" in asked.err) == (2, True)
    assert "Nothing to remove" in deeplens("--workspace", own, "backup", "prune", place, "--keep", 2).out
    done = deeplens("restore", place, "--to", tmp_path / "restored", "--name", listed[1]["backup"])
    assert done.code == 0 and "Its audit trail holds, all 1 line of it." in done.out
    assert "sea" in deeplens("--workspace", tmp_path / "restored", "collections").out
    refused = deeplens("restore", place, "--to", tmp_path / "restored")
    assert refused.code == 3 and "is not empty" in refused.err
    pruned = deeplens("--workspace", own, "backup", "prune", place, "--keep", 1, "--yes", "--json").json
    assert pruned["summary"]["removed"] == 1 and pruned["summary"]["freed_bytes"] > 0
    assert [row["backup"] for row in deeplens("backup", "list", place, "--json").json["rows"]] == [listed[0]["backup"]]
    assert " is whole: " in deeplens("backup", "verify", place).out
    # A damaged one is none of those that stay, and the last that is whole never goes.
    damaged = deeplens("--workspace", own, "backup", place, "--json").json["summary"]["backup"]
    manifests = {name: (place / "backups" / f"{name}.json").read_text() for name in (damaged, listed[0]["backup"])}
    own_piece = next(
        file
        for file in sorted((place / "pieces").rglob("*"))
        if file.name in manifests[damaged] and file.name not in manifests[listed[0]["backup"]]
    )
    own_piece.write_bytes(b"rotten")
    kept = deeplens("--workspace", own, "backup", "prune", place, "--keep", 1, "--yes", "--json").json
    assert [row["outcome"] for row in kept["rows"]] == ["kept", "damaged"]
    refused = deeplens("--workspace", own, "backup", "prune", place, "--keep", 2, "--yes")
    assert refused.code != 0 and "so none is removed" in refused.err


def test_a_backup_never_lies_among_pictures_or_in_the_workspace(deeplens: Deeplens, tmp_path: Path) -> None:
    own, pictures = tmp_path / "workspace", tmp_path / "pictures"
    pictures.mkdir()
    deeplens("init", own)
    deeplens("--workspace", own, "locations", "add", "pics", pictures)
    for place in (pictures / "backups", (pictures / "backups").as_uri(), own / "catalog" / "backups"):
        done = deeplens("--workspace", own, "backup", place)
        assert done.code == 2, done.err
    assert list(pictures.iterdir()) == []
    assert "Usage" in deeplens("backup").out
    assert deeplens("backup", "list", tmp_path / "none").code == 4
    assert "'--to'" in deeplens("restore", tmp_path / "none").err
