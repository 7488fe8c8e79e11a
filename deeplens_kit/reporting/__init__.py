"""Answers made ready for people: words for numbers, files written whole, and the page of duplicates.

Takes frames that the pipeline hands out, gives text and self-contained HTML; must not open a store, decide what is a
duplicate, or make a page that loads anything from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.reporting.duplicates_page import render_duplicates_page
    from deeplens_kit.reporting.duplicates_view import DuplicatesFrames, DuplicatesView, describe_duplicates
    from deeplens_kit.reporting.files import write_atomically

__all__ = [
    "DuplicatesFrames",
    "DuplicatesView",
    "describe_duplicates",
    "render_duplicates_page",
    "write_atomically",
]

_HOMES = {
    "DuplicatesFrames": "duplicates_view",
    "DuplicatesView": "duplicates_view",
    "describe_duplicates": "duplicates_view",
    "render_duplicates_page": "duplicates_page",
    "write_atomically": "files",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
