from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import (
    LimitExceededError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectUnreadableError,
)
from deeplens_kit.storage import ObjectStat
from deeplens_kit.storage.local import LocalLocation

Open = Callable[..., LocalLocation]
MAX = 10_000_000


def listed(location: LocalLocation, path: str) -> ObjectStat:
    row = location.list().frame.row(by_predicate=pl.col("path") == path, named=True)
    return ObjectStat(size_bytes=row["size_bytes"], change_token=row["change_token"])


@pytest.mark.parametrize("size", [0, 1, 4096, 3_000_001])
def test_the_bytes_come_back(tmp_path: Path, location: Open, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.jpg").write_bytes(data)
    opened = location()
    assert opened.read("sub/a.jpg", expected=listed(opened, "sub/a.jpg"), max_bytes=max(size, 1)) == data
    assert opened.read("sub/a.jpg", max_bytes=MAX) == data
    with opened.open("sub/a.jpg") as file:
        file.seek(size // 2)
        assert file.read() == data[size // 2 :]


def test_the_limit_is_inclusive(tmp_path: Path, location: Open) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert location().read("a", max_bytes=5) == b"12345"
    with pytest.raises(LimitExceededError, match="5 bytes are more than the limit of 4"):
        location().read("a", max_bytes=4)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"longer than before"),
        lambda path: os.utime(path, ns=(0, 0)),
        lambda path: (path.rename(path.with_name("old")), path.write_bytes(b"12345")),
    ],
    ids=["size", "time", "another file"],
)
def test_a_file_that_differs_from_its_listing_is_not_read(
    tmp_path: Path, location: Open, change: Callable[[Path], object]
) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    opened = location()
    before = listed(opened, "a")
    change(tmp_path / "a")
    with pytest.raises(ObjectChangedError, match="changed while it was read, or since it was listed"):
        opened.read("a", expected=before, max_bytes=MAX)
    assert opened.read("a", expected=opened.stat("a"), max_bytes=MAX) == (tmp_path / "a").read_bytes()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: os.truncate(path, 9),
        lambda path: os.truncate(path, 2),
        lambda path: path.write_bytes(b"54321"),
        lambda path: (path.write_bytes(b"54321"), os.utime(path, ns=(7, 7))),
    ],
    ids=["grows", "shrinks", "same size", "same size and time set back"],
)
def test_a_file_written_during_the_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    os.utime(path, ns=(7, 7))
    opened = LocalLocation("L", "pics", str(tmp_path), {})
    before = opened.stat("a")
    real, wrote = os.read, []

    def read(file: int, size: int) -> bytes:
        data = real(file, size)
        if not wrote:  # a real write, at the worst moment: after the bytes were taken, before the second look
            wrote.append(write(path))
        return data

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(ObjectChangedError):
        opened.read("a", expected=before, max_bytes=MAX)
    assert wrote


def test_a_writer_at_work_is_noticed_and_waited_out(tmp_path: Path, location: Open) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(300_000))
    stop, at_work = threading.Event(), threading.Event()

    def write() -> None:
        with path.open("r+b", buffering=0) as file:
            while not stop.is_set():
                file.seek(0)
                for _ in range(6):
                    file.write(os.urandom(50_000))
                at_work.set()

    writer = threading.Thread(target=write)
    writer.start()
    at_work.wait()
    refused = False
    try:
        while not refused:  # without the second look it would go on until the test's time is up
            try:
                location().read("a", max_bytes=MAX)
            except ObjectChangedError:
                refused = True
    finally:
        stop.set()
        writer.join()
    assert location().read("a", max_bytes=MAX) == path.read_bytes()


