"""The library in files that are mapped into memory, so that a process need not read and order a million rows again.

Takes a library and the fingerprint of what it was read from, gives it back; must not be relied on: any file may
be deleted at any time, and what is damaged or of another format counts as missing. A snapshot is a folder named by its
fingerprint, written under a temporary name and renamed when it is whole. Readers keep what they have mapped, also after
a newer snapshot has taken its place and the files have lost their names.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search import Library
from deeplens_kit.search.library import PICTURE_COLUMNS, PLACE_COLUMNS
from deeplens_kit.telemetry import get_logger

__all__ = ["KEPT_FROM_PICTURES", "LibrarySnapshot", "snapshot_name"]

_log = get_logger(__name__)

KEPT_FROM_PICTURES = 20_000
"""From so many pictures (inclusive) a snapshot is kept; fewer are read from the catalog as fast as from files."""

_FORMAT = 1
_FRAMES = ("pictures", "places")
_MANIFEST = "manifest.json"
_TEMPORARY = ".new-"
_NAME_DIGITS = 32
# A process that was killed while it wrote leaves a folder; one that is so old is nobody's.
_ABANDONED_SECONDS = 3600.0


def snapshot_name(catalog: str, locations: object) -> str:
    """The name of the snapshot of a library.

    Args:
        catalog: Fingerprint of what the catalog holds.
        locations: What else the library depends on, with a stable `repr`.
    """
    depends = (_FORMAT, pl.__version__, catalog, locations, PICTURE_COLUMNS, PLACE_COLUMNS)
    return hashlib.sha256(repr(depends).encode()).hexdigest()[:_NAME_DIGITS]


class LibrarySnapshot:
    """Snapshots in a folder of their own, of which the last is kept.

    Args:
        cache_dir: Folder of the workspace's caches.
    """

    def __init__(self, cache_dir: Path | str) -> None:
        self._root = Path(cache_dir) / "library"

    def load(self, name: str) -> Library | None:
        """The library of that name, without vectors; None where it was not kept, or cannot be used."""
        folder = self._root / name
        try:
            if not folder.is_dir():
                return None
            said = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            frames = {frame: _mapped_frame(folder / f"{frame}.arrow") for frame in _FRAMES}
            if any(frames[frame].height != said["rows"][frame] for frame in _FRAMES):
                raise ValueError("it has other rows than it says")
            arrays = {array: np.load(folder / f"{array}.npy", mmap_mode="r") for array in said["arrays"]}
            return Library.of_arrays(frames["pictures"], frames["places"], arrays)
        # What damaged files make of json, Arrow and numpy: pyarrow's own errors are ValueError and OSError.
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            _log.warning("library is read from the catalog: its snapshot cannot be used", error=type(error).__name__)
            # Out of the way of the one that is made now.
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def keep(self, name: str, library: Library) -> None:
        """Keep a library in place of the one before; where it cannot be written, it is read again next time."""
        target = self._root / name
        temporary = self._root / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            if target.is_dir():
                return
            temporary.mkdir(parents=True)
            try:
                arrays = library.to_arrays()
                for frame, rows in zip(_FRAMES, (library.pictures, library.places), strict=True):
                    _write_frame(rows, temporary / f"{frame}.arrow")
                for array, values in arrays.items():
                    _write_array(values, temporary / f"{array}.npy")
                rows_of = {"pictures": library.pictures.height, "places": library.places.height}
                _write_text(json.dumps({"rows": rows_of, "arrays": sorted(arrays)}), temporary / _MANIFEST)
                temporary.rename(target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            self._sweep(target)
        except OSError as error:
            if target.is_dir():
                return  # another process was faster
            _log.warning("library not kept", error=error.strerror or type(error).__name__)

    def _sweep(self, kept: Path) -> None:
        """Remove other snapshots, and what a process that was killed left half written."""
        now = time.time()
        for folder in self._root.iterdir():
            unfinished = folder.name.startswith(_TEMPORARY)
            # Others sweep too.
            with suppress(FileNotFoundError):
                if folder != kept and (not unfinished or now - folder.stat().st_mtime > _ABANDONED_SECONDS):
                    shutil.rmtree(folder, ignore_errors=True)


def _mapped_frame(path: Path) -> pl.DataFrame:
    import pyarrow as pa

    # Columns are read when they are looked at; polars takes the mapped buffers as they are.
    with pa.memory_map(str(path)) as stream:
        frame = pl.from_arrow(pa.ipc.open_file(stream).read_all(), rechunk=False)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected a table, got {type(frame)}")
    return frame


def _write_frame(frame: pl.DataFrame, path: Path) -> None:
    with path.open("xb") as stream:
        frame.rechunk().write_ipc(stream, compression="uncompressed", record_batch_size=max(frame.height, 1))
        _synced(stream.fileno(), stream.flush)


def _write_array(values: NDArray[np.generic], path: Path) -> None:
    with path.open("xb") as stream:
        np.save(stream, values, allow_pickle=False)
        _synced(stream.fileno(), stream.flush)


def _write_text(text: str, path: Path) -> None:
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)
        _synced(stream.fileno(), stream.flush)


def _synced(descriptor: int, flush: Callable[[], object]) -> None:
    flush()
    os.fsync(descriptor)
