"""The library in files that are mapped into memory, so that a process need not read and order a million rows again.

Takes a library and the fingerprint of what it was read from, gives it back; must not be relied on: any file may
be deleted at any time, and what is damaged or of another format counts as missing. A snapshot is a folder named by its
fingerprint, written under a temporary name and renamed when it is whole. Readers keep what they have mapped, also after
a newer snapshot has taken its place and the files have lost their names.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.search import Library
from deeplens_kit.search.cache_files import sweep, to_disk, whole_folder, write_array, write_json
from deeplens_kit.search.library import PICTURE_COLUMNS, PLACE_COLUMNS
from deeplens_kit.telemetry import get_logger

__all__ = ["KEPT_FROM_PICTURES", "LibrarySnapshot", "snapshot_name"]

_log = get_logger(__name__)

KEPT_FROM_PICTURES = 20_000
"""From so many pictures (inclusive) a snapshot is kept; fewer are read from the catalog as fast as from files."""

_FORMAT = 1
_FRAMES = ("pictures", "places")
_MANIFEST = "manifest.json"
_NAME_DIGITS = 32


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
        try:
            if target.is_dir():
                return
            arrays = library.to_arrays()
            with whole_folder(target) as folder:
                for frame, rows in zip(_FRAMES, (library.pictures, library.places), strict=True):
                    _write_frame(rows, folder / f"{frame}.arrow")
                for array, values in arrays.items():
                    write_array(folder / f"{array}.npy", values)
                rows_of = {"pictures": library.pictures.height, "places": library.places.height}
                write_json(folder / _MANIFEST, {"rows": rows_of, "arrays": sorted(arrays)})
            sweep(self._root, {name})
        except OSError as error:
            _log.warning("library not kept", error=error.strerror or type(error).__name__)


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
        # In one piece, so that what is mapped is one.
        frame.rechunk().write_ipc(stream, compression="uncompressed", record_batch_size=max(frame.height, 1))
        to_disk(stream)
