"""One place that turns a function into machine code.

Takes a function of arrays and gives the same function compiled by numba on its first call: without the GIL, so
that threads run it side by side, and cached on disk, so that only the first run of an installation pays for it.
Only modules named `*_kernels` import this, and they are imported where they are used: numba is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """`function`, compiled; the signature stays what it says."""
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))
