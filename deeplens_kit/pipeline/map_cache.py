"""Map layouts in files, named by the fingerprint of everything that made them.

Takes places and gives them back; must not be relied on: any file of it may be deleted at any time, and what is damaged
counts as missing. Plain numbers in numpy's format, written to a temporary name and renamed; what was not used for
longest is swept.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.explore import LANDMARKS, LAYOUT_VERSION
from deeplens_kit.search.cache_files import mark_used, sweep, used_last, write_bytes
from deeplens_kit.telemetry import get_logger

__all__ = ["LayoutKey", "MapCache"]

_log = get_logger(__name__)

# Of several features and seeds, so that going back and forth between them costs nothing.
_MAPS_KEPT = 8


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
        values = (self.feature_key, self.seed, self.neighbours, self.landmarks, self.layout_version, self.umap_version)
        digest = sha256(repr(values).encode())
        for name in self.digests:
            digest.update(f"\n{name}".encode())
        return digest.hexdigest()


class MapCache:
    """Places by key.

    Args:
        cache_dir: Folder of the workspace's caches; `maps` is made in it when first needed.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._root = Path(cache_dir) / "maps"

    def path(self, key: LayoutKey) -> Path:
        """Where the places are, or would be."""
        return self._root / f"{key.fingerprint}.npy"

    def get(self, key: LayoutKey) -> NDArray[np.float32] | None:
        """Places (n, 2) in the order of the key's digests; None where they are missing or damaged."""
        try:
            places = np.load(self.path(key), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = isinstance(places, np.ndarray) and places.dtype == np.float32 and places.shape == (len(key.digests), 2)
        if not fits:
            return None
        mark_used(self.path(key))
        return np.asarray(places, np.float32)

    def put(self, key: LayoutKey, places: NDArray[np.float32]) -> None:
        """Keep places; readers see all of them or none. Where they cannot be kept the log says so."""
        target = self.path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            np.save(content, places, allow_pickle=False)
            write_bytes(target, content.getbuffer())
            sweep(self._root, {target.name, *used_last(self._root.glob("*.npy"), _MAPS_KEPT)})
        except OSError as error:
            # The map itself is there; the next one takes as long again.
            _log.warning("the map is not kept", folder=str(self._root), reason=error.strerror or str(error))


def _umap_version() -> str:
    try:
        return metadata.version("umap-learn")
    except metadata.PackageNotFoundError:
        return ""
