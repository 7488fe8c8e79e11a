"""Answers made ready for people: words for numbers, files written whole, the page of duplicates, the savings report.

Takes frames that the pipeline hands out, gives text and self-contained HTML; must not open a store, decide what is a
duplicate, or make a page that loads anything from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.reporting.duplicates_page import render_duplicates_page
    from deeplens_kit.reporting.duplicates_view import DuplicatesFrames, DuplicatesView, describe_duplicates
    from deeplens_kit.reporting.files import write_atomically
    from deeplens_kit.reporting.notebook_render import RenderedReport, render_notebook
    from deeplens_kit.reporting.report_figures import kpi_of
    from deeplens_kit.reporting.savings_files import save_numbers
    from deeplens_kit.reporting.savings_frames import report_savings
    from deeplens_kit.reporting.savings_report import SavingsFrames, SavingsReport, describe_savings

__all__ = [
    "DuplicatesFrames",
    "DuplicatesView",
    "RenderedReport",
    "SavingsFrames",
    "SavingsReport",
    "describe_duplicates",
    "describe_savings",
    "kpi_of",
    "render_duplicates_page",
    "render_notebook",
    "report_savings",
    "save_numbers",
    "write_atomically",
]

_HOMES = {
    "DuplicatesFrames": "duplicates_view",
    "DuplicatesView": "duplicates_view",
    "RenderedReport": "notebook_render",
    "SavingsFrames": "savings_report",
    "SavingsReport": "savings_report",
    "describe_duplicates": "duplicates_view",
    "describe_savings": "savings_report",
    "kpi_of": "report_figures",
    "render_duplicates_page": "duplicates_page",
    "render_notebook": "notebook_render",
    "report_savings": "savings_frames",
    "save_numbers": "savings_files",
    "write_atomically": "files",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
