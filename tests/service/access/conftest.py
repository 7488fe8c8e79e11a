"""Servers in this process that tests of access ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from access_server import Served, serve


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server with all pages, for all tests that leave its four users as they are; it counts no requests."""
    many = 1_000_000
    rates = {"requests_per_minute": many, "address_requests_per_minute": many, "tries_per_minute": many}
    made = serve(tmp_path_factory.mktemp("served") / "workspace", rates, pages=True)
    yield made
    made.service.workspace.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Makes servers that are closed at the end."""
    made: list[Served] = []

    def make(**options: Any) -> Served:
        made.append(serve(tmp_path / f"workspace{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.service.workspace.close()
