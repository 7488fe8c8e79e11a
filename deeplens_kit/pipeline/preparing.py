"""A library of many pictures made ready to be searched, behind the run that indexed it.

Takes an open workspace, fills its cache; must not write anything else, and costs nothing where there is little to make:
few pictures are ready as fast without.
"""

from __future__ import annotations

import threading

from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import get_logger, span

__all__ = ["PREPARED_FROM_PICTURES", "prepare_search"]

_log = get_logger(__name__)

PREPARED_FROM_PICTURES = 20_000
"""From so many (inclusive) on; a million take two or three minutes, a hundredth of what indexing them takes."""


def prepare_search(workspace: Workspace, stop: threading.Event, progress: ProgressListener | None = None) -> bool:
    """Make indices, groups and words of the library where these are missing or behind; whether there was need.

    Args:
        workspace: An open workspace.
        stop: Set it to end; what was made by then is kept.
        progress: Told how far it is.
    """
    if workspace.catalog.count_pictures() < PREPARED_FROM_PICTURES or stop.is_set():
        return False
    from deeplens_kit.pipeline.searching import Searcher

    with span("search.prepare"):
        Searcher(workspace, once=True).prepare(stop, progress)
    _log.info("library made ready to be searched")
    return True
