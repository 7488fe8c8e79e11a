"""A second, independent and more expensive look at candidate pairs: local features, geometry, aligned squares.

Takes pairs and a `PixelSource`, gives them back with what was seen; must not open files or judge.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.matching.verification.base import LOOK_SIDE_PX, VERIFICATION, Grey, Look, PixelSource
    from deeplens_kit.matching.verification.local_features import look_at
    from deeplens_kit.matching.verification.verify import EVIDENCE_COLUMNS, measure_resolution, verify_pairs

__all__ = [
    "EVIDENCE_COLUMNS",
    "LOOK_SIDE_PX",
    "VERIFICATION",
    "Grey",
    "Look",
    "PixelSource",
    "look_at",
    "measure_resolution",
    "verify_pairs",
]

# OpenCV and numba are loaded where a name that needs them is asked for.
_HOMES = {
    "EVIDENCE_COLUMNS": "verify",
    "LOOK_SIDE_PX": "base",
    "VERIFICATION": "base",
    "Grey": "base",
    "Look": "base",
    "PixelSource": "base",
    "look_at": "local_features",
    "measure_resolution": "verify",
    "verify_pairs": "verify",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
