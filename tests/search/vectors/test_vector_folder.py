"""The files of an index: written by one at a time, opened only when they are what was written, swept."""

from __future__ import annotations

import importlib.util
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from vector_worlds import COUNT, DIMENSIONS, names, queries, vectors

from deeplens_kit.search.cache_files import alone_in
from deeplens_kit.search.vectors import IndexFolder, VectorShelf, digest_bytes, policy
from deeplens_kit.search.vectors import folder as folders

Block = tuple[NDArray[np.uint8], NDArray[np.float16]]


@pytest.fixture
def folder(tmp_path: Path) -> IndexFolder:
    return IndexFolder(tmp_path / "k", "k")


def blocks(count: int = COUNT) -> Iterator[Block]:
    """In the order in which a catalog may have them."""
    for first in range(0, count, 500):
        yield digest_bytes(names(count)[first : first + 500]), vectors(count=count)[first : first + 500]


def built(folder: IndexFolder, *, flat_vectors: int = 100) -> VectorShelf:
    shelf = folder.build(digest_bytes(names()), DIMENSIONS, blocks(), flat_vectors=flat_vectors)
    assert shelf is not None
    return shelf


def answers(shelf: VectorShelf) -> list[list[str]]:
    return [shelf.digests[shelf.nearest(query, 10)[0]].to_list() for query in queries()]


def test_the_vectors_of_blocks_are_laid_in_the_order_of_their_digests(folder: IndexFolder) -> None:
    shelf = built(folder, flat_vectors=COUNT)
    order = np.argsort(names())
    assert shelf.digests.to_list() == sorted(names())
    assert np.array_equal(shelf.rows(np.arange(COUNT)), vectors()[order].astype(np.float32))
    assert shelf.layout == "exact"
    assert not shelf.parts[0].vectors.flags.writeable


def test_blocks_that_lack_a_vector_or_have_a_strange_one_make_no_index(folder: IndexFolder) -> None:
    some = list(blocks())
    assert folder.build(digest_bytes(names()), DIMENSIONS, some[:-1]) is None
    assert folder.build(digest_bytes(names()[:-1]), DIMENSIONS, some) is None
    assert [path.name for path in folder.path.iterdir()] == [".lock"]


def test_two_never_write_at_once_and_who_reads_is_not_kept_waiting(folder: IndexFolder) -> None:
    shelf, inside, go_on = built(folder), threading.Event(), threading.Event()

    def slow() -> Iterator[Block]:
        inside.set()
        assert go_on.wait(30)
        yield from blocks()

    made: list[VectorShelf | None] = []
    thread = threading.Thread(
        target=lambda: made.append(folder.build(digest_bytes(names()), DIMENSIONS, slow(), flat_vectors=COUNT))
    )
    thread.start()
    assert inside.wait(30)
    # Meanwhile: another build is not begun, nothing half-built is opened, and what comes is not lost.
    assert folder.build(digest_bytes(names()), DIMENSIONS, blocks()) is None
    assert folder.merge(shelf) is None
    later = shelf.add(names(5, COUNT), vectors(7, 5))
    assert folder.keep(later) is later
    between = folder.open()
    assert between is not None
    assert between.stored == shelf.stored
    go_on.set()
    thread.join(30)
    assert made[0] is not None
    assert made[0].layout == "exact"
    # What was laid beside the base of before is not laid beside this one.
    assert folder.keep(later) is later
    assert folder.merge(later) is None
    assert answers(later) == answers(shelf.add(names(5, COUNT), vectors(7, 5)))


@pytest.mark.parametrize("kind", ["digests", "vectors.f16", "index.faiss", "delta-*", "gone-*", "manifest.json"])
def test_what_is_damaged_counts_as_missing(folder: IndexFolder, kind: str) -> None:
    folder.keep(built(folder).add(names(5, COUNT), vectors(7, 5)).remove(names()[:3]))
    (file,) = folder.path.rglob(kind)
    whole = file.read_bytes()
    middle = len(whole) // 2
    for damaged in (None, b"", whole[:middle], whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]):
        copy = folder.path.with_name("copy")
        shutil.copytree(folder.path, copy)
        assert IndexFolder(copy, "k").open() is not None
        changed = copy / file.relative_to(folder.path)
        changed.unlink()
        if damaged is not None:
            changed.write_bytes(damaged)
        assert IndexFolder(copy, "k").open() is None
        shutil.rmtree(copy)


def test_a_manifest_of_another_kind_is_not_followed(folder: IndexFolder) -> None:
    built(folder)
    manifest = json.loads((folder.path / "manifest.json").read_text())
    base = manifest["base"]
    for change in (
        {"format": 1},
        {"key": "other"},
        {"metric": "euclidean"},
        {"base": base | {"layout": "IVF of FAISS 0"}},
        {"base": base | {"name": "../" + base["name"]}},
        {"deltas": [{"name": "x", "count": 1}]},
    ):
        copy = folder.path.with_name("copy")
        shutil.copytree(folder.path, copy)
        (copy / "manifest.json").write_text(json.dumps(manifest | change))
        assert IndexFolder(copy, "k").open() is None
        shutil.rmtree(copy)


def test_what_a_killed_process_left_is_swept_and_what_is_not_ours_stays(folder: IndexFolder) -> None:
    built(folder)
    (folder.path / ".new-1-ab").mkdir()
    (folder.path / ".new-1-ab" / "vectors.f16").write_bytes(b"half")
    for name in (".new-2-cd", "delta-00", "gone-00", "0" * 32 + ".npz", "notes.txt"):
        (folder.path / name).write_bytes(b"left")
    with alone_in(folder.path):
        # Somebody writes: it may be his.
        assert folder.open() is not None
        assert (folder.path / ".new-2-cd").exists()
    assert folder.open() is not None
    left = sorted(path.name for path in folder.path.iterdir())
    assert left == [".lock", f"{folder.generation()}", "manifest.json", "notes.txt"]


def test_many_small_additions_become_one_file(folder: IndexFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_MOST_DELTAS", 3)
    shelf = built(folder)
    for number in range(5):
        shelf = folder.keep(shelf.add(names(2, COUNT + 2 * number), vectors(20 + number, 2)))
        again = folder.open()
        assert again is not None
        assert again.digests.to_list() == shelf.digests.to_list()
        assert len(list(folder.path.glob("delta-*"))) == [1, 2, 3, 1, 2][number]
    assert folder.keep(shelf) is shelf
    assert not folder.is_due(shelf)
    monkeypatch.setattr(policy, "MERGE_LEAST", 9)
    monkeypatch.setattr(policy, "MERGE_SHARE", 0.0)
    assert folder.is_due(shelf)


def test_without_faiss_everything_is_compared(folder: IndexFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = built(folder)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "faiss" else find(name, *rest))
    plain = folder.open()
    assert plain is not None
    assert (plain.layout, fast.layout[:3]) == ("exact", "IVF")
    assert answers(plain) == answers(VectorShelf.of("k", names(), vectors(), flat_vectors=1))


def test_a_disk_that_refuses_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("a file where the folder should be")
    folder = IndexFolder(tmp_path / "k", "k")
    assert folder.open() is None
    assert folder.build(digest_bytes(names()), DIMENSIONS, blocks()) is None
    shelf = VectorShelf.of("k", names(), vectors())
    assert folder.keep(shelf) is shelf
    assert folder.opened_when_free(0.0) is None
