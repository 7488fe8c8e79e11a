"""What an answer says of its own limits: locations that failed, runs that died, what was left out, old pairs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from cli_process import Deeplens, command, environment

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline import Workspace

Library = tuple[Path, dict[str, Path]]


@pytest.fixture
def hashed(library: Library, deeplens: Deeplens) -> Library:
    """Two locations in a workspace that computes hashes only; not indexed yet."""
    workspace, places = library
    with (workspace / "workspace.toml").open("a") as stream:
        stream.write('[features]\nenabled = ["phash", "pdq", "clarity"]\n')
    for name, place in places.items():
        assert deeplens("--workspace", workspace, "locations", "add", name, place).code == 0
    return workspace, places


def test_one_bad_location_does_not_hide_the_other(deeplens: Deeplens, hashed: Library) -> None:
    workspace, places = hashed
    away = places["archive"].rename(places["archive"].with_name("away"))
    done = deeplens("--workspace", workspace, "index")
    assert done.code == 4
    assert "shop" in done.out
    assert "Next:" not in done.out
    assert done.err.splitlines()[-1].startswith("deeplens: Location 'archive'")
    again = deeplens("--workspace", workspace, "index", "--json")
    assert again.code == 4
    assert [row["location"] for row in again.json["rows"]] == ["shop"]
    assert again.json["summary"]["error"]["code"] == "location_unavailable"
    assert again.json["summary"]["matched"] is True
    for words in (("pairs",), ("duplicates",), ("savings",)):
        answer = deeplens("--workspace", workspace, *words, "--json")
        assert "The last run at archive failed" in answer.err
        assert answer.json["summary"]["current"] is True
        assert any("archive" in note for note in answer.json["summary"]["notes"])
    away.rename(places["archive"])
    assert deeplens("--workspace", workspace, "index").code == 0
    assert deeplens("--workspace", workspace, "duplicates").err == ""


def test_an_emptied_location_is_taken_at_its_word_only_when_asked(deeplens: Deeplens, hashed: Library) -> None:
    workspace, places = hashed
    assert deeplens("--workspace", workspace, "index").code == 0
    shutil.rmtree(places["shop"])
    places["shop"].mkdir()
    refused = deeplens("--workspace", workspace, "index", "shop")
    assert refused.code == 4
    assert "--accept-gone" in refused.err
    done = deeplens("--workspace", workspace, "index", "shop", "--accept-gone", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"][0]["gone"] == 8
    assert "No files were found" in deeplens("--workspace", workspace, "index", "shop", "--accept-gone").out


def test_failed_files_are_read_again_when_asked(deeplens: Deeplens, hashed: Library) -> None:
    workspace, _ = hashed
    deeplens("--workspace", workspace, "index")
    assert deeplens("--workspace", workspace, "index", "--json").json["summary"]["read_files"] == 0
    again = deeplens("--workspace", workspace, "index", "--retry-failed", "--json").json["summary"]
    # Of the three that failed one is empty, so there is nothing to read.
    assert (again["failures"], again["read_files"]) == (3, 2)


def test_old_pairs_are_said_to_be_old(deeplens: Deeplens, hashed: Library) -> None:
    workspace, _ = hashed
    deeplens("--workspace", workspace, "index", "--no-match")
    for words in (("pairs",), ("duplicates",), ("savings",)):
        answer = deeplens("--workspace", workspace, *words, "--json")
        assert answer.json["summary"]["current"] is False
        assert "run `deeplens index`" in answer.err


def test_status_names_what_was_left_out(deeplens: Deeplens, hashed: Library) -> None:
    workspace, places = hashed
    (places["shop"] / ".hidden.jpg").write_bytes(b"")
    (places["shop"] / ".trash").mkdir()
    (places["shop"] / "link.jpg").symlink_to("cat-small.jpg")
    indexed = deeplens("--workspace", workspace, "index")
    assert "Left out: 2 hidden, 1 symbolic link." in indexed.out
    assert "Left out: 2 hidden, 1 symbolic link." in deeplens("--workspace", workspace, "status").out
    assert "shop:.trash/ (hidden)" in deeplens("status", "--verbose", "--workspace", workspace).out
    summary = deeplens("--workspace", workspace, "status", "--json").json["summary"]
    assert summary["left_out"] == {"hidden": 2, "symlink": 1}
    assert {"location": "shop", "path": ".trash/", "reason": "hidden"} in summary["left_out_folders"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc, to see whether a process lives")
def test_a_killed_run_is_shown_as_interrupted(deeplens: Deeplens, hashed: Library) -> None:
    """The ledger says "running" until somebody asks whether the process is there."""
    workspace, _ = hashed
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from deeplens_kit.pipeline import Workspace\n"
        "workspace = Workspace.open(Path(sys.argv[1]))\n"
        "with workspace.ledger.leased_run('index', workspace.ledger.location('shop'), {}):\n"
        "    print('started', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    words = [command()[0], "-c", code, str(workspace)]
    with subprocess.Popen(words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        live = {row["location"]: row["last_run"] for row in _status(deeplens, workspace)}
        assert live == {"archive": None, "shop": "running"}
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Workspace.open(workspace) as opened:
        assert [str(run.state) for run in opened.ledger.runs()] == ["running"]
    dead = {row["location"]: row["last_run"] for row in _status(deeplens, workspace)}
    assert dead["shop"] == "interrupted"
    assert "was interrupted" in deeplens("--workspace", workspace, "status").out


def _status(deeplens: Deeplens, workspace: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = deeplens("--workspace", workspace, "status", "--json").json["rows"]
    return rows


def test_status_warns_of_conflicting_packages(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("faiss-cpu", "faiss-gpu"):
        folder = tmp_path / "site" / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    done = deeplens("--workspace", indexed, "status")
    assert done.code == 0
    assert "Warning: Conflicting packages" in done.out
    assert "faiss-cpu and faiss-gpu" in done.out
    refused = deeplens("--workspace", indexed, "index")
    assert refused.code == SettingsError.exit_code


def test_a_deactivated_location_is_in_no_share_and_no_group(deeplens: Deeplens, hashed: Library) -> None:
    workspace, _ = hashed
    deeplens("--workspace", workspace, "index")
    assert deeplens("--workspace", workspace, "duplicates", "--json").json["summary"]["found_objects"] == 12
    deeplens("--workspace", workspace, "locations", "deactivate", "shop")
    document = deeplens("--workspace", workspace, "duplicates", "--json").json
    assert {row["location"] for row in document["rows"]} == {"archive"}
    assert document["summary"]["found_objects"] == document["summary"]["analysed_objects"] == 4
    assert deeplens("--workspace", workspace, "savings", "--json").json["summary"]["found_objects"] == 4


def test_init_says_that_it_takes_over_old_stores(deeplens: Deeplens, hashed: Library) -> None:
    workspace, _ = hashed
    (workspace / "workspace.toml").unlink()
    done = deeplens("init", workspace)
    assert done.code == 0
    assert "were there already, with 2 locations" in done.out
