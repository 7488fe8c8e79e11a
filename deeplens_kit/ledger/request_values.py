"""What is kept of a request that may be sent twice.

Takes nothing and gives frozen values; must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KeptAnswer", "MadeThing"]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered, for when it comes again.

    Attributes:
        status: Of HTTP.
        content: The JSON document.
    """

    status: int
    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MadeThing:
    """What was made for a request whose answer was not kept: whoever worked on it died, or the ledger was away.

    Attributes:
        kind: Of the thing: "job", "plan", "collection", "rule", "location", "label_sample".
        name: Its id or name.
        told: What its answer was to say beside what can be read from the thing.
    """

    kind: str
    name: str
    told: Mapping[str, Any]
