"""A workspace in three lines: its locations, what was found there, and how far that can be trusted.

Takes frames that the pipeline gives, gives sentences; must not look into the stores.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from deeplens_kit.reporting.totals import add_up_coverage
from deeplens_kit.reporting.words import plural
from deeplens_kit.storage.paths import display_path

__all__ = ["describe_workspace"]

# Names that are listed; of more locations only the number is said.
_NAMES_LISTED = 6


def describe_workspace(name: str, locations: pl.DataFrame, coverage: pl.DataFrame, notes: Sequence[str]) -> list[str]:
    """Describe what a workspace holds.

    Args:
        name: What the workspace is called.
        locations: As `list_locations` gives them.
        coverage: COVERAGE.
        notes: What limits the answers.
    """
    names = [display_path(item) for item in locations["location"]]
    if not names:
        where = "no locations yet; add one with `add_location(name, folder)`"
    elif len(names) <= _NAMES_LISTED:
        where = f"{plural(len(names), 'location')} ({', '.join(names)})"
    else:
        where = plural(len(names), "location")
    totals = add_up_coverage(coverage)
    if not totals.objects:
        return [f"Workbench of {display_path(name)}: {where}", "Nothing is indexed yet; `index()` does it", *notes]
    found = f"{plural(totals.objects, 'file')} found, {totals.analysed_objects:,} of them analysed ({totals.share})"
    return [f"Workbench of {display_path(name)}: {where}", found, *(notes or ["Pairs and groups are up to date"])]
