"""`kill -9` at any moment of indexing or matching: the next run ends with the catalog of an undisturbed one."""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from copied_pictures import CopiedPictures

from deeplens_kit.pipeline import Workspace, index, match

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


_MATCH = """
import sys
from deeplens_kit.pipeline import Workspace, match, pair_work
pair_work._PART_PAIRS = 16  # so that a short run keeps more than one piece
with Workspace.open(sys.argv[1]) as workspace:
    print("ready", flush=True)
    match(workspace, workers=2)
"""


def _digest(workspace_dir: Path) -> str:
    with Workspace.open(workspace_dir) as workspace:
        return workspace.content_digest()


def _make(directory: Path, pictures: Path) -> None:
    with Workspace.create(directory) as workspace:
        workspace.ledger.add_location("many", str(pictures), {})


def _start(directory: Path, script: str = _RUN) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        assert stdout.readline() == "ready\n"
    return process


def _parts(directory: Path) -> list[Path]:
    """What is kept of pairs that were looked at in a run that did not end, and what it was writing."""
    return list((directory / "cache" / "verdicts").rglob("*.parquet"))


def _keeps_some(directory: Path) -> bool:
    return any(not path.name.startswith(".") for path in _parts(directory))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment_the_next_run_ends_with_the_same_catalog(tmp_path: Path, noise_pictures) -> None:
    pictures = noise_pictures(40)
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
            # One in each part of the run, so that few kills are not all of runs that have ended.
            process.wait(timeout=0.9 * whole_seconds * (number + moments.random()) / KILLS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        with Workspace.open(directory) as workspace:
            index(workspace)
        assert _digest(directory) == expected, f"kill number {number}"
    assert killed >= KILLS // 2, "most runs must have been killed while they worked"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_while_pairs_are_looked_at_the_next_run_goes_on_and_ends_the_same(
    tmp_path: Path, copied_pictures: CopiedPictures
) -> None:
    indexed = copied_pictures.indexed
    reference = tmp_path / "undisturbed"
    shutil.copytree(indexed, reference)
    began = time.monotonic()
    assert _start(reference, _MATCH).wait() == 0
    whole_seconds = time.monotonic() - began
    expected = _digest(reference)

    moments = random.Random(20261124)
    killed = resumed = 0
    kills = max(4, KILLS // 2)
    for number in range(kills):
        directory = tmp_path / f"killed-{number}"
        shutil.copytree(indexed, directory)
        process = _start(directory, _MATCH)
        # The first once a part of its pairs is kept, the others one in each part of the run.
        after = math.inf if number == 0 else 0.9 * whole_seconds * (number - 1 + moments.random()) / (kills - 1)
        moment = time.monotonic() + after
        while process.poll() is None and time.monotonic() < moment:
            if number == 0 and _keeps_some(directory):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        with Workspace.open(directory) as workspace:
            report = match(workspace)
            resumed += report is not None and report.reused > 0
        assert _digest(directory) == expected, f"kill number {number}"
        assert not _parts(directory)
    assert killed >= 2, "most runs must have been killed while they worked"
    assert resumed, "some runs must have been killed when a part of their pairs was looked at"
