"""`kill -9` at any moment of an index run: the next run ends with the catalog of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeplens_kit.pipeline import Workspace, index

KILLS = int(os.environ.get("DEEPLENS_KILLS", "20"))

_RUN = """
import sys
from dataclasses import replace
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.settings import FeatureSettings, IndexSettings
with Workspace.open(sys.argv[1]) as workspace:
    workspace.settings = replace(
        workspace.settings,
        index=IndexSettings(workers=2, commit_pictures=5),
        features=FeatureSettings(batch_size=4),
    )
    print("ready", flush=True)
    index(workspace)
"""


def _digest(workspace_dir: Path) -> str:
    with Workspace.open(workspace_dir) as workspace:
        return workspace.content_digest()


def _make(directory: Path, pictures: Path) -> None:
    with Workspace.create(directory) as workspace:
        workspace.ledger.add_location("many", str(pictures), {})


def _start(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        assert stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment_the_next_run_ends_with_the_same_catalog(tmp_path: Path, noise_pictures) -> None:
    pictures = noise_pictures(60)
    # Two copies and a broken file, so that pairs and failures are part of what must be the same.
    (pictures / "copy.jpg").write_bytes(next(pictures.rglob("1.jpg")).read_bytes())
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    reference = tmp_path / "undisturbed"
    _make(reference, pictures)
    began = time.monotonic()
    process = _start(reference)
    assert process.wait() == 0
    whole_seconds = time.monotonic() - began
    expected = _digest(reference)

    moments = random.Random(20261123)
    killed = 0
    for number in range(KILLS):
        directory = tmp_path / f"killed-{number}"
        _make(directory, pictures)
        process = _start(directory)
        try:
            process.wait(timeout=moments.uniform(0.0, 0.9 * whole_seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        with Workspace.open(directory) as workspace:
            index(workspace)
        assert _digest(directory) == expected, f"kill number {number}"
    assert killed >= KILLS // 2, "most runs must have been killed while they worked"
