"""The chain of migrations: one file per version, each from that version to the next.

Takes a function that opens a table by name, or with a schema makes it where it is missing; must be able to run again
on a catalog that it has half migrated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deeplens_kit.catalog.migrations import (
    from_version_1,
    from_version_2,
    from_version_3,
    from_version_4,
    from_version_5,
)

__all__ = ["MIGRATIONS"]

MIGRATIONS: Mapping[int, Callable[[Callable[..., Any]], None]] = {
    1: from_version_1.migrate,
    2: from_version_2.migrate,
    3: from_version_3.migrate,
    4: from_version_4.migrate,
    5: from_version_5.migrate,
}
