"""Memory that was freed: back to the system.

Takes nothing and gives nothing; must not free anything itself. What reads the tables frees blocks of all sizes from
several threads, and the C library keeps what lies between them: some hundred megabytes after five million rows.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["give_back"]


def give_back() -> None:
    """Let the C library return what it holds and nobody uses; does nothing where it cannot."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(ctypes.c_size_t(0))
