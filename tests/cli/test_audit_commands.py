"""The audit trail and legal holds by command."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from cli_process import Deeplens


def test_the_trail_is_listed_proved_and_found_broken(deeplens: Deeplens, tmp_path: Path) -> None:
    own = tmp_path / "workspace"
    deeplens("init", own)
    assert deeplens("--workspace", own, "audit").out.startswith("No such line")
    deeplens("--workspace", own, "collections", "add", "sea")
    deeplens("--workspace", own, "collections", "add", "land")
    head = deeplens("--workspace", own, "audit", "head").out.strip()
    deeplens("--workspace", own, "rules", "save", "archive", "--likelihood-min", "0.99")
    listed = deeplens("--workspace", own, "audit", "--json").json
    assert [(row["line"], row["action"]) for row in listed["rows"]] == [
        (3, "rule.saved"), (2, "collection.added"), (1, "collection.added"),
    ]  # fmt: skip
    assert listed["rows"][1]["digest"] == head
    text = deeplens("--workspace", own, "audit", "--action", "collection", "--since", "1h", "--limit", "1").out
    assert "collection.added" in text and "land" in text and "sea" not in text and text.endswith("1 line.\n")
    assert deeplens("--workspace", own, "audit", "--since", "2020-01-01", "--who", "eve@x").out.startswith("No such")
    assert "--since is 'soon'" in deeplens("--workspace", own, "audit", "--since", "soon").err
    assert "--since is 'xd'" in deeplens("--workspace", own, "audit", "--since", "xd").err

    said = deeplens("--workspace", own, "audit", "verify", "--head", head)
    assert said.code == 0 and said.out.startswith("Every line holds: 3 of the audit trail, 0 of journals.\n")
    assert deeplens("--workspace", own, "audit", "verify", "--head", "x").code == 2
    assert deeplens("--workspace", own, "audit", "verify", "--head", "0" * 63 + "1").code == 9
    with closing(sqlite3.connect(own / "ledger.sqlite")) as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET who = 'eve@x' WHERE sequence = 2")
        connection.commit()
    broken = deeplens("--workspace", own, "audit", "verify")
    assert broken.code == 9 and "Line 2 of the audit trail does not hold" in broken.err


def test_a_hold_is_added_listed_and_released(deeplens: Deeplens, tmp_path: Path) -> None:
    own = tmp_path / "workspace"
    deeplens("init", own)
    (tmp_path / "pics").mkdir()
    deeplens("--workspace", own, "locations", "add", "pics", tmp_path / "pics")
    assert "`deeplens holds add" in deeplens("--workspace", own, "holds", "list").out
    assert "must say what it covers" in deeplens("--workspace", own, "holds", "add", "--why", "case 7").err
    made = deeplens("--workspace", own, "holds", "add", "--location", "pics", "--glob", "2019/**", "--why", "case 7")
    assert made.code == 0 and "location pics, paths 2019/** stays as it is" in made.out
    (row,) = deeplens("--workspace", own, "holds", "list", "--json").json["rows"]
    assert (row["location"], row["glob"], row["why"], row["released_at"]) == ("pics", "2019/**", "case 7", None)
    assert "Released" in deeplens("--workspace", own, "holds", "release", row["hold_id"]).out
    assert "No holds" in deeplens("--workspace", own, "holds", "list").out
    assert row["hold_id"] in deeplens("--workspace", own, "holds", "list", "--released").out
    assert deeplens("--workspace", own, "holds", "release", "none").code == 2
