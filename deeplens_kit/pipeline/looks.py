"""The pixels that verification sees: looks and luma of pictures, each made once while it is needed.

Takes how the bytes of a picture are read, gives a `PixelSource` that threads share; must not compare. Looks are held in
memory up to a limit, and where there is a cache folder their local features are kept in files. What cannot be read or
decoded is None, so that one picture costs its pairs and not the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.errors import ObjectError
from deeplens_kit.matching.verification.base import LOOK_SIDE_PX, Grey, Look
from deeplens_kit.pipeline.bounded_cache import BoundedCache
from deeplens_kit.pipeline.look_files import LookFiles
from deeplens_kit.pipeline.picture_bytes import PictureBytes
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import DecodeSettings, MatchSettings
from deeplens_kit.telemetry import get_logger, span

__all__ = ["PictureLooks"]

_log = get_logger(__name__)

# Of the memory for looks: a full-size picture of 12 megapixels takes as much as eleven looks.
_LUMA_SHARE = 0.25
# What an entry costs whatever is in it; a picture that cannot be read has nothing else.
_ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What is kept of a picture, and the bytes that it takes."""

    look: Look | None
    size_bytes: int


class PictureLooks:
    """A `PixelSource` over the bytes of pictures.

    Args:
        read: Gives the bytes of a picture, None where it cannot be read; called from several threads.
        decoder: Decodes them within limits.
        held_bytes: The most memory for looks and luma together that are kept for more than the pair at hand.
        files: Keeps local features between runs; None keeps them in memory alone.
    """

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        decoder: IsolatedDecoder,
        *,
        held_bytes: int = MatchSettings().held_look_bytes,
        files: LookFiles | None = None,
    ) -> None:
        self._read, self._decoder, self._files = read, decoder, files
        luma_bytes = int(held_bytes * _LUMA_SHARE)
        self._looks: BoundedCache[_Held] = BoundedCache(held_bytes - luma_bytes, lambda held: held.size_bytes)
        self._lumas: BoundedCache[Grey | None] = BoundedCache(
            luma_bytes, lambda luma: _ENTRY_BYTES + (0 if luma is None else luma.nbytes)
        )
        self._lock = threading.Lock()
        self._unread: set[str] = set()
        self._found = 0

    @classmethod
    def of_workspace(cls, workspace: Workspace) -> PictureLooks:
        """Pictures of an open workspace, read from its objects; features are kept in its cache folder."""
        settings = workspace.settings
        return cls(
            PictureBytes(workspace).read,
            workspace.decoder,
            held_bytes=settings.match.held_look_bytes,
            files=LookFiles(settings.cache_dir),
        )

    @classmethod
    def of_bytes(cls, contents: Mapping[str, bytes], decode: DecodeSettings) -> PictureLooks:
        """Pictures whose bytes are at hand, by digest."""
        return cls(contents.get, IsolatedDecoder(decode))

    def look(self, digest: str) -> Look | None:
        """As `PixelSource.look`."""
        return self._looks.get(digest, lambda: _held(self._look(digest))).look

    def luma(self, digest: str) -> Grey | None:
        """As `PixelSource.luma`."""
        held = self._looks.held(digest)
        if held is not None and held.look is not None and max(held.look.width, held.look.height) < LOOK_SIDE_PX:
            # Nothing was reduced: what was looked at is the picture at full size.
            return held.look.levels[0]
        return self._lumas.get(digest, lambda: self._grey(digest, None))

    @property
    def unread(self) -> frozenset[str]:
        """Pictures that were asked for and whose bytes could not be read; another run may find them."""
        with self._lock:
            return frozenset(self._unread)

    @property
    def searched(self) -> int:
        """Pictures whose local features were looked for, because they were not at hand."""
        with self._lock:
            return self._found

    @property
    def held_bytes(self) -> int:
        """Memory that looks and luma take now."""
        return self._looks.held_bytes + self._lumas.held_bytes

    def _look(self, digest: str) -> Look | None:
        grey = self._grey(digest, LOOK_SIDE_PX)
        if grey is None:
            return None
        kept = self._files.get(digest, grey) if self._files else None
        if kept is not None:
            return kept
        # Imported here: OpenCV is loaded where pixels are compared, not with every command.
        from deeplens_kit.matching.verification.local_features import look_at

        with span("look"):
            look = look_at(grey)
        with self._lock:
            self._found += 1
        if self._files:
            self._files.put(digest, look)
        return look

    def _grey(self, digest: str, side_px: int | None) -> Grey | None:
        data = self._read(digest)
        if data is None:
            with self._lock:
                self._unread.add(digest)
            return None
        try:
            return self._decoder.grey(data, side_px)
        except ObjectError as error:
            _log.warning("a picture cannot be looked at", digest=digest, code=error.code)
            if error.passing:
                with self._lock:
                    self._unread.add(digest)
            return None


def _held(look: Look | None) -> _Held:
    if look is None:
        return _Held(None, _ENTRY_BYTES)
    features = look.points.nbytes + look.sizes.nbytes + look.angles.nbytes + look.descriptors.nbytes
    return _Held(look, _ENTRY_BYTES + features + sum(level.nbytes for level in look.levels))
