"""What a listed checksum says, and what it does not: only what equals a digest of bytes that we read is known."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.pipeline.identifying import KnownContents, promising_first
from deeplens_kit.pipeline.reading import ReadTask
from deeplens_kit.storage import ObjectStat
from deeplens_kit.storage.values import ANNOUNCED


def _digests(data: bytes) -> tuple[str, str, int]:
    return hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest(), len(data)


def _pictures(*contents: bytes) -> pl.DataFrame:
    rows = [_digests(data) for data in contents]
    return pl.DataFrame(rows, schema={"digest": pl.String, "md5": pl.String, "size_bytes": pl.Int64}, orient="row")


def _task(path: str, data: bytes, checksum: str | None = None, **changes: object) -> ReadTask:
    listed = f"md5:{hashlib.md5(data).hexdigest()}" if checksum is None else checksum or None
    return replace(ReadTask(path, ObjectStat(len(data), "t", checksum=listed)), **changes)


def test_a_listed_md5_of_equal_size_is_the_content_that_we_read() -> None:
    known = KnownContents(_pictures(b"one", b"two"))
    found = known.identified(_task("a", b"two"))
    assert found is not None
    assert (found.digest, found.task.identity_basis) == (_digests(b"two")[0], "md5+size")


@pytest.mark.parametrize(
    "task",
    [
        _task("other content", b"six"),
        _task("no checksum", b"one", ""),
        _task("announced alone", b"one", ANNOUNCED),
        # AES-KMS gives ETags of 32 digits that are the MD5 of nothing.
        _task("an ETag that is no MD5", b"one", f"md5:{'0' * 32}"),
        _task("another size", b"four", f"md5:{hashlib.md5(b'one').hexdigest()}"),
        _task("crc32c never", b"one", "crc32c:00000000"),
        _task("lacks a feature", b"one", indexed=True),
    ],
    ids=lambda task: task.path,
)
def test_all_else_is_read(task: ReadTask) -> None:
    known = KnownContents(_pictures(b"one", b"two"))
    assert known.identified(task) is None
    assert known.split([task]) == ([], [task], [])


def test_an_md5_that_two_contents_share_identifies_nothing_any_more() -> None:
    known = KnownContents(_pictures(b"one"))
    _, md5, size_bytes = _digests(b"one")
    known.add("f" * 64, md5, size_bytes)
    assert known.identified(_task("a", b"one")) is None


def test_a_full_sha256_identifies_what_we_read_and_nothing_else() -> None:
    known = KnownContents(_pictures(b"one"))
    task = _task("a", b"one", ANNOUNCED)
    assert known.worth_asking(task)
    assert not known.worth_asking(_task("b", b"another size", ANNOUNCED))
    found = known.identified(task, f"sha256:{_digests(b'one')[0]}")
    assert found is not None
    assert (found.digest, found.task.identity_basis) == (_digests(b"one")[0], "sha256")
    assert known.identified(task, f"sha256:{_digests(b'two')[0]}") is None
    assert known.identified(task, None) is None


def test_of_equal_checksums_one_is_read_and_the_others_wait_for_it() -> None:
    known = KnownContents(_pictures(b"known"))
    tasks = [_task("k", b"known"), _task("a", b"new"), _task("b", b"new"), _task("c", b"other"), _task("d", b"new")]
    identified, first, waiting = known.split(tasks)
    assert [item.task.path for item in identified] == ["k"]
    assert ([item.path for item in first], [item.path for item in waiting]) == (["a", "c"], ["b", "d"])
    known.add(*_digests(b"new"))
    assert [item.task.path for item in known.split(waiting)[0]] == ["b", "d"]


_CONTENTS = st.lists(st.binary(min_size=1, max_size=2), max_size=12)


@given(_CONTENTS, _CONTENTS, st.booleans())
def test_splitting_loses_nothing_and_believes_only_what_was_read(
    read: list[bytes], listed: list[bytes], lies: bool
) -> None:
    known = KnownContents(_pictures(*set(read)))
    wrong = f"md5:{hashlib.md5(b'lie').hexdigest()}"
    tasks = [_task(str(at), data, wrong if lies and at % 2 else None) for at, data in enumerate(listed)]
    identified, first, waiting = known.split(tasks)
    assert sorted([item.task.path for item in identified] + [item.path for item in first + waiting]) == sorted(
        task.path for task in tasks
    )
    for item in identified:
        assert item.digest == _digests(listed[int(item.task.path)])[0]
    assert {task.stat.checksum for task in waiting} <= {task.stat.checksum for task in first}


@given(st.lists(st.integers(1, 9), max_size=15), st.lists(st.integers(1, 9), max_size=5))
def test_what_shares_its_size_comes_first_and_then_the_small(sizes: list[int], held: list[int]) -> None:
    tasks = [ReadTask(str(at), ObjectStat(size, "t")) for at, size in enumerate(sizes)]
    listed = pl.DataFrame({"size_bytes": sizes}, schema={"size_bytes": pl.Int64})
    ordered = promising_first(tasks, pl.Series(held, dtype=pl.Int64), listed)
    assert sorted(ordered, key=lambda task: task.path) == sorted(tasks, key=lambda task: task.path)
    keys = [
        (not (task.stat.size_bytes in held or sizes.count(task.stat.size_bytes) > 1), task.stat.size_bytes)
        for task in ordered
    ]
    assert keys == sorted(keys)
