"""Locations are added by whole path, checked, and refused with one line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cli_process import Deeplens, in_process

from deeplens_kit.cli.tables import display_url
from deeplens_kit.pipeline import Workspace


@pytest.fixture
def workspace(deeplens: Deeplens, tmp_path: Path) -> Path:
    deeplens("init", tmp_path / "w")
    return tmp_path / "w"


def test_a_relative_folder_is_kept_with_its_whole_path(
    deeplens: Deeplens, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my pictures #1").mkdir()
    monkeypatch.chdir(tmp_path)
    added = deeplens("--workspace", workspace, "locations", "add", "pics", "./my pictures #1")
    assert added.code == 0, added.err
    assert str(tmp_path / "my pictures #1") in added.out
    monkeypatch.chdir("/")
    listed = deeplens("--workspace", workspace, "locations", "list")
    assert str(tmp_path / "my pictures #1") in listed.out
    checked = deeplens("--workspace", workspace, "locations", "check", "--json")
    assert [row["state"] for row in checked.json["rows"]] == ["ok"]


def test_options(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    words = ("--option", "exclude=*.tmp", "--option", "exclude=cache/**", "--option", "hidden=true")
    assert deeplens("--workspace", workspace, "locations", "add", "pics", tmp_path, *words).code == 0
    (row,) = deeplens("--workspace", workspace, "locations", "list", "--json").json["rows"]
    assert row["options"] == '{"exclude": ["*.tmp", "cache/**"], "hidden": true}'
    for bad, says in (("exclude", "KEY=VALUE"), ("=x", "KEY=VALUE"), ("hiden=true", "hidden"), ("hidden=7", "true")):
        done = deeplens("--workspace", workspace, "locations", "add", "more", tmp_path, "--option", bad)
        assert done.code == 2
        assert says in done.err
        assert done.err.count("\n") == 1


def test_a_missing_folder_is_refused_unless_told_otherwise(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    words = ("--workspace", workspace, "locations", "add", "gone", tmp_path / "gone")
    done = deeplens(*words)
    assert done.code == 4
    assert done.err.count("\n") == 1
    assert deeplens("--workspace", workspace, "locations", "list", "--json").json["rows"] == []
    assert deeplens(*words, "--anyway").code == 0
    checked = deeplens("--workspace", workspace, "locations", "check", "--json")
    assert checked.code == 4
    assert checked.json["summary"] == {"locations": 1, "unusable": 1}
    assert "gone" in checked.err
    indexed = deeplens("--workspace", workspace, "index")
    assert (indexed.code, indexed.out) == (4, "")
    assert indexed.err.splitlines()[-1].startswith("deeplens: Location 'gone'")


def test_names_are_unique_and_suggested(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    assert deeplens("--workspace", workspace, "locations", "add", "pics", tmp_path).code == 0
    assert deeplens("--workspace", workspace, "locations", "add", "pics", "/").code == 2
    done = deeplens("--workspace", workspace, "index", "pcis")
    assert done.code == 2
    assert "did you mean 'pics'?" in done.err


def test_an_undecodable_folder(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    done = in_process("--workspace", workspace, "locations", "add", "odd", folder, PYTHONUTF8="1")
    assert done.code == 0, done.err
    assert r"caf\xe9" in done.out
    assert deeplens("--workspace", workspace, "locations", "check").code == 0


def test_urls_as_people_name_them() -> None:
    assert display_url("file:///data/my%20pictures") == "/data/my pictures"
    assert display_url("file:///caf%E9") == r"/caf\xe9"
    assert display_url("s3://bucket/x%20y") == "s3://bucket/x%20y"


def test_init_refuses_a_workspace_and_a_folder_it_cannot_make(
    deeplens: Deeplens, workspace: Path, tmp_path: Path
) -> None:
    done = deeplens("init", workspace)
    assert done.code == 3
    assert "already" in done.err
    (tmp_path / "file").write_text("")
    done = deeplens("init", tmp_path / "file" / "w")
    assert done.code == 3
    assert done.err.count("\n") == 1


def test_init_says_what_comes_next_and_where_things_are(deeplens: Deeplens, tmp_path: Path) -> None:
    folder = tmp_path / "a workspace"
    assert f"export DEEPLENS_WORKSPACE='{folder}'" in deeplens("init", folder).out
    row = deeplens("init", tmp_path / "b", "--json", "--cache-dir", tmp_path / "elsewhere").json["rows"][0]
    assert row["workspace"] == str(tmp_path / "b")
    assert row["cache_dir"] == str(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere").is_dir()


def test_upgrade_of_what_is_up_to_date(deeplens: Deeplens, workspace: Path) -> None:
    done = deeplens("--workspace", workspace, "upgrade", "--json")
    assert done.json["summary"]["steps"] == 0
    assert Path(done.json["summary"]["backup_dir"]).is_dir()
    assert "up to date" in deeplens("--workspace", workspace, "upgrade").out


def test_a_deactivated_location_is_kept_and_left_out(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert deeplens("--workspace", workspace, "locations", "add", "pics", folder).code == 0
    done = deeplens("--workspace", workspace, "locations", "deactivate", "pics", "--json")
    assert done.json["rows"][0]["active"] is False
    assert "locations activate pics" in deeplens("--workspace", workspace, "locations", "deactivate", "pics").out
    assert "deactivated" in deeplens("--workspace", workspace, "locations", "list").out
    indexed = deeplens("--workspace", workspace, "index")
    assert indexed.code == 0
    assert "Every location is deactivated" in indexed.out
    assert "Deactivated, so in no group: pics." in deeplens("--workspace", workspace, "status").out
    assert (
        deeplens("--workspace", workspace, "locations", "activate", "pics", "--json").json["rows"][0]["active"] is True
    )
    assert len(deeplens("--workspace", workspace, "index", "--json").json["rows"]) == 1
    unknown = deeplens("--workspace", workspace, "locations", "deactivate", "pcis")
    assert unknown.code == 2
    assert "did you mean 'pics'?" in unknown.err


def test_a_location_is_renamed(deeplens: Deeplens, workspace: Path, tmp_path: Path) -> None:
    before = deeplens("--workspace", workspace, "locations", "add", "pics", tmp_path, "--json").json["rows"][0]
    after = deeplens("--workspace", workspace, "locations", "rename", "pics", "photos", "--json").json["rows"][0]
    assert after == before | {"location": "photos"}
    assert deeplens("--workspace", workspace, "locations", "rename", "pics", "other").code == 2
    assert deeplens("--workspace", workspace, "locations", "rename", "photos", "a/b").code == 2


def test_postgresql_without_its_driver_names_the_extra(
    deeplens: Deeplens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = deeplens("init", tmp_path / "team", "--ledger-url", "postgresql+psycopg://anna@localhost:1/deeplens")
    assert done.code == 2
    assert "postgres" in done.err
    assert done.err.count("\n") == 1


def test_the_kinds_and_their_options_are_printed(deeplens: Deeplens) -> None:
    told = deeplens("locations", "kinds")
    assert (told.code, told.err) == (0, "")
    for kind in ("s3", "az", "gs", "smb", "sftp", "ftp", "webdav", "postgresql", "sqlite", "zip", "tar", "nfs", "file"):
        assert f"\n{kind} " in told.out, kind
    options = deeplens("locations", "kinds", "s3", "--json").json["rows"]
    secret = {row["option"] for row in options if row["secret"]}
    assert {"secret_key", "session_token"} <= secret
    assert "did you mean 'sftp'" in deeplens("locations", "kinds", "sfpt").err


def test_options_are_changed_one_by_one_and_the_change_is_in_the_audit_trail(
    deeplens: Deeplens, workspace: Path, tmp_path: Path
) -> None:
    on = ("--workspace", workspace)
    words = ("--option", "exclude=*.tmp", "--inactive")
    assert deeplens(*on, "locations", "add", "pics", tmp_path, *words).code == 0
    done = deeplens(*on, "locations", "set", "pics", "--option", "permissions=create", "--option", "redundancy=2")
    assert done.code == 0, done.err
    (row,) = deeplens(*on, "locations", "list", "--json").json["rows"]
    assert json.loads(row["options"]) == {"exclude": ["*.tmp"], "permissions": "create", "redundancy": 2}
    assert not row["active"]
    assert deeplens(*on, "locations", "set", "pics", "--default", "exclude", "--default", "redundancy").code == 0
    (row,) = deeplens(*on, "locations", "list", "--json").json["rows"]
    assert json.loads(row["options"]) == {"permissions": "create"}
    for bad, says in (("permissions=wirte", "one of: read"), ("permisions=read", "did you mean 'permissions'")):
        refused = deeplens(*on, "locations", "set", "pics", "--option", bad)
        assert (refused.code, says in refused.err) == (2, True)
    assert deeplens(*on, "locations", "set", "pics", "--default", "excludes").code == 2
    with Workspace.open(workspace) as opened:
        changes = [entry for entry in opened.ledger.audit_trail() if entry.action == "location.options"]
    assert [entry.details["changed"] for entry in changes] == [["permissions", "redundancy"], ["exclude", "redundancy"]]
    assert changes[0].details["permissions"] == "create"


def test_an_estimate_reads_nothing_and_a_budget_is_size_or_money(
    deeplens: Deeplens, workspace: Path, tmp_path: Path
) -> None:
    on = ("--workspace", workspace)
    folder = tmp_path / "pics"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"not a picture")
    deeplens(*on, "locations", "add", "pics", folder)
    told = deeplens(*on, "index", "--estimate")
    assert told.code == 0, told.err
    assert "1 file would be read, 0 B of them over networks; nothing was read." in told.out
    (row,) = deeplens(*on, "index", "--estimate", "--json").json["rows"]
    assert (row["to_read"], row["read_bytes"], row["money"]) == (1, 13, None)
    assert "give one of them" in deeplens(*on, "index", "--estimate", "--budget", "1GB").err
    assert "10GB, or money such as 5EUR" in deeplens(*on, "index", "--budget", "much").err
    assert deeplens(*on, "index", "--budget", "1kB").code == 0
    folder.rename(tmp_path / "elsewhere")
    gone = deeplens(*on, "index", "--estimate")
    assert (gone.code, "1 of 1 locations cannot be listed: pics" in gone.err) == (4, True)
    assert "cannot be listed" in gone.out
