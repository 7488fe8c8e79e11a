"""What the pixels say: the Lance tables, and the only code that writes them.

Takes checked batches of objects, pictures, failures and vectors and gives them back as frames and arrays; must
not read users' files, decide what is a copy, or know of runs and locations more than their ids. Everything here
can be rebuilt from the files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.catalog.batch import CatalogBatch
    from deeplens_kit.catalog.catalog import SCHEMA_VERSION, Catalog

__all__ = ["SCHEMA_VERSION", "Catalog", "CatalogBatch"]

_HOMES = {"SCHEMA_VERSION": "catalog", "Catalog": "catalog", "CatalogBatch": "batch"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
