"""Segments of the full text in files, so that a process need not make them again.

Takes and gives segments; must not be relied on: any folder may be deleted at any time, and one that is damaged or of
another version counts as missing and is made again. A segment is a folder named by the fingerprint of what is in it,
written under a temporary name and renamed; its arrays are read from the files where they are needed. They hold what
the catalog and the ledger hold: words of paths, notes and metadata, nothing private.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.search.cache_files import sweep, whole_folder, without, write_array, write_json
from deeplens_kit.search.text_segment import TextSegment
from deeplens_kit.telemetry import get_logger

__all__ = ["TextCache"]

_log = get_logger(__name__)

# Raised when words are told apart, or tags judged, in another way.
_FORMAT = 1
_NAME_DIGITS = 32
_SUMS = "sums.json"


class TextCache:
    """Segments in a folder of their own.

    Args:
        cache_dir: Folder of the workspace's caches.
    """

    def __init__(self, cache_dir: Path | str) -> None:
        self._root = Path(cache_dir) / "search-text"

    def load(self) -> list[TextSegment]:
        """The segments that can be used, the newest first."""
        found = []
        for path in self._folders():
            try:
                segment = _read(path)
                if _name(segment) != path.name:
                    raise ValueError("it is not what its name says")
                found.append(segment)
            # What a damaged array makes of numpy and json.
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                _log.warning("full text is made again: its files cannot be used", error=type(error).__name__)
        return found

    def keep(self, segment: TextSegment, beside: Iterable[TextSegment]) -> None:
        """Keep a segment beside some of before, and no others; what cannot be written is made again next time."""
        target = self._root / _name(segment)
        names = {target.name, *map(_name, beside)}
        try:
            with whole_folder(target) as folder:
                _write(folder, segment)
                # Another process may have made the very same meanwhile, or this one may be damaged.
                without(target)
            sweep(self._root, names)
        except OSError as error:
            _log.warning("full text not kept", error=error.strerror or type(error).__name__)

    def _folders(self) -> list[Path]:
        try:
            found = [(path.stat().st_mtime_ns, path) for path in self._root.iterdir() if path.name[:1] != "."]
        except OSError:
            return []
        return [path for _, path in sorted(found, reverse=True)]


def _write(folder: Path, segment: TextSegment) -> None:
    sums = {}
    for name, array in segment.to_arrays().items():
        write_array(folder / f"{name}.npy", array)
        sums[name] = zlib.crc32(np.ascontiguousarray(array).data)
    write_json(folder / _SUMS, sums)


def _read(folder: Path) -> TextSegment:
    sums = json.loads((folder / _SUMS).read_text())
    arrays = {}
    for item in fields(TextSegment):
        path = folder / f"{item.name}.npy"
        # An empty array cannot be mapped.
        array = np.load(path, allow_pickle=False)
        if array.size:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        if zlib.crc32(np.ascontiguousarray(array).data) != sums[item.name]:
            raise ValueError(f"{item.name} is damaged")
        arrays[item.name] = array
    return TextSegment(**arrays)


def _name(segment: TextSegment) -> str:
    digest = hashlib.sha256(repr((_FORMAT, pl.__version__)).encode())
    digest.update(np.ascontiguousarray(segment.digests).data)
    digest.update(np.ascontiguousarray(segment.fingerprints).data)
    return digest.hexdigest()[:_NAME_DIGITS]
