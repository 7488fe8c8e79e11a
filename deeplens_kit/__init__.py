"""DeepLens finds pictures that are kept many times over and proves what that costs.

Takes nothing at import and gives the public names of the package, each loaded where it is first used; must not
import a heavy library (torch, FAISS, ONNX Runtime, Lance, numba) by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.errors import DeepLensError
    from deeplens_kit.pipeline.throttle import Throttle
    from deeplens_kit.pipeline.workspace import Workspace
    from deeplens_kit.schemas import FeatureSpec, Outcome, Relation, TableSchema, Tier
    from deeplens_kit.telemetry import configure_logging
    from deeplens_kit.workbench import Workbench

__version__ = "0.1.0"

__all__ = [
    "DeepLensError",
    "FeatureSpec",
    "Outcome",
    "Relation",
    "TableSchema",
    "Throttle",
    "Tier",
    "Workbench",
    "Workspace",
    "__version__",
    "configure_logging",
]

_HOMES = {
    "DeepLensError": "errors",
    "FeatureSpec": "schemas",
    "Outcome": "schemas",
    "Relation": "schemas",
    "TableSchema": "schemas",
    "Throttle": "pipeline.throttle",
    "Tier": "schemas",
    "Workbench": "workbench",
    "Workspace": "pipeline.workspace",
    "configure_logging": "telemetry",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
