"""Indices of vectors in files, so that a process need not train them again.

Takes and gives shelves of vectors; must not be relied on: any file may be deleted at any time, and one that is
damaged, or of another version of FAISS, counts as missing and is made again. A file is named by the fingerprint of
what is in it, written under a temporary name, and renamed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np

from deeplens_kit.search import VectorShelf
from deeplens_kit.telemetry import get_logger

__all__ = ["CACHED_FROM_VECTORS", "SearchCache"]

_log = get_logger(__name__)

CACHED_FROM_VECTORS = 20_000
"""From so many vectors (inclusive) a shelf is kept; fewer are read from the catalog as fast as from a file."""

_FORMAT = 1
_ENDING = ".npz"
_NAME_DIGITS = 32
# More than enough for a sum of digests; a file with another member is none of ours.
_MEMBERS = ("digests", "index")


class SearchCache:
    """Shelves in a folder of their own, one file for each feature.

    Args:
        cache_dir: Folder of the workspace's caches.
    """

    def __init__(self, cache_dir: Path | str) -> None:
        self._root = Path(cache_dir) / "search"

    def load(self, key: str) -> VectorShelf | None:
        """The shelf of a feature that was kept last; None where there is none that can be used."""
        for path in self._files(key):
            try:
                # Opened here: numpy leaves the file open where it is no archive.
                with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                    members = {name: archive[name] for name in _MEMBERS}
                shelf = VectorShelf.from_arrays(key, members)
                if _fingerprint(shelf) == path.name.removesuffix(_ENDING):
                    return shelf
                raise ValueError("it is not what its name says")
            # What a damaged archive or index makes of numpy, zipfile and FAISS; RuntimeError is FAISS's own.
            except (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile) as error:
                _log.warning("search index is made again: its file cannot be used", error=type(error).__name__)
        return None

    def keep(self, shelf: VectorShelf) -> None:
        """Keep a shelf in place of others of its feature; where it cannot be written, it is made again next time."""
        arrays = shelf.to_arrays()
        if arrays is None:
            return
        target = self._root / shelf.key / f"{_fingerprint(shelf)}{_ENDING}"
        old = self._files(shelf.key)
        temporary = target.with_name(f".new-{os.getpid()}-{secrets.token_hex(8)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as stream:
                    np.savez(stream, allow_pickle=False, **arrays)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            for path in old:
                if path != target:
                    path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("search index not kept", error=error.strerror or type(error).__name__)

    def _files(self, key: str) -> list[Path]:
        """Files of a feature, the newest first."""
        try:
            found = [(path.stat().st_mtime_ns, path) for path in (self._root / key).glob(f"*{_ENDING}")]
        except OSError:
            return []
        return [path for _, path in sorted(found, reverse=True)]


def _fingerprint(shelf: VectorShelf) -> str:
    """Names the feature, the pictures and their order, and how they are laid out."""
    digest = hashlib.sha256(repr((_FORMAT, shelf.key, shelf.layout)).encode())
    digest.update(str(shelf.digests.str.join("\n").item() if len(shelf) else "").encode())
    return digest.hexdigest()[:_NAME_DIGITS]
