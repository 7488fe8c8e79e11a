"""What a process of a server does once it answers, so that no visitor waits for it later.

Takes nothing, loads what pages import at their first visit, and takes what is there for good out of what Python looks
through for garbage: with a catalog and all libraries in memory that takes half a second, in which nobody is answered,
whenever sessions end. Must not run in a process that goes on without the server: what becomes garbage later stays.
"""

from __future__ import annotations

import gc
import logging

__all__ = ["settle"]

_LOG = logging.getLogger(__name__)


def settle(*, pages: bool) -> None:
    """Load and set aside; called apart from the event loop.

    Args:
        pages: This process has the dashboards.
    """
    if pages:
        _load_plots()
    gc.collect()
    gc.freeze()


def _load_plots() -> None:
    """Load what draws the map and the lab: two seconds at the first visit otherwise, for all visitors."""
    try:
        import holoviews
        import numba  # noqa: F401 - the map is drawn with it

        holoviews.renderer("bokeh")
    except ImportError as error:
        _LOG.info("the map and the lab are not loaded ahead: %s", error)
