"""Counting within windows of time, in this process or where the settings say.

Takes limits and names, says whether one more is within them; must not refuse anybody because the counters are away:
until they are back this process counts for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItem
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from limits.util import WindowStats

from deeplens_kit.errors import SettingsError
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["Counted"]

_log = get_logger(__name__)
# Nobody waits longer for an answer because a counter does not answer, and it is not asked again at once.
_ANSWER_SECONDS, _PAUSE_SECONDS = 1.0, 5.0
_MEMORY = "memory://"

_Said = TypeVar("_Said")


class Counted:
    """What is counted, in sliding windows.

    Args:
        url: Where, as `limits` names it.

    Raises:
        SettingsError: There is no such place, or what it needs is not installed.
    """

    def __init__(self, url: str) -> None:
        timeouts = {"socket_timeout": _ANSWER_SECONDS, "socket_connect_timeout": _ANSWER_SECONDS}
        options = timeouts if url.partition("://")[0] in ("redis", "rediss") else {}
        try:
            shared = storage_from_string(url, wrap_exceptions=True, **options)
            self._shared = SlidingWindowCounterRateLimiter(shared)
        except (ConfigurationError, NotImplementedError, ValueError) as error:
            raise SettingsError(
                f"Setting 'sign_in.rates_url' is {redact(url)!r}, where nothing can be counted ({error}); give "
                '"memory://" or, with the extra redis installed, "redis://HOST:6379".'
            ) from error
        self._own = SlidingWindowCounterRateLimiter(storage_from_string(_MEMORY))
        self._away_until = 0.0

    def hit(self, limit: RateLimitItem, *who: str) -> bool:
        """Count one more; False where it would be too many."""
        return self._asked(lambda counters: counters.hit(limit, *who))

    def test(self, limit: RateLimitItem, *who: str) -> bool:
        """Whether one more would not be too many; nothing is counted."""
        return self._asked(lambda counters: counters.test(limit, *who))

    def clear(self, limit: RateLimitItem, *who: str) -> None:
        """Forget what was counted."""
        self._asked(lambda counters: counters.clear(limit, *who))

    def get_window_stats(self, limit: RateLimitItem, *who: str) -> WindowStats:
        """How many are left, and when there are more."""
        return self._asked(lambda counters: counters.get_window_stats(limit, *who))

    def _asked(self, ask: Callable[[SlidingWindowCounterRateLimiter], _Said]) -> _Said:
        if time.monotonic() >= self._away_until:
            try:
                return ask(self._shared)
            except StorageError as error:
                self._away_until = time.monotonic() + _PAUSE_SECONDS
                _log.warning("counters of requests are away, this process counts for itself", error=redact(str(error)))
        return ask(self._own)
