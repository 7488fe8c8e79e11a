"""What the tests of acting share: two folders, a ledger, and plans made by hand."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeplens_kit.ledger import Ledger
from tests.actions.stage import Stage

_MEMORY = Path("/dev/shm")


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has such: hundreds of durable lines of a journal cost nothing there."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="deeplens-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty ledger, to be copied: making one takes longer than most tests here."""
    file = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Ledger.create(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def stage(quick_path: Path, empty_ledger: Path) -> Iterator[Stage]:
    """Two empty folders that are opened for changes, and an empty ledger."""
    shutil.copy(empty_ledger, quick_path / "ledger.db")
    with Ledger.open(f"sqlite:///{quick_path}/ledger.db") as ledger:
        yield Stage(quick_path, ledger)
