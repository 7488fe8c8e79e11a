"""Clusters and words in numbers, in files named by the fingerprint of everything that made them.

Takes arrays and gives them back; must not be relied on: any file of it may be deleted at any time, and what is damaged
counts as missing. Plain numbers in numpy's format, written to a temporary name and renamed; what was not used for
longest is swept.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.explore import CLUSTERING_VERSION, Clustering
from deeplens_kit.search.cache_files import mark_used, sweep, used_last, write_bytes
from deeplens_kit.telemetry import get_logger

__all__ = ["ClusterCache", "ClusterKey"]

_log = get_logger(__name__)

# Of several features and least sizes, so that going back and forth between them costs nothing.
_CLUSTERINGS_KEPT, _WORDS_KEPT = 8, 4
_PARTS = {"labels": np.int32, "probability": np.float32, "medoids": np.int64}
_LIBRARIES = ("scikit-learn", "faiss-cpu", "faiss-gpu")


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """Everything that the clusters of pictures depend on.

    Attributes:
        digests: The pictures, in the order of the labels.
        copies_of: For each the position of the picture that it is counted with.
        feature_key: `FeatureSpec.key` of the vectors: name, version and weights.
        least: As in `explore.cluster`.
        clustering_version: Of `explore.cluster`.
        libraries: Names and versions of those that find clusters here.
    """

    digests: tuple[str, ...]
    copies_of: tuple[int, ...]
    feature_key: str
    least: int
    clustering_version: int = CLUSTERING_VERSION
    libraries: tuple[str, ...] = ()

    @classmethod
    def of(cls, digests: Iterable[str], copies_of: NDArray[np.int64], feature_key: str, least: int) -> ClusterKey:
        """The key under what is installed here."""
        return cls(tuple(digests), tuple(copies_of.tolist()), feature_key, least, libraries=_libraries())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it, in hexadecimal."""
        digest = sha256(repr((self.feature_key, self.least, self.clustering_version, self.libraries)).encode())
        for name, copy_of in zip(self.digests, self.copies_of, strict=True):
            digest.update(f"\n{name} {copy_of}".encode())
        return digest.hexdigest()


class ClusterCache:
    """Clusterings by key, and embedded words by what made them.

    Args:
        cache_dir: Folder of the workspace's caches; `clusters` is made in it when first needed.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._root = Path(cache_dir) / "clusters"

    def path(self, key: ClusterKey) -> Path:
        """Where the clusters are, or would be."""
        return self._root / f"{key.fingerprint}.npz"

    def get(self, key: ClusterKey) -> Clustering | None:
        """The clusters in the order of the key's digests; None where they are missing or damaged."""
        try:
            # Read first: of a damaged file numpy leaves the handle open.
            stored = np.load(io.BytesIO(self.path(key).read_bytes()), allow_pickle=False)
            found = {name: stored[name] for name in _PARTS}
        # What a damaged file makes of numpy and zipfile; of another format `np.load` gives an array without names.
        except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile, zlib.error):
            return None
        count = len(key.digests)
        fits = all(found[name].dtype == kind and found[name].ndim == 1 for name, kind in _PARTS.items())
        if not fits or len(found["labels"]) != count or len(found["probability"]) != count:
            return None
        clusters = len(found["medoids"])
        numbered = clusters == int(found["labels"].max(initial=-1)) + 1
        within = bool(((found["medoids"] >= 0) & (found["medoids"] < count)).all())
        if not (numbered and within):
            return None
        mark_used(self.path(key))
        return Clustering(**found)

    def put(self, key: ClusterKey, clustering: Clustering) -> None:
        """Keep clusters; readers see all of them or none. Where they cannot be kept the log says so."""
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **{name: getattr(clustering, name) for name in _PARTS})
        self._keep(self.path(key), content)

    def words(self, model: str, phrases: Iterable[str], size: int) -> NDArray[np.float16] | None:
        """Embedded phrases (w, size), in their order; None where they are missing or damaged.

        Args:
            model: `FeatureSpec.key` of what embedded them.
            phrases: Of the words.
            size: Numbers of a vector.
        """
        phrases = tuple(phrases)
        try:
            found = np.load(self._words_path(model, phrases), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = isinstance(found, np.ndarray) and found.dtype == np.float16 and found.shape == (len(phrases), size)
        if not (fits and np.isfinite(found).all()):
            return None
        mark_used(self._words_path(model, phrases))
        return np.asarray(found, np.float16)

    def put_words(self, model: str, phrases: Iterable[str], embedded: NDArray[np.float16]) -> None:
        """Keep embedded phrases."""
        content = io.BytesIO()
        np.save(content, embedded, allow_pickle=False)
        self._keep(self._words_path(model, tuple(phrases)), content)

    def _words_path(self, model: str, phrases: tuple[str, ...]) -> Path:
        return self._root / f"words-{sha256(repr((model, phrases)).encode()).hexdigest()}.npy"

    def _keep(self, target: Path, content: io.BytesIO) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, content.getbuffer())
            kept = used_last(self._root.glob("*.npz"), _CLUSTERINGS_KEPT)
            kept += used_last(self._root.glob("words-*.npy"), _WORDS_KEPT)
            sweep(self._root, {target.name, *kept})
        except OSError as error:
            # What was found is there; the next look takes as long again.
            _log.warning("the clusters are not kept", folder=str(self._root), reason=error.strerror or str(error))


def _libraries() -> tuple[str, ...]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)
