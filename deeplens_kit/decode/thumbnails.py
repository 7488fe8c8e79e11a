"""Thumbnails for people: encoding, and a cache of files by content digest.

Takes upright RGB samples, gives WebP bytes; the cache must not be relied on: any file of it may be deleted at any
time, and what is damaged counts as missing. Features that are added later may be computed from these files, where
their models say so; evidence for a copy never is.
"""

from __future__ import annotations

import errno
import io
import os
import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.picture import DECODE_SPEC, fitted
from deeplens_kit.errors import SettingsError, StoreFullError

__all__ = ["THUMBNAIL_SIDES_PX", "ThumbnailCache", "decode_thumbnail", "encode_thumbnail"]

THUMBNAIL_SIDES_PX = (150, 300, 600)
"""Long sides that are cached: lists, pages, a closer look."""

WEBP_QUALITY = 75
WEBP_METHOD = 0
# Over photographs at 300 px, method 1 takes an eighth more time for 4 % fewer bytes; 2 saves another 15 % for half as
# much time again, 3 and more double it. Quality 80 adds 15 % of bytes that cannot be seen at this size.

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})


def encode_thumbnail(
    rgb: NDArray[np.uint8], side_px: int = 300, *, quality: int = WEBP_QUALITY, method: int = WEBP_METHOD
) -> bytes:
    """Encode a picture as WebP, the long side at most `side_px`; smaller pictures are not enlarged.

    Args:
        rgb: (height, width, 3) uint8, upright sRGB.
        side_px: Long side in pixels, at least 1.
        quality: libwebp's, 0..100.
        method: libwebp's effort, 0 (fast) .. 6 (small).

    Returns:
        A lossy WebP file.
    """
    image = Image.fromarray(rgb)
    target = fitted(image.size, side_px)
    if image.size != target:
        # From 384 to 300 px nothing sharper than Hamming can be seen, and it takes half of Lanczos' time.
        image = image.resize(target, Image.Resampling.HAMMING)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=quality, method=method)
    return stream.getvalue()


def decode_thumbnail(content: bytes) -> NDArray[np.uint8] | None:
    """Samples (height, width, 3) uint8 of a thumbnail that was kept; None where it is damaged."""
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        return None


class ThumbnailCache:
    """Thumbnails in files, named by digest, side and decode path; safe for any number of writers.

    Args:
        cache_dir: Folder of the workspace's caches; `thumbnails` is made in it when first needed.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._root = Path(cache_dir) / "thumbnails" / DECODE_SPEC

    def path(self, digest: str, side_px: int = 300) -> Path:
        """Where the thumbnail of a picture is, or would be.

        Raises:
            SettingsError: `side_px` is none of `THUMBNAIL_SIDES_PX`, or `digest` is not 64 lower-case hexadecimal
                digits (it becomes a file name, so nothing else may).
        """
        if side_px not in THUMBNAIL_SIDES_PX:
            raise SettingsError(f"A thumbnail of {side_px} px is not kept; sides: {THUMBNAIL_SIDES_PX}.")
        if not _DIGEST.fullmatch(digest):
            raise SettingsError(f"{digest!r} is not a SHA-256 in lower-case hexadecimal.")
        return self._root / str(side_px) / digest[:2] / digest[2:4] / f"{digest}.webp"

    def get(self, digest: str, side_px: int = 300) -> bytes | None:
        """The thumbnail, or None when it is missing, damaged or `digest` is no digest."""
        if not _DIGEST.fullmatch(digest):
            return None
        try:
            content = self.path(digest, side_px).read_bytes()
        except OSError:
            return None
        return content if _is_whole(content) else None

    def put(self, digest: str, content: bytes, side_px: int = 300) -> Path:
        """Keep a thumbnail; the last of several writers of one name wins, readers never see half a file.

        Not synced to the disk: after a power cut a file may be empty, `get` then calls it missing and it is made
        again. A sync for each of a million small files would cost more than making them.

        Raises:
            StoreFullError: No space is left, or a quota is reached.
            SettingsError: As `path`.
            OSError: The folder cannot be written.
        """
        target = self.path(digest, side_px)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            if error.errno in _FULL_ERRORS:
                raise StoreFullError(
                    f"No space for thumbnails in {str(self._root)!r}; free some, or name another cache_dir."
                ) from error
            raise
        return target


def _is_whole(content: bytes) -> bool:
    declared = 8 + int.from_bytes(content[4:8], "little")
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP" and declared == len(content)
