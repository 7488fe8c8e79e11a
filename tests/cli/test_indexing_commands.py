"""Indexing from the command line: counts, a second run that reads nothing, progress, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import skimage.data
from cli_process import Deeplens, command, environment, in_process
from PIL import Image

from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.pipeline import ProgressSnapshot
from deeplens_kit.views.index_progress import PlainProgress

Library = tuple[Path, dict[str, Path]]

# Seconds until a process that does not answer is given up; it answers within one.
_PATIENCE_SECONDS = 60


def test_two_commands_from_pictures_to_duplicates(deeplens: Deeplens, library: Library) -> None:
    workspace, places = library
    for name, place in places.items():
        assert deeplens("--workspace", workspace, "locations", "add", name, place).code == 0
    done = deeplens("--workspace", workspace, "index")
    assert done.code == 0
    assert re.search(r"^archive +4 +4 +0 +0 +0", done.out, re.MULTILINE)
    assert "3 files read in this run could not be analysed" in done.out
    assert "deeplens failures" in done.out
    assert re.search(r"^\d+ pairs looked at closely\.$", done.out, re.MULTILINE)
    again = deeplens("--workspace", workspace, "index", "--json")
    assert again.json["summary"]["read_files"] == 0
    assert again.json["summary"]["pairs"] is None
    assert {row["location"]: row["unchanged"] for row in again.json["rows"]} == {"archive": 4, "shop": 8}
    assert "0 files read (0 B)" in deeplens("--workspace", workspace, "index").out
    assert deeplens("--workspace", workspace, "duplicates", "--json").json["summary"]["groups"] > 0


def test_where_no_location_can_be_used_the_table_does_not_say_that_there_is_none(
    deeplens: Deeplens, library: Library
) -> None:
    workspace, places = library
    for name, place in places.items():
        assert deeplens("--workspace", workspace, "locations", "add", name, place).code == 0
        place.rename(place.with_name(f"{name} is elsewhere"))
    done = deeplens("--workspace", workspace, "index")
    assert done.code == 4 and "No location could be indexed; the errors say why." in done.out
    assert "locations add" not in done.out


def test_pairs_that_time_did_not_allow_are_told_and_looked_at_by_the_next_run(
    deeplens: Deeplens, library: Library
) -> None:
    workspace, places = library
    for name, place in places.items():
        assert deeplens("--workspace", workspace, "locations", "add", name, place).code == 0
    settings = workspace / "workspace.toml"
    unlimited = settings.read_text(encoding="utf-8")
    settings.write_text(unlimited + "\n[match]\nverification_seconds = 0.000001\n", encoding="utf-8")
    done = deeplens("--workspace", workspace, "index", "--json")
    pairs = done.json["summary"]["pairs"]
    assert pairs["unverified"] == pairs["pending"] > 0
    assert (
        f"{pairs['pending']} pairs are still to be looked at: index again"
        in deeplens("--workspace", workspace, "index").out
    )
    settings.write_text(unlimited, encoding="utf-8")
    done = deeplens("--workspace", workspace, "index")
    assert f"{pairs['pending']} pairs looked at closely" in done.out
    assert "still to be looked at" not in done.out


def test_without_matching_the_answer_says_that_it_is_old(deeplens: Deeplens, library: Library) -> None:
    workspace, places = library
    deeplens("--workspace", workspace, "locations", "add", "shop", places["shop"])
    done = deeplens("--workspace", workspace, "index", "--no-match", "--workers", 1)
    assert "without --no-match" in done.out
    duplicates = deeplens("--workspace", workspace, "duplicates", "--json")
    assert duplicates.json["summary"]["current"] is False
    assert "run `deeplens index`" in duplicates.err


def test_json_alone_is_on_standard_output(indexed: Path) -> None:
    """With JSON log lines too: standard output is one document, standard error one object per line."""
    done = in_process("--workspace", indexed, "--log-format", "json", "index", "--json", DEEPLENS_CORRELATION_ID="c-1")
    assert done.code == 0
    assert json.loads(done.out)["summary"]["read_files"] == 0
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert lines
    assert {line["correlation_id"] for line in lines} == {"c-1"}


def test_plain_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = PlainProgress(clock=lambda: now[0])

    def tell(done: int, total: int | None = 1000, left: float | None = 20.0, failures: int = 0) -> str:
        progress.update(ProgressSnapshot("a\nb", "index", done, total, 0, 50.0, left, failures))
        return capsys.readouterr().err

    assert tell(1) == ""
    now[0] = 5.0
    assert tell(250, failures=2) == "a\\nb: reading: 250 of 1,000, 50/s, 20 s left, 2 failures\n"
    now[0] = 9.9
    assert tell(400) == ""
    now[0] = 10.0
    assert tell(1000, left=0.0) == "a\\nb: reading: 1,000 of 1,000, 50/s\n"
    now[0] = 15.0
    assert tell(7, total=None, left=None) == "a\\nb: reading: 7, 50/s\n"


def test_the_first_signal_stops_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stop_on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second signal did nothing")
    assert signal.getsignal(signal.SIGINT) is before


def test_the_third_signal_leaves_at_once() -> None:
    code = (
        "import signal\n"
        "from deeplens_kit.cli.stopping import stop_on_signals\n"
        "with stop_on_signals():\n"
        "    for _ in range(3):\n"
        "        try:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "        except KeyboardInterrupt:\n"
        "            pass\n"
        "print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")


def test_ctrl_c_on_a_terminal_keeps_the_work(deeplens: Deeplens, tmp_path: Path) -> None:
    """A bar with counts; Ctrl-C commits and ends with 130; the next run reads only what is left."""
    count, folder, workspace = 150, tmp_path / "many", tmp_path / "w"
    folder.mkdir()
    cat = tmp_path / "cat.jpg"
    Image.fromarray(skimage.data.chelsea()).resize((1800, 1200)).save(cat, quality=60)
    for number in range(count):
        # Bytes behind the end of the picture make it another file with other content.
        (folder / f"{number:03}.jpg").write_bytes(cat.read_bytes() + number.to_bytes(4, "big"))
    deeplens("init", workspace)
    with (workspace / "workspace.toml").open("a") as stream:
        stream.write('[features]\nenabled = ["phash"]\n[index]\nworkers = 1\ncommit_pictures = 10\n')
    assert deeplens("--workspace", workspace, "locations", "add", "many", folder).code == 0

    seen, code = _interrupted_on_terminal(command("--workspace", workspace, "index"), rb"[1-9]\d* of 150")
    assert code == 130
    assert b"reading" in seen
    assert b"Stopping" in seen
    assert b"Traceback" not in seen
    kept = deeplens("--workspace", workspace, "status", "--json").json["summary"]["analysed_objects"]
    assert 0 < kept < count
    # What is found of it is not the question here: all of these are copies of each other.
    rest = deeplens("--workspace", workspace, "index", "--no-match", "--json").json["summary"]
    assert rest["read_files"] == count - kept
    assert rest["unchanged"] == kept


def _interrupted_on_terminal(words: list[str], until: bytes) -> tuple[bytes, int]:
    """Run on a terminal of its own, press Ctrl-C when `until` was shown, give all that was shown and the code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        words, env=environment(COLUMNS="160", TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen, pressed, deadline = b"", False, time.monotonic() + _PATIENCE_SECONDS
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                seen += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not pressed and re.search(until, re.sub(rb"\x1b\[[0-9;]*m", b"", seen)):
                process.send_signal(signal.SIGINT)
                pressed = True
        return seen, process.wait(_PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
