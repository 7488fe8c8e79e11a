"""How many examples a costly property is tried on: all of them by hand, a share of them where CI asks for one."""

from __future__ import annotations

import os

__all__ = ["examples"]

_SHARE = float(os.environ.get("DEEPLENS_EXAMPLES", "1"))
# Below it a property is hardly tried at all.
_FEWEST = 20


def examples(in_full: int) -> int:
    """So many of `in_full` as the variable DEEPLENS_EXAMPLES says, a share from 0 to 1, and never fewer than 20."""
    return min(in_full, max(_FEWEST, round(in_full * _SHARE)))
