"""New files appear whole under their names, and never in the place of another."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.errors import ObjectError, StoreFullError
from deeplens_kit.storage import new_files
from deeplens_kit.storage.new_files import NewFiles

AN_INSTANT_NS = 1_500_000_000_123_456_000


def test_a_file_has_its_bytes_its_time_and_nothing_beside_it(tmp_path: Path) -> None:
    with NewFiles(str(tmp_path)) as files:
        assert not files.holds("a.jpg")
        files.create("a.jpg", b"bytes", modified_ns=AN_INSTANT_NS)
        assert files.holds("a.jpg")
    assert os.listdir(tmp_path) == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"bytes"
    assert (tmp_path / "a.jpg").stat().st_mtime_ns == AN_INSTANT_NS


@pytest.fixture(params=["links", "renames alone", "neither, old kernel", "neither, file system"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that give a file its name in different ways; Linux itself where it has both."""
    if request.param == "links":
        return
    monkeypatch.setattr(os, "link", _no_links)
    if request.param == "neither, old kernel":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    elif request.param == "neither, file system":
        monkeypatch.setattr(new_files, "rename_to_free_name", _invalid)


@pytest.mark.usefixtures("system")
def test_a_name_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"mine")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "folder.jpg").mkdir()
    with NewFiles(str(tmp_path)) as files:
        for name in ("a.jpg", "dangling.jpg", "folder.jpg"):
            assert files.holds(name)
            with pytest.raises(FileExistsError):
                files.create(name, b"other")
        files.create("b.jpg", b"new")
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"
    assert (tmp_path / "b.jpg").read_bytes() == b"new"
    assert not (tmp_path / "nowhere").exists()
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "b.jpg", "dangling.jpg", "folder.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="the call that does it in one step is Linux'")
def test_without_links_a_kill_never_leaves_an_empty_file(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from deeplens_kit.storage.new_files import NewFiles\n"
        "def no_links(*_, **__): raise PermissionError(1, 'no links')\n"
        "def killed(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.link, os.rename = no_links, killed\n"
        "with NewFiles(sys.argv[1]) as files: files.create('a.jpg', b'bytes')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == 0
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.jpg", b"bytes")]


def test_without_links_what_the_rename_meets_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    with NewFiles(str(tmp_path)) as files:
        with pytest.raises(ObjectError, match=r"cannot be written.*too long"):
            files.create("x" * 300 + ".jpg", b"bytes")
        monkeypatch.setattr(new_files, "rename_to_free_name", _disk_full)
        with pytest.raises(StoreFullError, match="no space left"):
            files.create("a.jpg", b"bytes")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_written_out_costs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", _failing_for_folders(os.fsync, number))
    with NewFiles(str(tmp_path)) as files:
        files.create("a.jpg", b"bytes")
    assert (tmp_path / "a.jpg").read_bytes() == b"bytes"
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", _failing_for_folders(os.fsync, errno.EIO))
    with NewFiles(str(tmp_path)) as files, pytest.raises(ObjectError, match="cannot be written"):
        files.create("b.jpg", b"bytes")


def test_without_links_and_renames_what_somebody_saves_under_the_name_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    opened = os.open

    def open_and_save(path: str, flags: int, *rest: int, **more: int) -> int:
        handle = opened(path, flags, *rest, **more)
        if path == "a.jpg":
            Path(tmp_path / "b").write_bytes(b"hers")
            Path(tmp_path / "b").rename(tmp_path / "a.jpg")
        return handle

    with NewFiles(str(tmp_path)) as files, monkeypatch.context() as patch:
        patch.setattr(os, "open", open_and_save)
        with pytest.raises(FileExistsError):
            files.create("a.jpg", b"ours")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.jpg": b"hers"}


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NewFiles(str(tmp_path)) as files:
        with pytest.raises(ObjectError, match="cannot be written"):
            files.create("x" * 300 + ".jpg", b"bytes")
        monkeypatch.setattr(os, "fsync", _disk_full)
        with pytest.raises(StoreFullError, match="no space left"):
            files.create("a.jpg", b"bytes")
        monkeypatch.setattr(os, "fsync", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.create("a.jpg", b"bytes")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_moved_is_still_the_folder(tmp_path: Path) -> None:
    folder, moved = tmp_path / "copies", tmp_path / "moved"
    folder.mkdir()
    with NewFiles(str(folder)) as files:
        folder.rename(moved)
        folder.symlink_to(tmp_path)
        files.create("a.jpg", b"bytes")
    assert (moved / "a.jpg").exists()
    assert not (tmp_path / "a.jpg").exists()


def _no_links(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def _invalid(*_arguments: object) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


def _failing_for_folders(sync: Callable[[int], None], number: int) -> Callable[[int], None]:
    def synced(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    return synced


def _disk_full(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _interrupted(_descriptor: int) -> None:
    raise KeyboardInterrupt
