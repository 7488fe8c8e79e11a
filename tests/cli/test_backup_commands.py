"""Backups by command: made, listed, proved, restored."""

from __future__ import annotations

from pathlib import Path

from cli_process import Deeplens


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
    done = deeplens("restore", place, "--to", tmp_path / "restored", "--name", listed[1]["backup"])
    assert done.code == 0 and "Its audit trail holds, all 1 line of it." in done.out
    assert "sea" in deeplens("--workspace", tmp_path / "restored", "collections").out
    refused = deeplens("restore", place, "--to", tmp_path / "restored")
    assert refused.code == 3 and "is not empty" in refused.err


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
