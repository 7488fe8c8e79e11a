"""A storage whose library has one client that all threads share.

Takes how a client is made, gives it; must not know the library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from deeplens_kit.storage.store import Store

__all__ = ["ClientStore"]


class ClientStore(Store):
    """A store over a client that is made when it is first needed, and anew once its credentials were refused.

    Args:
        connect: Makes a client; True where no credential may come from a cache, because those there were refused.
    """

    def __init__(self, connect: Callable[[bool], Any]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._made: Any = None
        self._fresh = False

    def renew(self) -> None:
        """Connect anew with the credentials as they are now; what other threads ask at this moment goes on."""
        with self._lock:
            self._made, self._fresh = None, True

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._connect(self._fresh)
                self._fresh = False
            return self._made
