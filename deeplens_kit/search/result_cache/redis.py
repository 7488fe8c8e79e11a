"""Answers kept in a Redis server, shared by all workers of a workspace.

Takes keys and bytes, gives bytes or nothing; must not fail a search: a server that is away, slow, full or holds
something else is logged once, left alone for a while, and searched without. Keys stand under a name of the workspace,
and the server ends their time. Whoever may write to the server is trusted as whoever may write to the catalog.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from deeplens_kit.errors import ExtraMissingError, SettingsError
from deeplens_kit.search.result_cache.base import CacheLimits, ResultCache
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["MOST_SECONDS", "REST_SECONDS", "WAIT_SECONDS", "RedisCache"]

_log = get_logger(__name__)

WAIT_SECONDS = 0.25
"""For a connection, and for the next bytes of an answer: a search must not take longer by a cache than without one."""

MOST_SECONDS = 1.0
"""For a question in all, its name lookup included: bytes may come one by one, and never end."""

REST_SECONDS = 30.0
"""How long a server that did not answer is left alone."""

# KEYS: value, times of use, ends of time, sizes. ARGV: most bytes of a value.
# What is larger is none of ours, and is not fetched.
_GET = """
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[1]) then return false end
local value = redis.call('GET', KEYS[1])
if value then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], 'XX', now[1] * 1000000 + now[2], KEYS[1])
end
return value
"""
# ARGV: value, milliseconds, most entries, most bytes. The lists of times and sizes end with the last of the values.
_PUT = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local function drop(key)
  redis.call('DEL', key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
  redis.call('HDEL', KEYS[4], key)
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at)) do drop(key) end
drop(KEYS[1])
if #ARGV[1] > tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], at, KEYS[1])
redis.call('ZADD', KEYS[3], at + ARGV[2] * 1000, KEYS[1])
redis.call('HSET', KEYS[4], KEYS[1], #ARGV[1])
local held = 0
for _, size in ipairs(redis.call('HVALS', KEYS[4])) do held = held + size end
local count = redis.call('ZCARD', KEYS[2])
while count > tonumber(ARGV[3]) or held > tonumber(ARGV[4]) do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  held = held - (redis.call('HGET', KEYS[4], oldest) or 0)
  count = count - 1
  drop(oldest)
end
for list = 2, 4 do redis.call('PEXPIRE', KEYS[list], ARGV[2]) end
return 1
"""
_LISTS = ("used", "until", "sizes")


class RedisCache(ResultCache):
    """Bytes by key in a Redis server.

    Args:
        url: Of the server, with the password in place: redis://, rediss:// (TLS) or unix://.
        namespace: Of the workspace: two that share a server never see each other's answers.
        limits: How much of this workspace, how long.
        clock: Seconds that only go up; for the time that a silent server is left alone.

    Raises:
        ExtraMissingError: The client library is not installed.
        SettingsError: The URL is none.
    """

    def __init__(
        self, url: str, namespace: str, limits: CacheLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ExtraMissingError("A result cache in Redis", "redis") from error
        self._limits, self._clock = limits, clock
        # In braces: where the server is a cluster, all keys of a workspace lie on one node, as scripts ask for.
        self._prefix = f"deeplens:{{{namespace}}}:answer:"
        self._lists = [f"deeplens:{{{namespace}}}:{name}" for name in _LISTS]
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=WAIT_SECONDS,
                socket_connect_timeout=WAIT_SECONDS,
                retry=Retry(NoBackoff(), 0),
                # Understood by servers of all versions.
                protocol=2,
            )
        except (ValueError, TypeError) as error:
            raise SettingsError(
                "The URL of the result cache is not understood; write redis://${NAME}@HOST:6379/0, rediss:// or unix://."
            ) from error
        self._gone: tuple[type[Exception], ...] = (redis.ConnectionError, redis.TimeoutError, OSError)
        self._refused: type[Exception] = redis.RedisError
        self._scripts = self._client.register_script(_GET), self._client.register_script(_PUT)
        self._lock = threading.Lock()
        self._rests_until = float("-inf")
        self._told: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """See `ResultCache.get`."""
        value = self._ask("get", lambda: self._scripts[0](self._keys(key), [self._limits.max_bytes]))
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """See `ResultCache.put`."""
        milliseconds = max(1, round(self._limits.seconds * 1000))
        arguments: list[bytes | int] = [value, milliseconds, self._limits.max_entries, self._limits.max_bytes]
        self._ask("put", lambda: self._scripts[1](self._keys(key), arguments))

    def clear(self) -> None:
        """See `ResultCache.clear`."""

        def forget() -> None:
            kept = list(self._client.zrange(self._lists[0], 0, -1))
            self._client.delete(*kept, *self._lists)

        self._ask("clear", forget)

    def close(self) -> None:
        """See `ResultCache.close`."""
        self._client.close()

    def _keys(self, key: str) -> list[str]:
        return [f"{self._prefix}{key}", *self._lists]

    def _ask(self, what: str, ask: Callable[[], object]) -> object:
        """What the server says; None where it says nothing that can be used."""
        with self._lock:
            if self._clock() < self._rests_until:
                return None
            if self._rests_until > float("-inf"):
                # One asks whether it is back; the others go on without it until that is known.
                self._rests_until = self._clock() + REST_SECONDS
        try:
            said = _within(MOST_SECONDS, ask)
        except self._gone as error:
            self._fail(what, error)
            with self._lock:
                self._rests_until = self._clock() + REST_SECONDS
            return None
        except self._refused as error:
            # It answers, so that the next question may go well: a key of another type, no memory, no right to write.
            self._fail(what, error)
            return None
        with self._lock:
            self._told.discard(what)
            self._rests_until = float("-inf")
        return said

    def _fail(self, what: str, error: Exception) -> None:
        with self._lock:
            told = what in self._told
            self._told.add(what)
        if not told:
            _log.warning(
                "result cache not used: the Redis server does not answer as it should; searching without it",
                operation=what,
                error=redact(f"{type(error).__name__}: {error}"),
            )


def _within(seconds: float, ask: Callable[[], object]) -> object:
    """What is answered in time; TimeoutError where nothing is, and the question is left to end by itself."""
    asked: Future[object] = Future()

    def run() -> None:
        try:
            asked.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            asked.set_exception(error)

    # A daemon: a pool's threads would hold up the end of the process for a server that never ends.
    threading.Thread(target=run, name="result-cache", daemon=True).start()
    return asked.result(timeout=seconds)
