"""`deeplens watch`: a new file is seen as it comes, told of and notified; what cannot be used is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_process import Deeplens, command, environment
from PIL import Image
from web_hook import Hook

from deeplens_kit.pipeline.folder_events import NoEvents

_PATIENCE_SECONDS = 60


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path, deeplens: Deeplens) -> tuple[Path, Path]:
    """A workspace over one small picture, not indexed yet; and the folder."""
    folder, workspace = tmp_path / "pictures", tmp_path / "workspace"
    folder.mkdir()
    Image.linear_gradient("L").resize((160, 120)).save(folder / "known.jpg", quality=90)
    assert deeplens("init", workspace).code == 0
    with (workspace / "workspace.toml").open("a", encoding="utf-8") as settings:
        # Hashes find all that these tests ask for, and a decoder takes a second to start.
        settings.write('\n[features]\nenabled = ["phash", "pdq"]\n\n[index]\nworkers = 1\n')
    assert deeplens("--workspace", workspace, "locations", "add", "pics", folder).code == 0
    return workspace, folder


def test_a_new_file_is_seen_by_its_event_told_and_notified(small: tuple[Path, Path], hook: Hook) -> None:
    pytest.importorskip("watchfiles")
    workspace, folder = small
    words = command(
        "--workspace", workspace, "watch", "--json-lines", "--every", "1d",
        "--notify", f"{hook.url}?secret=${{HOOK_SECRET}}", "--notify-after", "0s",
    )  # fmt: skip
    with subprocess.Popen(
        words,
        env=environment(HOOK_SECRET="kept-to-ourselves"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            lines = _events(process)
            started = _until(lines, "started")
            assert (started["locations"], started["followed"]) == (["pics"], ["pics"])
            first = _until(lines, "round")
            assert (first["new_files"], first["duplicates"]) == (1, 0)
            (folder / "new.jpg").write_bytes((folder / "known.jpg").read_bytes())
            duplicate = _until(lines, "duplicate")
            assert (duplicate["path"], duplicate["known_path"], duplicate["tier"]) == ("new.jpg", "known.jpg", "bytes")
            second = _until(lines, "round")
            assert (second["number"], second["by_tier"]) == (2, {"bytes": 1})
            notice = _until(lines, "notice")
            assert (notice["sent"], notice["target"]) == (True, "http://127.0.0.1")
            process.send_signal(signal.SIGTERM)
            assert _until(lines, "stopped")
            assert process.wait(_PATIENCE_SECONDS) == 0
            said = process.stderr.read()
        finally:
            process.kill()
    assert "kept-to-ourselves" not in said
    ((_, headers, body),) = hook.posted
    assert headers["DeepLens-Signature"].startswith("sha256=")
    told = json.loads(body)
    assert told["id"] == notice["notice_id"]
    assert [item["event_id"] for item in told["listed"]] == [duplicate["event_id"]]


def test_one_round_for_people_and_what_goes_wrong_is_its_end(
    small: tuple[Path, Path], deeplens: Deeplens, hook: Hook
) -> None:
    workspace, folder = small
    done = deeplens("--workspace", workspace, "watch", "--once")
    assert done.code == 0
    assert "Watching pics every 15 min 00 s." in done.out
    assert "pics: 1 new, 1 file read" in done.out
    (folder / "new.jpg").write_bytes((folder / "known.jpg").read_bytes())
    hook.answers = [400]
    done = deeplens("--workspace", workspace, "watch", "--once", "--notify", hook.url)
    size = (folder / "new.jpg").stat().st_size
    assert (
        f"  pics:new.jpg repeats pics:known.jpg (byte for byte the same; the new one could go, {size / 1000:.2f} kB)"
        in done.out
    )
    assert "1 new picture is a copy of known ones" in done.out
    assert "Could not tell http://127.0.0.1 of 1 copy" in done.out
    assert "it is kept, and the next `deeplens watch` with this address tries again" in done.out
    assert (done.code, "1 message could not be delivered" in done.err) == (1, True)
    done = deeplens("--workspace", workspace, "watch", "--once", "--notify", hook.url)
    assert (done.code, "Told http://127.0.0.1 of 1 copy." in done.out) == (0, True), "the next one sends what was left"
    assert json.loads(hook.posted[0][2])["id"] == json.loads(hook.posted[1][2])["id"]
    folder.rename(folder.with_name("away"))
    done = deeplens("--workspace", workspace, "watch", "--once", "pics")
    assert done.code == 4
    assert "does not exist; connect its disk or share" in done.err


def test_what_is_not_allowed_is_said_at_once(small: tuple[Path, Path], deeplens: Deeplens) -> None:
    for words, message in (
        ("--every 5", "--every is '5'; it must be a duration such as 90s, 15m, 2h or 1d, from 1s to a year"),
        ("--every 0s", "from 1s"),
        ("--notify-after soon", "from 0s"),
        ("--notify ftp://host/", "begins with 'ftp'"),
        ("pic", "did you mean 'pics'"),
    ):
        done = deeplens("--workspace", small[0], "watch", *words.split())
        assert done.code == 2, words
        assert message in done.err
    settings = small[0] / "workspace.toml"
    text = settings.read_text(encoding="utf-8")
    for line, message in {
        "interval_seconds = 0.1": "'watch.interval_seconds' is 0.1; it must be at least 1.0",
        'notify = ["smtp://a:b@host/?to=c@d.example&from=c@d.example"]': "a password in clear",
    }.items():
        settings.write_text(f"{text}\n[watch]\n{line}\n", encoding="utf-8")
        done = deeplens("--workspace", small[0], "watch", "--once")
        assert done.code == 2, line
        assert message in done.err


def test_without_the_extra_the_clock_stands_in_unless_events_were_asked_for(
    small: tuple[Path, Path], deeplens: Deeplens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    wanted = deeplens("--workspace", small[0], "watch", "--events")
    assert wanted.code == 6
    assert "needs the extra 'watch'" in wanted.err
    small[1].rename(small[1].with_name("away"))

    def stop_after_the_first_round(self: NoEvents, seconds: float, stop: threading.Event) -> set[str]:
        stop.set()
        return set()

    monkeypatch.setattr(NoEvents, "wait", stop_after_the_first_round)
    done = deeplens("--workspace", small[0], "watch")
    assert done.code == 0
    assert "needs the extra 'watch'" in done.err
    assert "looked at by the clock only" in done.err
    assert "Tried again in 30 s." in done.out
    assert done.out.endswith("Stopped.\n")


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def _until(lines: Iterator[dict[str, Any]], event: str) -> dict[str, Any]:
    return next(line for line in lines if line["event"] == event)
