"""Work outside the web process: the kinds of jobs, the worker that does them, the stream that tells of them.

Takes an open workspace; the queue is rows of its ledger. Must not serve anything: pages and the API ask the ledger. The
names below load their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.service.jobs.kinds import JOB_KINDS, JobKind, submit
    from deeplens_kit.service.jobs.running import JobRun
    from deeplens_kit.service.jobs.spool import Spool
    from deeplens_kit.service.jobs.stream import StreamItem, events, job_document
    from deeplens_kit.service.jobs.worker import Worker, run_worker

__all__ = [
    "JOB_KINDS",
    "JobKind",
    "JobRun",
    "Spool",
    "StreamItem",
    "Worker",
    "events",
    "job_document",
    "run_worker",
    "submit",
]

_HOMES = {
    "JOB_KINDS": "kinds",
    "JobKind": "kinds",
    "JobRun": "running",
    "Spool": "spool",
    "StreamItem": "stream",
    "Worker": "worker",
    "events": "stream",
    "job_document": "stream",
    "run_worker": "worker",
    "submit": "kinds",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
