"""An index of vectors in files: a base that is mapped, what came since, and what is gone.

Takes shelves and gives them back; must not be relied on: any file may be deleted at any time, and what is damaged, or
made by another version, counts as missing and is made again. A manifest names the files of one generation and is
replaced last, so that a kill at any moment leaves the generation of before; what it leaves behind is swept by the next
process that writes or opens.

    manifest.json                  which of the following are meant, and what tells them from damaged ones
    base-<fingerprint>/            digests (rising), vectors.f16, and for an inverted file index.faiss
    delta-<sha256>, gone-<sha256>  digests and vectors that came since; digests that are gone
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.cache_files import (
    TEMPORARY,
    alone_in,
    facts_of,
    moved_into_place,
    temporary_name,
    without,
    write_bytes,
    write_json,
)
from deeplens_kit.search.vectors import policy
from deeplens_kit.search.vectors.base import Metric
from deeplens_kit.search.vectors.base_files import BaseFiles, base_of_files, written_base
from deeplens_kit.search.vectors.digests import DIGEST_BYTES
from deeplens_kit.search.vectors.exact_part import ExactPart
from deeplens_kit.search.vectors.shelf import Stored, VectorShelf
from deeplens_kit.telemetry import get_logger

__all__ = ["IndexFolder"]

_log = get_logger(__name__)

_FORMAT = 3
_MANIFEST = "manifest.json"
# What this cache made, and what it made in its first format.
_OURS = ("base-", "delta-", "gone-", TEMPORARY)
_FIRST_FORMAT = ".npz"
_NAME_DIGITS = 32
# Beyond, what came since is written as one.
_MOST_DELTAS = 8
_MERGE_BLOCK = 16_384
# What a damaged file makes of json, numpy and FAISS; RuntimeError is FAISS's own.
_UNUSABLE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError)

Blocks = Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]]]


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The files of one feature's index.

    Attributes:
        path: A folder of its own.
        key: `FeatureSpec.key`.
        metric: How vectors are compared.
    """

    path: Path
    key: str
    metric: Metric = Metric.COSINE

    def generation(self) -> str | None:
        """The name of the base that is there now; None where there is none. Cheap: one small file is read."""
        try:
            return str(json.loads((self.path / _MANIFEST).read_text(encoding="utf-8"))["base"]["name"])
        except _UNUSABLE:
            return None

    def open(self) -> VectorShelf | None:
        """The shelf that was kept last, mapped; None where there is none that can be used."""
        self._sweep()
        # Another process may replace the generation between reading its names and opening its files.
        for _ in range(3):
            before = self.generation()
            if before is None:
                return None
            try:
                return self._opened(self._manifest())
            except _UNUSABLE as error:
                if self.generation() == before:
                    reason = str(error) if type(error) is ValueError else type(error).__name__
                    _log.warning("search index is made again: its files cannot be used", reason=reason)
                    return None
        return None

    def build(
        self,
        digests: NDArray[np.uint8],
        dimensions: int,
        blocks: Blocks,
        *,
        flat_vectors: int = policy.FLAT_VECTORS,
        threads: int | None = None,
    ) -> VectorShelf | None:
        """Make a base of vectors that come in blocks, in any order, and open it; memory holds the codes at most.

        Args:
            digests: uint8 (n, 32), each once, at least one.
            dimensions: Of the vectors.
            blocks: Digests among these, uint8 (m, 32), with float16 (m, dimensions), each once.
            flat_vectors: As in `policy`.
            threads: Cores to use; all by default.

        Returns:
            The shelf; None where another is writing, or the disk refuses, which the log says.
        """
        try:
            with alone_in(self.path) as alone:
                if not alone:
                    return None
                self._write_base(digests, dimensions, blocks, flat_vectors, threads)
                self._remove_others()
        # InterruptedError: the process ends.
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            _log.warning("search index not kept", reason=reason)
            return None
        return self.open()

    def opened_when_free(self, wait_seconds: float) -> VectorShelf | None:
        """As `open`, once nobody writes here."""
        try:
            with alone_in(self.path, wait_seconds=wait_seconds):
                pass
        except OSError:
            return None
        return self.open()

    def merge(
        self, shelf: VectorShelf, *, flat_vectors: int = policy.FLAT_VECTORS, threads: int | None = None
    ) -> VectorShelf | None:
        """Make a base of all that is alive in a shelf; None as for `build`, or where the base is another's by now."""
        if not shelf.living or (shelf.stored is not None and self.generation() != shelf.stored.base):
            return None
        alive = np.arange(len(shelf)) if shelf.alive is None else np.flatnonzero(shelf.alive)
        packed = shelf.packed_digests

        def blocks() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
            for first in range(0, len(alive), _MERGE_BLOCK):
                rows = alive[first : first + _MERGE_BLOCK]
                yield packed[rows], shelf.rows(rows).astype(np.float16)

        dimensions = shelf.parts[0].vectors.shape[1]
        return self.build(packed[alive], dimensions, blocks(), flat_vectors=flat_vectors, threads=threads)

    def keep(self, shelf: VectorShelf) -> VectorShelf:
        """Write down what came and went since a shelf's base; the shelf as it is then.

        Where another process has written meanwhile nothing is kept: what is lost is only that the next one reads
        these few from the catalog.
        """
        stored = shelf.stored
        if stored is None:
            return self.merge(shelf) or shelf
        came = len(shelf) - shelf.base_rows - stored.delta_rows
        gone = _packed_gone(shelf)
        gone_name = f"gone-{_sha(gone)}" if gone else None
        if not came and gone_name == stored.gone:
            return shelf
        try:
            with alone_in(self.path) as alone:
                if not alone:
                    return shelf
                manifest = self._manifest()
                if _stored(manifest) != stored:
                    return shelf
                if came:
                    manifest["deltas"] = self._with_delta(shelf, manifest["deltas"])
                if gone_name != stored.gone:
                    manifest["gone"] = None
                    if gone_name is not None:
                        write_bytes(self.path / gone_name, gone)
                        manifest["gone"] = {"name": gone_name}
                write_json(self.path / _MANIFEST, manifest)
                self._remove_others()
        except _UNUSABLE as error:
            _log.warning("search index not kept", reason=type(error).__name__)
            return shelf
        return replace(shelf, stored=_stored(manifest))

    def is_due(self, shelf: VectorShelf) -> bool:
        """Whether so much came and went since a shelf's base that it should be merged."""
        came = len(shelf) - shelf.base_rows
        return shelf.stored is not None and policy.is_due(shelf.base_rows, came, len(shelf) - shelf.living)

    # --- One generation ---------------------------------------------------------------------------------------

    def _manifest(self) -> dict[str, Any]:
        manifest = json.loads((self.path / _MANIFEST).read_text(encoding="utf-8"))
        if (manifest["format"], manifest["key"], manifest["metric"]) != (_FORMAT, self.key, str(self.metric)):
            raise ValueError("it is of another format or feature")
        return dict(manifest)

    def _opened(self, manifest: Mapping[str, Any]) -> VectorShelf:
        base = manifest["base"]
        digests, part = base_of_files(self.path / _safe(base["name"], "base-"), BaseFiles.of(base), self.metric)
        dimensions = part.vectors.shape[1]
        shelf = VectorShelf(self.key, self.metric, (part,), (digests,))
        came = [self._delta(delta, dimensions) for delta in manifest["deltas"]]
        if came:
            late = ExactPart(np.concatenate([vectors for _, vectors in came]), self.metric)
            packed = np.concatenate([packed for packed, _ in came])
            shelf = replace(shelf, parts=(part, late), packed=(digests, packed))
        if manifest["gone"] is not None:
            gone = np.frombuffer(self._checked(manifest["gone"]["name"], "gone-"), np.uint8).reshape(-1, DIGEST_BYTES)
            alive = np.ones(len(shelf), bool)
            rows = shelf.rows_of(gone)
            alive[rows[rows >= 0]] = False
            shelf = shelf.only(alive)
        return replace(shelf, stored=_stored(manifest))

    def _delta(self, delta: Mapping[str, Any], dimensions: int) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
        content, count = self._checked(delta["name"], "delta-"), int(delta["count"])
        digests = np.frombuffer(content, np.uint8, count * DIGEST_BYTES).reshape(count, DIGEST_BYTES)
        vectors = np.frombuffer(content, np.float16, offset=count * DIGEST_BYTES)
        return digests, vectors.reshape(count, dimensions)

    def _checked(self, name: str, kind: str) -> bytes:
        content = (self.path / _safe(name, kind)).read_bytes()
        if name != f"{kind}{_sha(content)}":
            raise ValueError(f"{kind.rstrip('-')} is not what its name says")
        return content

    def _with_delta(self, shelf: VectorShelf, deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The list of what came since, with a further file for what is new, or one for all of it."""
        stored = shelf.stored
        first = 0 if stored is None or len(deltas) >= _MOST_DELTAS else stored.delta_rows
        digests, vectors = shelf.packed[1][first:], shelf.parts[1].vectors[first:]
        content = np.ascontiguousarray(digests).tobytes() + np.ascontiguousarray(vectors).tobytes()
        name = f"delta-{_sha(content)}"
        write_bytes(self.path / name, content)
        return [*(deltas if first else []), {"name": name, "count": len(digests)}]

    def _write_base(
        self, digests: NDArray[np.uint8], dimensions: int, blocks: Blocks, flat_vectors: int, threads: int | None
    ) -> None:
        temporary = temporary_name(self.path)
        temporary.mkdir()
        try:
            files = written_base(
                temporary, digests, dimensions, blocks, self.metric, flat_vectors=flat_vectors, threads=threads
            )
            known = {name: facts_of(temporary / name) for name in files.names}
            content = json.dumps([_FORMAT, self.key, str(self.metric), files.layout, known["digests"].sha256])
            # Of more than 8 MiB the facts look at samples only.
            whole = hashlib.sha256(content.encode() + (temporary / "digests").read_bytes()).hexdigest()
            name = f"base-{whole[:_NAME_DIGITS]}"
            if (self.path / name).exists():
                # Damaged, or left by a killed process; others that have it mapped keep it.
                without(self.path / name)
            moved_into_place(temporary, self.path / name)
        finally:
            if temporary.exists():
                without(temporary)
        manifest = {"format": _FORMAT, "key": self.key, "metric": str(self.metric), "deltas": [], "gone": None}
        manifest["base"] = files.as_json(name, known)
        write_json(self.path / _MANIFEST, manifest)

    # --- What was left behind ---------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Remove what the manifest does not name, unless somebody writes: then it may be his."""
        if not self._others():
            return
        try:
            with alone_in(self.path) as alone:
                if alone:
                    self._remove_others()
        except OSError as error:
            _log.warning("search index not swept", reason=type(error).__name__)

    def _remove_others(self) -> None:
        for path in self._others():
            without(path)

    def _others(self) -> list[Path]:
        """What this cache made and the manifest does not name."""
        try:
            manifest = self._manifest()
            stored = _stored(manifest)
            named = {stored.base, *stored.deltas, stored.gone}
        except _UNUSABLE:
            named = set()
        try:
            entries = [entry.name for entry in os.scandir(self.path)]
        except OSError:
            return []
        ours = [name for name in entries if name.startswith(_OURS) or name.endswith(_FIRST_FORMAT)]
        return [self.path / name for name in ours if name not in named]


def _stored(manifest: Mapping[str, Any]) -> Stored:
    deltas = manifest["deltas"]
    gone = manifest["gone"]
    return Stored(
        str(manifest["base"]["name"]),
        tuple(str(delta["name"]) for delta in deltas),
        sum(int(delta["count"]) for delta in deltas),
        None if gone is None else str(gone["name"]),
    )


def _packed_gone(shelf: VectorShelf) -> bytes:
    if shelf.alive is None:
        return b""
    return np.ascontiguousarray(shelf.packed_digests[~shelf.alive]).tobytes()


def _safe(name: str, kind: str) -> str:
    if not name.startswith(kind) or "/" in name or "\\" in name:
        raise ValueError(f"{name!r} names no file of this cache")
    return name


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_NAME_DIGITS]
