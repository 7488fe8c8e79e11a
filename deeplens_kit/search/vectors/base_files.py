"""The files of a base: digests, vectors and, for many, an inverted file; written in blocks, opened by mapping.

Takes vectors in any order and lays them in the order of their digests, so that two bases, or a base and a library
in the same order, are laid against each other without a look at the texts. Must not decide where the files lie.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.cache_files import FileFacts, fsync_folder, is_as_written, reserved, to_disk
from deeplens_kit.search.vectors.base import Metric, storable
from deeplens_kit.search.vectors.digests import DIGEST_BYTES, rows_of, sorting_order
from deeplens_kit.search.vectors.exact_part import EXACT, ExactPart
from deeplens_kit.search.vectors.inverted_part import InvertedPart, built_index, opened_index, written_index

__all__ = ["BaseFiles", "base_of_files", "written_base"]

_DIGESTS, _VECTORS, _INDEX = "digests", "vectors.f16", "index.faiss"


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """What is known of a base beside its files.

    Attributes:
        count: Vectors.
        dimensions: Numbers of each.
        layout: As `VectorIndex.layout`.
        facts: Of the files, by name; empty before they are looked at.
    """

    count: int
    dimensions: int
    layout: str
    facts: Mapping[str, Mapping[str, object]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BaseFiles:
        """What `as_json` gave."""
        return cls(
            int(values["count"]),
            int(values["dimensions"]),
            str(values["layout"]),
            dict(values["files"]),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of its files."""
        return (_DIGESTS, _VECTORS, _INDEX) if self.is_inverted else (_DIGESTS, _VECTORS)

    @property
    def is_inverted(self) -> bool:
        """Whether there is an inverted file; else everything is compared."""
        return self.layout != EXACT

    def as_json(self, name: str, facts: Mapping[str, FileFacts]) -> dict[str, object]:
        """For a manifest."""
        files = {file: {"bytes": known.bytes, "sha256": known.sha256} for file, known in facts.items()}
        return {
            "name": name,
            "count": self.count,
            "dimensions": self.dimensions,
            "layout": self.layout,
            "files": files,
        }


def written_base(
    folder: Path,
    digests: NDArray[np.uint8],
    dimensions: int,
    blocks: Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]]],
    metric: Metric,
    *,
    flat_vectors: int,
    threads: int | None,
) -> BaseFiles:
    """Write the files of a base into an empty folder; see `IndexFolder.build`.

    Raises:
        ValueError: The blocks do not have every digest once.
        OSError: The disk refuses.
        RuntimeError: FAISS cannot write.
        InterruptedError: The process wants to end.
    """
    # 1. Digests, rising.
    ordered = np.ascontiguousarray(digests[sorting_order(digests)])
    with (folder / _DIGESTS).open("xb") as stream:
        stream.write(ordered.tobytes())
        to_disk(stream)
    # 2. Vectors, each in the row of its digest.
    path = folder / _VECTORS
    reserved(path, 2 * len(ordered) * dimensions)
    vectors = np.memmap(path, np.float16, "r+", shape=(len(ordered), dimensions))
    written = np.zeros(len(ordered), bool)
    for names, block in blocks:
        rows = rows_of(ordered, names)
        if (rows < 0).any():
            raise ValueError("a vector of another picture")
        vectors[rows] = storable(block)
        written[rows] = True
    if not written.all():
        raise ValueError(f"{int((~written).sum())} vectors are lacking")
    vectors.flush()
    _fsync(path)
    # 3. For many, the inverted file.
    exact = ExactPart(vectors.view(np.ndarray), metric)
    part: ExactPart | InvertedPart = exact
    if len(ordered) > flat_vectors and importlib.util.find_spec("faiss") is not None:
        index = built_index(exact, threads=threads)
        part = InvertedPart(exact, index)
        written_index(index, folder / _INDEX)
        _fsync(folder / _INDEX)
    fsync_folder(folder)
    return BaseFiles(len(ordered), dimensions, part.layout, {})


def base_of_files(folder: Path, known: BaseFiles, metric: Metric) -> tuple[NDArray[np.uint8], ExactPart | InvertedPart]:
    """Digests and vectors of a base, mapped: nothing of them is read but for the samples that are checked.

    Raises:
        ValueError: A file is not what was written.
        OSError: A file is not there.
        RuntimeError: FAISS cannot read the inverted file.
    """
    for name in known.names:
        if not is_as_written(folder / name, known.facts[name]):
            raise ValueError(f"{name} was damaged")
    digests = np.memmap(folder / _DIGESTS, np.uint8, "r", shape=(known.count, DIGEST_BYTES)).view(np.ndarray)
    shape = (known.count, known.dimensions)
    exact = ExactPart(np.memmap(folder / _VECTORS, np.float16, "r", shape=shape).view(np.ndarray), metric)
    # Without FAISS what it made is left aside, and everything is compared.
    if not known.is_inverted or importlib.util.find_spec("faiss") is None:
        return digests, exact
    part = InvertedPart(exact, opened_index(folder / _INDEX))
    if part.layout != known.layout:
        raise ValueError(f"made by another version: {known.layout}")
    if part.index.d != known.dimensions:
        raise ValueError(f"{_INDEX} is of other vectors")
    return digests, part


def _fsync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
