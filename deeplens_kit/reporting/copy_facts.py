"""The facts of two copies side by side, and in which of them they differ.

Takes rows of pictures and sizes of files, gives lines with every text that is shown; must not say which is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path

__all__ = ["FactLine", "copy_facts"]

_UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact of a keeper and of a copy; "–" where a file does not tell it."""

    name: str
    keeper: str
    copy: str
    differs: bool


def copy_facts(
    keeper: Mapping[str, Any], copy: Mapping[str, Any], keeper_bytes: int, copy_bytes: int
) -> tuple[FactLine, ...]:
    """What tells a copy from its keeper, and what does not; facts that neither has are left out.

    Args:
        keeper: A row with the columns of PICTURE_FACTS; empty where the picture is not known any more.
        copy: The same.
        keeper_bytes: Size of the keeper's file.
        copy_bytes: Size of the copy's.
    """
    told = [
        ("Size", format_bytes(keeper_bytes), format_bytes(copy_bytes)),
        *((name, say(keeper), say(copy)) for name, say in _SAID),
    ]
    exact = {"Size": keeper_bytes != copy_bytes}
    return tuple(
        FactLine(name, one or _UNKNOWN, other or _UNKNOWN, exact.get(name, one != other))
        for name, one, other in told
        if one or other
    )


def _pixels(row: Mapping[str, Any]) -> str:
    return f"{row['width_px']:,} × {row['height_px']:,} px" if row else ""


def _format(row: Mapping[str, Any]) -> str:
    if not row:
        return ""
    quality = f", quality {row['jpeg_quality']}" if row["jpeg_quality"] is not None else ""
    return f"{row['format']}{quality or (', lossless' if row['lossless'] else '')}"


def _colours(row: Mapping[str, Any]) -> str:
    if not row:
        return ""
    return f"{row['mode']}{', transparent' if row['has_alpha'] else ''}"


def _profile(row: Mapping[str, Any]) -> str:
    return display_path(row["icc_name"]) if row and row["icc_name"] else ""


def _frames(row: Mapping[str, Any]) -> str:
    return plural(row["frames"], "frame") if row and row["frames"] > 1 else ""


def _taken(row: Mapping[str, Any]) -> str:
    return f"{row['taken_at']:%-d %B %Y, %H:%M:%S}" if row and row["taken_at"] is not None else ""


def _camera(row: Mapping[str, Any]) -> str:
    return display_path(row["camera"]) if row and row["camera"] else ""


def _besides(row: Mapping[str, Any]) -> str:
    return display_path(row["auxiliary"]) if row and row["auxiliary"] else ""


_SAID = (
    ("Pixels", _pixels),
    ("Format", _format),
    ("Colours", _colours),
    ("Colour profile", _profile),
    ("Frames", _frames),
    ("Taken", _taken),
    ("Camera", _camera),
    ("Holds besides", _besides),
)
