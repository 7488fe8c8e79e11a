"""What a plan has to know of a location: what it is opened for, and what its storage can do.

Takes plain values, gives them frozen, and as columns of a frame; must not open a location.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from deeplens_kit.storage.base import UNSETTLED

__all__ = ["PlanPlace", "place_flag", "proven_by_token"]


@dataclass(frozen=True, slots=True)
class PlanPlace:
    """A location as planning sees it.

    Attributes:
        location_id: Its id.
        name: What people call it.
        takes_writing: Its kind can be changed at all, whatever it is opened for.
        may_change: It is opened for changes, and its kind can make them.
        may_create: It is opened for new files, and its kind can take them.
        immutable: Nobody can change or remove what lies there.
        proves_by_token: An unchanged token proves unchanged content.
        links: Of "hardlink", "symlink", "reflink", which it can make.
        sets_storage_class: It can change how it keeps a file.
        local: Its files are files of this machine, so that a symlink can lead to another such location.
    """

    location_id: str
    name: str
    takes_writing: bool = True
    may_change: bool = False
    may_create: bool = False
    immutable: bool = False
    proves_by_token: bool = False
    links: frozenset[str] = frozenset()
    sets_storage_class: bool = False
    local: bool = False


def place_flag(column: str, places: Mapping[str, PlanPlace], name: str) -> pl.Expr:
    """Whether a yes or no of `PlanPlace` holds at the location of a column; False where that is not known.

    Args:
        column: With ids of locations.
        places: By id.
        name: Of the attribute.
    """
    return pl.col(column).is_in([place_id for place_id, place in places.items() if getattr(place, name)])


def proven_by_token(end: str, places: Mapping[str, PlanPlace]) -> pl.Expr:
    """Whether the digest of a file was read under a token that proves it while it stays the same.

    A digest that was taken over from a checksum was never read, and a weak or unsettled token proves nothing.

    Args:
        end: "victim" or "keeper".
        places: By id.
    """
    token = pl.col(f"{end}_token")
    strong = ~token.str.ends_with(UNSETTLED) & ~token.str.starts_with("W/")
    known = pl.col(f"{end}_basis").eq("read").fill_null(False)
    return (
        place_flag(f"{end}_location_id", places, "proves_by_token").fill_null(False) & known & strong.fill_null(False)
    )
