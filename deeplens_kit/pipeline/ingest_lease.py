"""The run of an ingest in the ledger, and its lease on the location where that is free.

Takes a location, gives a lease or none; must not store. A long index run holds its location for hours: pictures are
stored all the same, for that needs no lease, and the next run indexes them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from deeplens_kit.errors import DeepLensError, Interrupted, LeaseHeldError
from deeplens_kit.ledger import Lease, Location
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import bound_context

__all__ = ["WAIT_SECONDS", "ingest_run"]

WAIT_SECONDS = 10.0
"""How long an ingest waits for a lease: others of its like are done in less."""

_POLL_SECONDS = 0.1


@contextmanager
def ingest_run(
    workspace: Workspace,
    location: Location,
    figures: Callable[[], Mapping[str, object]],
    stop: threading.Event,
    *,
    wait_seconds: float = WAIT_SECONDS,
) -> Iterator[tuple[Lease, str] | LeaseHeldError]:
    """Hold the lease on a location and record a run while the block runs.

    Args:
        workspace: An open workspace.
        location: Where pictures are stored.
        figures: What came of the run so far; where `not_begun` is not 0 at the end it was interrupted.
        stop: Once set, the lease is no longer waited for.
        wait_seconds: How long to wait for the lease.

    Yields:
        The lease and the id of the run; or who holds the lease, and nothing is recorded.
    """
    ledger, seconds = workspace.ledger, workspace.settings.index.lease_stale_seconds
    with ExitStack() as stack:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                held = ledger.leased_run("ingest", location, asdict(workspace.settings.ingest), stale_seconds=seconds)
                lease, run = stack.enter_context(held)
                break
            except LeaseHeldError as error:
                if time.monotonic() >= deadline or stop.wait(_POLL_SECONDS):
                    yield error
                    return
        stack.enter_context(bound_context(run_id=run.run_id))
        try:
            yield lease, run.run_id
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt | Interrupted) else "failed"
            message = str(error) if isinstance(error, DeepLensError) else type(error).__name__
            ledger.finish_run(run.run_id, state, figures(), message=message)
            raise
        came = figures()
        ledger.finish_run(run.run_id, "interrupted" if came.get("not_begun") else "finished", came)
