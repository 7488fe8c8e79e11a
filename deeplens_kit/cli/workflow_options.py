"""Bounds of a workflow as people write them on a command line.

Takes options, gives frozen bounds; must not open a workspace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.sizes import given_bytes
from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds

__all__ = ["WorkflowName", "given_bounds", "shown_bounds"]

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_SHARE = re.compile(r"0?\.\d+|[01](?:\.0*)?")

WorkflowName = Annotated[
    str, typer.Argument(metavar="NAME", help="The workflow, as `workflows list` shows it.", show_default=False)
]


def given_bounds(
    prefix: str, objects: int | None, size: str | None, share: str | None, precision: str | None
) -> WorkflowBounds | None:
    """Bounds from what was given; None where nothing was.

    Args:
        prefix: Of the options' names.
        objects: Files at most.
        size: Their bytes at most, "2GB".
        share: Of a location's files at most, "5%" or "0.05".
        precision: Of copies at least, "99.5%" or "0.995".

    Raises:
        SettingsError: One is missing or not allowed.
    """
    from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds

    if objects is None and size is None and share is None and precision is None:
        return None
    size_bytes, part = given_bytes(f"{prefix}bytes", size), _share(f"{prefix}share", share)
    if objects is None or size_bytes is None or part is None:
        raise SettingsError(
            f"Bounds need all of {prefix}objects, {prefix}bytes and {prefix}share; without any of them each plan waits "
            "for a person."
        )
    return WorkflowBounds(objects, size_bytes, part, _share(f"{prefix}precision", precision))


def shown_bounds(bounds: WorkflowBounds) -> str:
    """Bounds in words."""
    from deeplens_kit.reporting.words import format_bytes, plural

    copies = "" if bounds.copy_precision is None else f", copies where labels show {bounds.copy_precision:.2%} at least"
    return (
        f"{plural(bounds.max_objects, 'file')}, {format_bytes(bounds.max_bytes)} and {bounds.max_share:.2%} of each "
        f"location's files at most, equal bytes and pixels{copies or ' alone'}"
    )


def _share(option: str, given: str | None) -> float | None:
    if given is None:
        return None
    percent = _PERCENT.fullmatch(given.strip())
    if percent is not None and float(percent[1]) <= 100:
        return float(percent[1]) / 100
    if percent is None and _SHARE.fullmatch(given.strip()):
        return float(given)
    raise SettingsError(f"{option} is {given!r}; it must be a share such as 5% or 0.05.")
