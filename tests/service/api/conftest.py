"""A small library, served in the same process: one for all who only ask, and one for each module that changes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served_library import Library, copied_library, served


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Not to be changed."""
    folder = copied_library(tmp_path_factory)
    workspace, client = served(folder)
    with workspace, client:
        yield Library(folder, workspace, client)


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """May be changed."""
    folder = copied_library(tmp_path_factory)
    workspace, client = served(folder)
    with workspace, client:
        yield Library(folder, workspace, client)
