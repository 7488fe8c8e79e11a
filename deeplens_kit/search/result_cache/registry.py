"""The kinds of result cache, by the address that settings name.

Takes an address, gives the cache; loads a kind's library when it is asked for.
"""

from __future__ import annotations

from deeplens_kit.errors import SettingsError
from deeplens_kit.search.result_cache.base import CacheLimits, ResultCache
from deeplens_kit.search.result_cache.memory import MemoryCache

__all__ = ["open_result_cache"]

_REDIS = ("redis://", "rediss://", "unix://")


def open_result_cache(address: str, namespace: str, limits: CacheLimits) -> ResultCache | None:
    """Open a result cache; None where the address is empty: none is wanted.

    Args:
        address: Empty, "memory", or the URL of a Redis server with its password in place.
        namespace: Of the workspace, for caches that several share.
        limits: How much, how long.

    Raises:
        SettingsError: There is no such kind of cache.
        ExtraMissingError: Its library is not installed.
    """
    if not address:
        return None
    if address == "memory":
        return MemoryCache(limits)
    if address.startswith(_REDIS):
        from deeplens_kit.search.result_cache.redis import RedisCache

        return RedisCache(address, namespace, limits)
    kind = address.partition("://")[0] if "://" in address else address
    raise SettingsError(
        f"There is no result cache of kind {kind!r}; write 'memory', 'redis://HOST:PORT/NUMBER', 'rediss://…' (TLS), "
        "'unix://PATH', or nothing for none."
    )
