"""Map layouts in files, named by the fingerprint of everything that made them.

Takes layouts and gives them back, also one of nearly the same pictures, into which new ones can be put; must not be
relied on: any file of it may be deleted at any time, and what is damaged counts as missing. Plain numbers in numpy's
format, written to a temporary name and renamed; what was not used for longest is swept.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.explore import LANDMARKS, LAYOUT_VERSION, Layout
from deeplens_kit.search.cache_files import mark_used, sweep, used_last, write_bytes
from deeplens_kit.telemetry import get_logger

__all__ = ["REUSED_SHARE", "KnownLayout", "LayoutKey", "MapCache"]

_log = get_logger(__name__)

# Of several features and seeds, so that going back and forth between them costs nothing.
_MAPS_KEPT = 8

REUSED_SHARE = 0.9
"""A layout stands for other pictures where at least this share (inclusive) of its own is among them, and of them."""

_ROW = np.dtype([("digest", np.uint8, 32), ("place", np.float32, 2), ("is_landmark", np.bool_)])
_FITTED, _EXTENDED = "fitted", "extended"
_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True)
class LayoutKey:
    """Everything that the places of pictures depend on.

    Attributes:
        digests: The pictures, in the order of the places.
        feature_key: `FeatureSpec.key` of the vectors: name, version and weights.
        seed: As in `explore.layout`.
        neighbours: As in `explore.layout`.
        landmarks: As in `explore.layout`.
        layout_version: Of `explore.layout`.
        umap_version: Of umap-learn; empty where it is not installed.
    """

    digests: tuple[str, ...]
    feature_key: str
    seed: int
    neighbours: int
    landmarks: int = LANDMARKS
    layout_version: int = LAYOUT_VERSION
    umap_version: str = ""

    @classmethod
    def of(cls, digests: Iterable[str], feature_key: str, seed: int, neighbours: int) -> LayoutKey:
        """The key under what is installed here."""
        return cls(tuple(digests), feature_key, seed, neighbours, umap_version=_umap_version())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it, in hexadecimal."""
        digest = sha256(self.settings.encode())
        for name in self.digests:
            digest.update(f"\n{name}".encode())
        return digest.hexdigest()

    @property
    def settings(self) -> str:
        """SHA-256 of all but the pictures: layouts of equal settings can stand for each other."""
        values = (self.feature_key, self.seed, self.neighbours, self.landmarks, self.layout_version, self.umap_version)
        return sha256(repr(values).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class KnownLayout:
    """A layout as it was made, of its own pictures.

    Attributes:
        name: Of its file.
        digests: The pictures, rising.
        layout: Where they lie.
    """

    name: str
    digests: pl.Series
    layout: Layout


class MapCache:
    """Places by key.

    Args:
        cache_dir: Folder of the workspace's caches; `maps` is made in it when first needed.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._root = Path(cache_dir) / "maps"

    def path(self, key: LayoutKey, base: str = "") -> Path:
        """Where the layout of a key is, or would be.

        Args:
            key: What it depends on.
            base: The name of the layout that new pictures were put into; empty for one that was made as a whole.
        """
        kind = f"{_EXTENDED}-{sha256(base.encode()).hexdigest()[:_NAME_DIGITS]}" if base else _FITTED
        return self._root / f"{kind}-{key.settings[:_NAME_DIGITS]}-{key.fingerprint}.npy"

    def get(self, key: LayoutKey, base: str = "") -> Layout | None:
        """The layout in the order of the key's digests; None where it is missing or damaged."""
        found = self._read(self.path(key, base))
        if found is None or found.digests.len() != len(key.digests):
            return None
        mark_used(self.path(key, base))
        return found.layout

    def nearest(self, key: LayoutKey) -> KnownLayout | None:
        """The layout of equal settings, made as a whole, whose pictures are nearly those of the key; None for none.

        Of several the one that shares the most pictures with the key, then the first by name.
        """
        asked = pl.Series(key.digests, dtype=pl.String)
        best: tuple[int, KnownLayout] | None = None
        for path in sorted(self._root.glob(f"{_FITTED}-{key.settings[:_NAME_DIGITS]}-*.npy")):
            found = self._read(path)
            if found is None:
                continue
            shared = int(found.digests.is_in(asked.implode()).sum())
            if shared < REUSED_SHARE * max(found.digests.len(), len(key.digests)):
                continue
            if best is None or shared > best[0]:
                best = shared, found
        if best is not None:
            mark_used(self._root / best[1].name)
        return best[1] if best else None

    def put(self, key: LayoutKey, layout: Layout, base: str = "") -> None:
        """Keep a layout; readers see all of it or nothing. Where it cannot be kept the log says so."""
        target = self.path(key, base)
        rows = np.empty(len(key.digests), _ROW)
        rows["digest"] = np.frombuffer(bytes.fromhex("".join(key.digests)), np.uint8).reshape(-1, 32)
        rows["place"], rows["is_landmark"] = layout.places, layout.is_landmark
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            np.save(content, rows, allow_pickle=False)
            write_bytes(target, content.getbuffer())
            kept = {target.name, base} | set(used_last(self._root.glob("*.npy"), _MAPS_KEPT))
            sweep(self._root, kept)
        except OSError as error:
            # The map itself is there; the next one takes as long again.
            _log.warning("the map is not kept", folder=str(self._root), reason=error.strerror or str(error))

    def _read(self, path: Path) -> KnownLayout | None:
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(rows, np.ndarray) or rows.dtype != _ROW or rows.ndim != 1:
            return None
        text = rows["digest"].tobytes().hex()
        digests = pl.Series([text[at : at + 64] for at in range(0, len(text), 64)], dtype=pl.String)
        return KnownLayout(path.name, digests, Layout(rows["place"].copy(), rows["is_landmark"].copy()))


def _umap_version() -> str:
    try:
        return metadata.version("umap-learn")
    except metadata.PackageNotFoundError:
        return ""
