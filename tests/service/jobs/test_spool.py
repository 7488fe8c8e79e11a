"""Bytes that wait for their job."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deeplens_kit.errors import ObjectGoneError, SettingsError, StoreFullError, WorkspaceError
from deeplens_kit.service.jobs import Spool


def test_what_was_put_is_there_under_the_name_that_it_came_with(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    entries = [spool.put(name, b"bytes") for name in ("a b.jpg", "../../etc/passwd", "", "..", "x\\y.png", "é" * 300)]
    names = [spool.path(entry).name for entry in entries]
    assert names[:5] == ["a b.jpg", "passwd", "picture", "picture", "y.png"]
    assert len(names[5].encode()) <= 200
    assert all(spool.path(entry).read_bytes() == b"bytes" for entry in entries)
    assert all((tmp_path / "spool") in spool.path(entry).parents for entry in entries)


@pytest.mark.parametrize("entry", ["", "a", "/a/b", "../b", "a/../b", "a/..", "a/b/c"])
def test_what_is_no_entry_is_no_path(tmp_path: Path, entry: str) -> None:
    with pytest.raises(SettingsError, match="no entry of the spool"):
        Spool(tmp_path).path(entry)


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for error, becomes in (
        (ValueError("cut off"), ValueError),
        (OSError(28, "No space left on device"), StoreFullError),
        (OSError(5, "Input/output error"), WorkspaceError),
    ):
        with pytest.raises(becomes), spool.writing("a.jpg") as file:
            file.write(b"half")
            raise error
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_nobody_wants_any_more_goes_when_it_is_old(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.prune([], 0) == 0
    wanted, left, young = (spool.put("a.jpg", b"a") for _ in range(3))
    spool.folder_of("j1")
    spool.folder_of("j2")
    long_ago = time.time() - 1000
    for name in (wanted.partition("/")[0], left.partition("/")[0], "job-j1", "job-j2"):
        os.utime(tmp_path / "spool" / name, (long_ago, long_ago))
    assert spool.prune([wanted, "j1"], 500) == 2
    assert {path.name for path in (tmp_path / "spool").iterdir()} == {
        wanted.partition("/")[0], young.partition("/")[0], "job-j1",
    }  # fmt: skip
    spool.remove("j1", [wanted])
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [young.partition("/")[0]]


def test_a_link_is_its_owners_alone_until_its_job_is_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    entry = spool.put_link("https://ana:pass@pictures.test/é.png?sig=hidden")
    assert spool.link_of(entry) == "https://ana:pass@pictures.test/é.png?sig=hidden"
    assert spool.path(entry).stat().st_mode & 0o077 == 0
    assert "hidden" not in entry
    spool.remove("", [entry])
    with pytest.raises(ObjectGoneError, match="ask for the picture again"):
        spool.link_of(entry)
