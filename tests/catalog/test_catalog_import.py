"""Importing the catalog must not load what only opening it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import deeplens_kit
import deeplens_kit.catalog as package


def test_lance_is_loaded_when_it_is_used() -> None:
    code = (
        "import sys; from deeplens_kit.catalog import Catalog, CatalogBatch; "
        "print([name for name in ('lance', 'pyarrow') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(deeplens_kit.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there() -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="catalogue"):
        _ = package.catalogue
