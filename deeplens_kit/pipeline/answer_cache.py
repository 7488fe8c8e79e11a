"""Answers of searches that are kept for a while, so that the same question is not searched for again.

Takes an open workspace, gives answers that were given before, as long as nothing has changed on which they depend; must
not fail a search, or keep what a person gave: a key is a digest, over the digests of the pictures asked for.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterable
from typing import TypeVar

from deeplens_kit.errors import CredentialMissingError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SEARCH_FACETS, SEARCH_PARTS, SEARCH_PLACES, SEARCH_RESULTS
from deeplens_kit.search.result_cache import CacheLimits, ResultCache, open_result_cache, pack, unpack
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.telemetry import get_logger

__all__ = ["AnswerCache"]

_log = get_logger(__name__)

_SCHEMAS = (SEARCH_RESULTS, SEARCH_PLACES, SEARCH_PARTS, SEARCH_FACETS)
_NAMESPACE_DIGITS = 32

_Answer = TypeVar("_Answer")


class AnswerCache:
    """Answers of a workspace; safe to share between threads. Where they are kept `settings.search` says.

    Args:
        workspace: An open workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._opened = False
        self._cache: ResultCache | None = None

    def key(self, fingerprint: str, state: object, said: Iterable[str] = ()) -> str | None:
        """The fingerprint of a question and of everything that its answer depends on; None where nothing is kept.

        Args:
            fingerprint: Of the question: digests of its pictures in place of bytes, paths and links, which may lead to
                another picture tomorrow, and whatever it is answered by.
            state: What the library was read from: a frozen value that prints all of itself.
            said: Names of the pictures and notes, as the answer repeats them.

        Raises:
            SettingsError: The settings name no such cache, or one whose credential or library is missing.
        """
        if self._store() is None:
            return None
        schemas = [repr(schema.polars) for schema in _SCHEMAS]
        parts = [_version(), schemas, fingerprint, repr(state), list(said)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def get(self, key: str | None, kind: type[_Answer]) -> _Answer | None:
        """The answer of a key, of a kind of dataclass; None where it is not kept."""
        store = self._store() if key is not None else None
        content = store.get(key) if store is not None and key is not None else None
        if content is None:
            return None
        answer = unpack(kind, content)
        if answer is None:
            _log.warning("result cache holds something else than an answer; it is searched for anew")
        return answer

    def put(self, key: str | None, answer: object) -> None:
        """Keep an answer under its key."""
        store = self._store() if key is not None else None
        if store is not None and key is not None:
            store.put(key, pack(answer))

    def clear(self) -> bool:
        """Forget all answers of this workspace, whoever put them; False where none are kept outside of a process."""
        store = self._store()
        if store is None:
            return False
        store.clear()
        return True

    def close(self) -> None:
        """Give connections back."""
        with self._lock:
            if self._cache is not None:
                self._cache.close()
            self._opened, self._cache = True, None

    def _store(self) -> ResultCache | None:
        with self._lock:
            if not self._opened:
                self._cache = _open(self._workspace)
                self._opened = True
            return self._cache


def _open(workspace: Workspace) -> ResultCache | None:
    settings = workspace.settings.search
    limits = CacheLimits(
        settings.result_cache_seconds, settings.result_cache_max_entries, settings.result_cache_max_bytes
    )
    stores = f"{workspace.settings.catalog_url}\n{workspace.settings.ledger_url}"
    namespace = hashlib.sha256(stores.encode()).hexdigest()[:_NAMESPACE_DIGITS]
    try:
        return open_result_cache(resolve(settings.result_cache, in_url=True), namespace, limits)
    except CredentialMissingError as error:
        if not error.passing:
            raise
        _log.warning("result cache not used: its credential cannot be had now", error=str(error))
        return None


def _version() -> str:
    """Of DeepLens: workers of two versions may rank differently."""
    # Importing the package by its name would import upwards: it gives the workbench.
    return str(sys.modules[__name__.partition(".")[0]].__version__)
