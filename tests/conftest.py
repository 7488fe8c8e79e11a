"""What all tests share: a clean environment and the profile of hypothesis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines of CI are slow and shared: a deadline per example would fail for reasons that are not the code's.
settings.register_profile("deeplens", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("deeplens")


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a workspace of their own, which no test may touch."""
    for name in ("DEEPLENS_WORKSPACE",):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the checkout."""
    return Path(__file__).parent.parent
