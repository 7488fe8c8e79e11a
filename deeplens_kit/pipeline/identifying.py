"""Knowing what an object holds without reading it: by a checksum that its storage lists.

Takes listed states and digests that we computed ourselves, gives the digest of a content; must not read an object. A
listed checksum alone says nothing, whatever it looks like (an ETag under KMS encryption has the form of an MD5 too): it
identifies an object only where it equals the digest of bytes that we read, and the size is equal. CRC32C never does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from deeplens_kit.pipeline.reading import ObjectRead, ReadTask
from deeplens_kit.storage.values import ANNOUNCED

__all__ = ["KnownContents", "promising_first"]

_MD5, _SHA256 = "md5:", "sha256:"


class KnownContents:
    """Contents that were read, here or elsewhere; safe to share between threads.

    Args:
        pictures: Columns digest, md5 and size_bytes of pictures that need no analysis any more.
    """

    def __init__(self, pictures: pl.DataFrame) -> None:
        self._lock = threading.Lock()
        self._by_md5: dict[tuple[str, int], str | None] = {}
        self._sizes: dict[str, int] = {}
        self._of_size: set[int] = set()
        for digest, md5, size_bytes in pictures.select("digest", "md5", "size_bytes").iter_rows():
            self.add(digest, md5, size_bytes)

    def add(self, digest: str, md5: str, size_bytes: int) -> None:
        """Remember a content that was read just now."""
        with self._lock:
            known = self._by_md5.setdefault((md5, size_bytes), digest)
            if known != digest:
                self._by_md5[md5, size_bytes] = None  # a collision: this MD5 identifies nothing
            self._sizes[digest] = size_bytes
            self._of_size.add(size_bytes)

    def identified(self, task: ReadTask, checksum: str | None = None) -> ObjectRead | None:
        """What an object holds, by its listed checksum or by one that was asked for; None where that does not tell."""
        checksum = checksum or task.stat.checksum
        if checksum is None or checksum == ANNOUNCED or task.indexed:
            return None
        size_bytes = task.stat.size_bytes
        with self._lock:
            if checksum.startswith(_MD5):
                digest, basis = self._by_md5.get((checksum.removeprefix(_MD5), size_bytes)), "md5+size"
            else:
                digest, basis = checksum.removeprefix(_SHA256), "sha256"
                digest = digest if self._sizes.get(digest) == size_bytes else None
        return ObjectRead(replace(task, identity_basis=basis), digest) if digest else None

    def worth_asking(self, task: ReadTask) -> bool:
        """Whether to ask for an announced checksum: only where a known content has that very size."""
        with self._lock:
            return task.stat.checksum == ANNOUNCED and not task.indexed and task.stat.size_bytes in self._of_size

    def split(self, tasks: Iterable[ReadTask]) -> tuple[list[ObjectRead], list[ReadTask], list[ReadTask]]:
        """Tasks into those known already, those to read, and those that wait for one to read with the same checksum."""
        known: list[ObjectRead] = []
        first: list[ReadTask] = []
        waiting: list[ReadTask] = []
        asked: set[tuple[str, int]] = set()
        for task in tasks:
            found = self.identified(task)
            if found is not None:
                known.append(found)
                continue
            checksum = task.stat.checksum
            if checksum is None or checksum == ANNOUNCED or task.indexed:
                first.append(task)
                continue
            key = (checksum, task.stat.size_bytes)
            (waiting if key in asked else first).append(task)
            asked.add(key)
        return known, first, waiting


def promising_first(tasks: Sequence[ReadTask], sizes: pl.Series, listed: pl.DataFrame) -> list[ReadTask]:
    """Tasks in the order in which reading them is likeliest to find copies, for a run that may not read them all.

    First what shares its size with another object, here or in the catalog (equal files have equal sizes), then the
    rest; within each the smaller first, so that a budget reaches the most objects.

    Args:
        tasks: What there is to read.
        sizes: Sizes of the pictures that the catalog holds, bytes.
        listed: LISTING of the location.
    """
    counted = listed.group_by("size_bytes").len().filter(pl.col("len") > 1)["size_bytes"]
    shared = frozenset(sizes) | frozenset(counted)
    return sorted(tasks, key=lambda task: (task.stat.size_bytes not in shared, task.stat.size_bytes, task.path))
