"""A disk that fills up while indexing: one clear line, nothing lost, and the next run goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deeplens_kit
from deeplens_kit.pipeline import Workspace, add_location, index
from tests.examples import IN_FULL

_SCRIPT = """
mount -t tmpfs -o size=200m none "$PLACE" || exit 99
export DEEPLENS_WORKSPACE="$PLACE/workspace"
"$PYTHON" -c "$MAKE" || exit 98
used=$(df -k --output=used "$PLACE" | tail -n 1)
mount -o remount,size=$((used + 100))k "$PLACE" || exit 94
"$PYTHON" -m deeplens_kit.cli index >/dev/null 2>"$FULL"; echo "full $?"
mount -o remount,size=200m "$PLACE" || exit 96
"$PYTHON" -m deeplens_kit.cli index >/dev/null || exit 95
"$PYTHON" -m deeplens_kit.cli catalog digest
"""
_MAKE = """
import os
from deeplens_kit.pipeline import Workspace, add_location
with Workspace.create(os.environ["DEEPLENS_WORKSPACE"]) as workspace:
    add_location(workspace, "many", os.environ["PICTURES"])
"""


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@pytest.mark.skipif(not _may_mount(), reason="no user namespaces here: cannot make a disk that is full")
def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(tmp_path: Path, noise_pictures) -> None:
    pictures = noise_pictures(30)
    (tmp_path / "small disk").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DEEPLENS_WORKSPACE"},
        "PLACE": str(tmp_path / "small disk"),
        "PICTURES": str(pictures),
        "PYTHON": sys.executable,
        "MAKE": _MAKE,
        "FULL": str(tmp_path / "said.txt"),
        "PYTHONPATH": str(Path(deeplens_kit.__file__).parents[1]),
    }
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", _SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, digest = done.stdout.split("\n", 1)
    assert first == "full 3"
    said = [line for line in (tmp_path / "said.txt").read_text().splitlines() if line.startswith("deeplens:")]
    assert len(said) == 1
    assert "full" in said[0] or "space" in said[0]
    assert "Traceback" not in (tmp_path / "said.txt").read_text()

    with Workspace.create(tmp_path / "undisturbed") as undisturbed:
        add_location(undisturbed, "many", str(pictures))
        index(undisturbed)
        assert undisturbed.content_digest() == digest.strip()