@pytest.mark.parametrize(
    "path", ["", "/", "/etc/passwd", "../a", "sub/../../a", "./a", "sub//a", "sub/", "a\0b", "..", "\ufdd0zz"]
)
def test_a_path_that_no_listing_gave_is_refused(tmp_path: Path, location: Open, path: str) -> None:
    (tmp_path / "a").write_bytes(b"outside")
    (tmp_path / "root/sub").mkdir(parents=True)
    for ask in (location(tmp_path / "root").stat, location(tmp_path / "root").open):
        with pytest.raises(ObjectUnreadableError, match="not one that a listing gave"):
            ask(path)


def test_what_is_no_longer_a_file_is_unreadable(tmp_path: Path, location: Open) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to("folder")
    (tmp_path / "folder/in").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        reasons = {
            "link": "A symbolic link stands in its place, and links are not followed.",
            "folder": "It is not a regular file.",
            "pipe": "It is not a regular file.",
            "socket": "It is not a regular file.",
            "linked/in": "It is no longer there; run `deeplens index` again.",
            "missing": "It is no longer there; run `deeplens index` again.",
            "target/in": "It is no longer there; run `deeplens index` again.",
            "n" * 300: "Its path is longer than the system allows; move it nearer to the location's root.",
        }
        for path, reason in reasons.items():
            with pytest.raises(ObjectUnreadableError) as caught:
                location().read(path, max_bytes=MAX)
            assert str(caught.value) == reason, path


def test_a_pipe_put_in_the_place_of_a_file_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    real = os.stat

    def swap_after_the_look(name: str, **options: Any) -> os.stat_result:
        state = real(name, **options)
        if name == "a":
            monkeypatch.undo()
            path.unlink()
            os.mkfifo(path)
        return state

    opened = LocalLocation("L", "pics", str(tmp_path), {})
    monkeypatch.setattr(os, "stat", swap_after_the_look)
    with pytest.raises(ObjectUnreadableError, match="not a regular file"):
        opened.read("a", max_bytes=MAX)


def test_a_folder_above_that_became_a_link_leads_nowhere(tmp_path: Path, location: Open) -> None:
    (tmp_path / "root/sub/deep").mkdir(parents=True)
    (tmp_path / "root/sub/deep/a").write_bytes(b"inside")
    opened = location(tmp_path / "root")
    before = opened.stat("sub/deep/a")
    (tmp_path / "root/sub").rename(tmp_path / "moved")
    (tmp_path / "root/sub").symlink_to(tmp_path / "moved")
    with pytest.raises(ObjectUnreadableError, match="no longer there"):
        opened.read("sub/deep/a", expected=before, max_bytes=MAX)


def test_permission_is_told_apart(open_folder: Path, bound_by_permissions: Callable[..., Any]) -> None:
    (open_folder / "a").write_bytes(b"x")
    (open_folder / "a").chmod(0)
    answer = bound_by_permissions(
        "try: answer = location.read('a', max_bytes=9).decode()\n"
        "except DeepLensError as error: answer = [error.code, str(error)]",
        open_folder,
    )
    assert answer == ["permission", "Permission denied; allow reading and run `deeplens index` again."]


def test_a_root_that_is_gone_or_another_is_not_blamed_on_its_files(tmp_path: Path, location: Open) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a").write_bytes(b"x")
    opened = location(tmp_path / "root")
    opened.list()
    (tmp_path / "root").rename(tmp_path / "away")
    with pytest.raises(LocationUnavailableError, match="does not exist"):
        opened.read("a", max_bytes=MAX)
    (tmp_path / "root").mkdir()  # as the empty mount point that an unmounted share leaves behind
    with pytest.raises(LocationUnavailableError, match="another folder than before"):
        opened.stat("a")


def test_no_handle_stays_open(tmp_path: Path, location: Open) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(b"x")
    opened = location()
    opened.list()
    before = set(os.listdir("/proc/self/fd"))
    for path in ("sub/a", "sub/b", "sub", "../x"):
        for ask in (opened.stat, lambda path: opened.read(path, max_bytes=MAX)):
            with suppress(ObjectUnreadableError):
                ask(path)
    opened.list()
    opened.check()
    assert set(os.listdir("/proc/self/fd")) <= before
