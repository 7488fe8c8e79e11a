"""What people see and move: state without widgets, and viewers without computing.

Takes what the pipeline gives, shows it in notebooks and dashboards alike; must not read a store by itself or decide
anything. The names below load their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.views.coverage_view import CoverageView
    from deeplens_kit.views.gallery import Gallery
    from deeplens_kit.views.map_view import MapView
    from deeplens_kit.views.notebook import load_viewers
    from deeplens_kit.views.pair_view import PairView
    from deeplens_kit.views.report_view import ReportView
    from deeplens_kit.views.review_view import ReviewView
    from deeplens_kit.views.search_view import SearchView
    from deeplens_kit.views.selection_view import SelectionView
    from deeplens_kit.views.theme import viewer_style
    from deeplens_kit.views.threshold_view import ThresholdView

__all__ = [
    "CoverageView",
    "Gallery",
    "MapView",
    "PairView",
    "ReportView",
    "ReviewView",
    "SearchView",
    "SelectionView",
    "ThresholdView",
    "load_viewers",
    "viewer_style",
]

_HOMES = {
    "CoverageView": "coverage_view",
    "Gallery": "gallery",
    "MapView": "map_view",
    "PairView": "pair_view",
    "ReportView": "report_view",
    "ReviewView": "review_view",
    "SearchView": "search_view",
    "SelectionView": "selection_view",
    "ThresholdView": "threshold_view",
    "load_viewers": "notebook",
    "viewer_style": "theme",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
