"""Local features of pictures in files, so that a picture met again is decoded but not searched again.

Takes looks and gives their features back; must not be relied on: any file may be deleted at any time, and what is
damaged, or was found at another size, counts as missing. Plain arrays in numpy's format, each with its checksum,
written under a temporary name and renamed. A file is named by the picture and by how the features were found in it.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.base import Grey, Look
from deeplens_kit.pipeline.look_names import LOOKS
from deeplens_kit.telemetry import get_logger

__all__ = ["LookFiles"]

_log = get_logger(__name__)

# Members of a file with their types and what a feature has in each; one more says on what size they were found.
_MEMBERS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "points": (np.float32, (2,)),
    "sizes": (np.float32, ()),
    "angles": (np.float32, ()),
    "descriptors": (np.uint8, (128,)),
}
_SIZE = "size"


class LookFiles:
    """Local features by picture; safe for any number of writers.

    Args:
        cache_dir: Folder of the workspace's caches; `looks` is made in it when first needed.
    """

    def __init__(self, cache_dir: Path | str) -> None:
        self._root = Path(cache_dir) / "looks" / LOOKS
        self._told = False

    def path(self, digest: str) -> Path:
        """Where the features of a picture are, or would be."""
        return self._root / digest[:2] / digest[2:4] / f"{digest}.npz"

    def get(self, digest: str, grey: Grey) -> Look | None:
        """The look at a picture from its features and its samples; None where there are no features of that size."""
        # Imported here, as OpenCV is: most commands compare no pixels.
        from deeplens_kit.matching.verification.local_features import with_levels

        try:
            # Opened here: numpy leaves the file open where it is no archive.
            with self.path(digest).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in (*_MEMBERS, _SIZE)}
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        if not _fits(arrays, grey):
            return None
        return Look(with_levels(grey), arrays["points"], arrays["sizes"], arrays["angles"], arrays["descriptors"])

    def put(self, digest: str, look: Look) -> None:
        """Keep the features of a picture; where they cannot be kept the log says so once.

        Not synced to the disk: after a power cut a file may be damaged, and is made again.
        """
        target = self.path(digest)
        arrays = {name: getattr(look, name) for name in _MEMBERS}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as stream:
                    np.savez(stream, allow_pickle=False, **arrays, **{_SIZE: np.array(look.levels[0].shape, np.int32)})
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            if not self._told:
                self._told = True
                _log.warning("local features are not kept", folder=str(self._root), reason=error.strerror or str(error))


def _fits(arrays: dict[str, NDArray[Any]], grey: Grey) -> bool:
    """Whether the arrays are of the types of a `Look`, as long as each other, and found on samples of this size."""
    count = len(np.atleast_1d(arrays["sizes"]))
    wanted = {name: (dtype, (count, *tail)) for name, (dtype, tail) in _MEMBERS.items()}
    right = all(arrays[name].dtype == dtype and arrays[name].shape == shape for name, (dtype, shape) in wanted.items())
    return right and arrays[_SIZE].tolist() == list(grey.shape)
