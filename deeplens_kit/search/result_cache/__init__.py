"""Answers that were given before, kept for a while so that the same question need not be searched for again.

Takes keys that hold no more than digests, and bytes; gives the bytes back. Must not be relied on: whatever is kept may
be gone at any moment, and a cache that fails is a cache that is empty.
"""

from deeplens_kit.search.result_cache.base import CacheLimits, ResultCache
from deeplens_kit.search.result_cache.codec import pack, unpack
from deeplens_kit.search.result_cache.registry import open_result_cache

__all__ = ["CacheLimits", "ResultCache", "open_result_cache", "pack", "unpack"]
