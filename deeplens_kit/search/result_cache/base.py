"""What every result cache does, wherever it keeps things.

Takes keys and bytes, gives bytes or nothing; must not raise: who asks searches where nothing is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["CacheLimits", "ResultCache"]


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How much is kept, and how long; each is inclusive.

    Attributes:
        seconds: From when it was put until it is given no more.
        max_entries: Answers.
        max_bytes: Of all answers together; a larger one is not kept.
    """

    seconds: float
    max_entries: int
    max_bytes: int


class ResultCache(ABC):
    """Bytes by key; of those that have no room, the least recently used go first. Safe to share between threads."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """What was put under a key, as long as its time is not over; else None."""

    @abstractmethod
    def put(self, key: str, value: bytes) -> None:
        """Keep a value in place of what the key had; its time begins anew."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything of this workspace."""

    def close(self) -> None:  # noqa: B027 - memory has nothing to give back
        """Give connections back; the cache cannot be used afterwards."""
