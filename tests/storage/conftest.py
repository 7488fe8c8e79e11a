"""What the tests of storage share: locations over real folders, and a process that permission bits bind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.storage.local import LocalLocation

Runner = Callable[[str, Path], Any]

_PROJECT = Path(__file__).parents[2]
_CHILD = """
import json, os, resource, sys
from deeplens_kit.errors import DeepLensError
from deeplens_kit.storage.local import LocalLocation
root, unprivileged = sys.argv[1:]
location = LocalLocation("L", "pics", root, {})
LocalLocation("L", "warm", os.path.dirname(os.__file__) + "/json", {}).list()  # every module is loaded by now
if unprivileged == "drop":
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


@pytest.fixture
def location(tmp_path: Path) -> Callable[..., LocalLocation]:
    """Open a location over the test's folder, with options."""

    def opened(root: Path = tmp_path, **options: object) -> LocalLocation:
        return LocalLocation("L", "pics", str(root), options)

    return opened


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder whose parents every user may enter, as those of tmp_path are not."""
    folder = Path(tempfile.mkdtemp(prefix="deeplens-test-"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink() and path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def mount() -> Iterator[Callable[[Path], None]]:
    """Make a folder at which a disk of one MiB is mounted."""
    made: list[Path] = []

    def mount_at(folder: Path) -> None:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("this process may not mount: it needs root and CAP_SYS_ADMIN")
        made.append(folder)

    yield mount_at
    for folder in made:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.fixture
def bound_by_permissions() -> Runner:
    """Run statements on `location` where permission bits count (root gives its rights up first).

    The statements leave a value for JSON in `answer`.
    """

    def run(statements: str, root: Path) -> Any:
        drop = "drop" if os.geteuid() == 0 else "keep"
        code = f"{_CHILD}\n{statements}\njson.dump(answer, sys.stdout)"
        done = subprocess.run(
            [sys.executable, "-c", code, str(root), drop], cwd=_PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
