"""How many examples a costly property is tried on: all of them by hand, a share of them where CI asks for one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["IN_FULL", "examples", "in_turn", "moments"]

_Value = TypeVar("_Value")
_SHARE = float(os.environ.get("DEEPLENS_EXAMPLES", "1"))
IN_FULL = _SHARE == 1
"""Whether nothing is to be spared."""

# Below it a property is hardly tried at all.
_FEWEST = 12


def examples(in_full: int) -> int:
    """So many of `in_full` as the variable DEEPLENS_EXAMPLES says, a share from 0 to 1, and never fewer than 12."""
    return min(in_full, max(_FEWEST, round(in_full * _SHARE)))


def in_turn(values: Sequence[_Value], number: int) -> Sequence[_Value]:
    """All values, or the one whose turn it is where examples are to be few."""
    return values if IN_FULL else [values[number % len(values)]]


def moments(which: int, *, apart: int = 4) -> range:
    """Numbers of the moments at which something is broken off: all, or every fourth where examples are to be few.

    Args:
        which: The case; cases that follow each other have other moments, so that together they have all.
        apart: How far those of one case are apart where they are few.
    """
    return range(1000) if IN_FULL else range(which % apart, 1000, apart)
