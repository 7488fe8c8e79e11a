"""What is kept of a request that may be sent twice.

Takes nothing and gives frozen values; must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["KeptAnswer"]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered, for when it comes again.

    Attributes:
        status: Of HTTP.
        content: The JSON document.
    """

    status: int
    content: Mapping[str, object]
