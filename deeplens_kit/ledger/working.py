"""For which job this thread works.

Takes and gives the id of a job; must not know what it does. Threads that are started in the block, in a copy of its
context, work for it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["current_job", "working_for"]

_JOB: ContextVar[str] = ContextVar("deeplens_job", default="")


@contextmanager
def working_for(job_id: str) -> Iterator[None]:
    """Have what is done in the block, in this thread or task, be done for a job."""
    token = _JOB.set(job_id)
    try:
        yield
    finally:
        _JOB.reset(token)


def current_job() -> str:
    """The job that this thread works for; empty for none."""
    return _JOB.get()
