"""State of the views: what is chosen and what came of it, as parameters.

Takes callables that the pipeline gives, holds choices and answers; must not import Panel or any widget. The names
below load their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.views.state.duplicates_state import DuplicatesState, Findings
    from deeplens_kit.views.state.map_state import MapState
    from deeplens_kit.views.state.review_state import ReviewState
    from deeplens_kit.views.state.search_state import MAX_UPLOAD_BYTES, SearchState
    from deeplens_kit.views.state.selection import SelectionState
    from deeplens_kit.views.state.threshold_state import ThresholdState

__all__ = [
    "MAX_UPLOAD_BYTES",
    "DuplicatesState",
    "Findings",
    "MapState",
    "ReviewState",
    "SearchState",
    "SelectionState",
    "ThresholdState",
]

_HOMES = {
    "DuplicatesState": "duplicates_state",
    "Findings": "duplicates_state",
    "MAX_UPLOAD_BYTES": "search_state",
    "MapState": "map_state",
    "ReviewState": "review_state",
    "SearchState": "search_state",
    "SelectionState": "selection",
    "ThresholdState": "threshold_state",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
