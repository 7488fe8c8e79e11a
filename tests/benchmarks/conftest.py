"""Benchmarks whose parts run in processes of their own, here in the one of the tests where time is to be spared."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import ModuleType, TracebackType
from typing import Any

import pytest
from examples import IN_FULL


class _Here:
    """In the place of a pool of one process, which costs seconds to start: the same work, in this one."""

    def __init__(self, workers: int, **_options: object) -> None:
        assert workers == 1

    def __enter__(self) -> _Here:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def submit(self, work: Callable[..., object], *arguments: object) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done


@pytest.fixture
def spare_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """For modules whose processes are there so that memory is their own, which small runs do not look at.

    Where nothing is to be spared they have them, and the benchmark of clusters has them always.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def spare(*modules: ModuleType) -> None:
        if not IN_FULL:
            for module in modules:
                monkeypatch.setattr(module, "ProcessPoolExecutor", _Here)

    yield spare
    # As the process of a benchmark sets logging up for itself.
    logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers
