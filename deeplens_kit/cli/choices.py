"""Options of which each value is one of a few words: tiers and relations.

Takes what was given, gives it back where it is allowed; must not look at a file or a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from deeplens_kit.errors import UnknownNameError

__all__ = [
    "ANY_RELATION",
    "ANY_TIER",
    "INCLUDABLE",
    "PROPOSED_TIERS",
    "AnyTier",
    "Include",
    "ProposedTier",
    "RelationOfPair",
    "RuleName",
    "chosen",
]

ANY_TIER = ("bytes", "pixels", "copy", "scene")
PROPOSED_TIERS = ("bytes", "pixels", "copy")
ANY_RELATION = ("whole", "part", "contains", "composite", "unverified")
INCLUDABLE = ("composite", "contains", "part")

AnyTier = Annotated[
    list[str] | None,
    typer.Option("--tier", metavar="|".join(ANY_TIER), help="Only evidence of this strength; may come again."),
]
ProposedTier = Annotated[
    list[str] | None,
    typer.Option("--tier", metavar="|".join(PROPOSED_TIERS), help="Only evidence of this strength; may come again."),
]
RelationOfPair = Annotated[
    list[str] | None,
    typer.Option("--relation", metavar="|".join(ANY_RELATION), help="Only how a stands to b; may come again."),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="|".join(INCLUDABLE),
        help="Propose these relations too: look at each before you act; may come again.",
    ),
]
RuleName = Annotated[
    str | None,
    typer.Option(
        "--rule", metavar="NAME", help="Judge by strict, a saved rule or NAME@VERSION; by default the one in use."
    ),
]


def chosen(kind: str, given: list[str] | None, allowed: Sequence[str]) -> list[str] | None:
    """What was given for an option that may come again; None for nothing.

    Raises:
        UnknownNameError: It is not allowed.
    """
    for name in given or ():
        if name not in allowed:
            raise UnknownNameError(kind, name, allowed)
    return given or None
