"""Acts on the files of a folder: moves within and across file systems, links, replaced contents, names on the disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deeplens_kit.errors import (
    LocationReadOnlyError,
    ObjectChangedError,
    ObjectError,
    ObjectExistsError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.storage import (
    LinkForm,
    LocationKind,
    local_carrying,
    local_changing,
    local_swapping,
    new_files,
    open_location,
)

_TIME_NS = 1_500_000_000_123_456_789
_SHM = Path("/dev/shm")


@pytest.fixture
def location(tmp_path: Path) -> LocationKind:
    return open_location("L", "pics", str(tmp_path), {"permissions": "change"})


@pytest.fixture
def other_disk(tmp_path: Path, mount: Callable[[Path], None]) -> Path:
    """A folder beneath the location's that lies on another file system."""
    mount(tmp_path / "disk")
    return tmp_path / "disk"


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[tuple[int, int, Path]]:
    """Handles of two folders of two file systems, and the second one."""
    if not _SHM.is_dir() or _SHM.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    folder = _SHM / f"deeplens-test-{os.getpid()}"
    folder.mkdir()
    handles = [os.open(path, os.O_RDONLY) for path in (tmp_path, folder)]
    yield handles[0], handles[1], folder
    for handle in handles:
        os.close(handle)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _made(file: Path, data: bytes = b"12345") -> os.stat_result:
    """A file with a time, permissions and an attribute of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(0o640)
    os.setxattr(file, "user.note", "Ü".encode())
    os.utime(file, ns=(_TIME_NS, _TIME_NS))
    return file.stat()


def _is_like(file: Path, state: os.stat_result, data: bytes = b"12345") -> bool:
    now = file.stat()
    return (
        file.read_bytes() == data
        and (now.st_mode, now.st_mtime_ns) == (state.st_mode, state.st_mtime_ns)
        and os.getxattr(file, "user.note") == "Ü".encode()
    )


def test_a_file_moved_within_a_file_system_is_the_same_file(tmp_path: Path, location: LocationKind) -> None:
    state = _made(tmp_path / "a.bin")
    identity = location.identity("a.bin")
    location.move("a.bin", "x/y/b.bin", expected=location.stat("a.bin"))
    assert _is_like(tmp_path / "x/y/b.bin", state)
    assert location.identity("x/y/b.bin") == identity
    assert location.about("x/y/b.bin").metadata == {"user.note": "Ü"}
    assert location.about("x/y/b.bin").mode == 0o640
    assert location.about("x/y/b.bin").owner == f"{os.getuid()}:{os.getgid()}"


def test_a_file_moved_to_another_disk_keeps_all(tmp_path: Path, location: LocationKind, other_disk: Path) -> None:
    state = _made(tmp_path / "a.bin")
    moved = location.move("a.bin", "disk/x/b.bin", expected=location.stat("a.bin"))
    assert _is_like(other_disk / "x/b.bin", state)
    assert not (tmp_path / "a.bin").exists()
    _made(tmp_path / "taken.bin")
    with pytest.raises(ObjectExistsError):
        location.move("disk/x/b.bin", "taken.bin", expected=moved)
    location.move("disk/x/b.bin", "a.bin", expected=moved)
    assert _is_like(tmp_path / "a.bin", state)
    assert os.listdir(other_disk / "x") == []


def test_a_disk_that_is_full_takes_no_file(tmp_path: Path, location: LocationKind, other_disk: Path) -> None:
    data = os.urandom(2**20 + 1)
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(Exception, match="no space left"):
        location.move("a.bin", "disk/a.bin", expected=location.stat("a.bin"))
    assert os.listdir(other_disk) == []
    assert (tmp_path / "a.bin").read_bytes() == data


def test_a_file_carried_to_another_file_system_keeps_all(
    tmp_path: Path, location: LocationKind, in_memory: tuple[int, int, Path]
) -> None:
    here, there, folder = in_memory
    state = _made(tmp_path / "a.bin", os.urandom(3 * 2**20))
    data = (tmp_path / "a.bin").read_bytes()
    local_carrying.carry_over(here, "a.bin", there, "b.bin", location.stat("a.bin"))
    assert _is_like(folder / "b.bin", state, data)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("change", ["is written", "is dated back", "is spoilt"])
def test_what_changes_on_its_way_to_another_file_system_stays(
    tmp_path: Path,
    location: LocationKind,
    in_memory: tuple[int, int, Path],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    here, there, folder = in_memory
    _made(tmp_path / "a.bin")
    keep = local_carrying.keep_attributes

    def disturb(source: int, made: int) -> None:
        if change == "is spoilt":
            os.pwrite(made, b"X", 0)
        keep(source, made)

    monkeypatch.setattr(local_carrying, "keep_attributes", disturb)
    if change != "is spoilt":

        def write_once_it_is_named(_: int) -> None:
            (tmp_path / "a.bin").write_bytes(b"54321")
            if change == "is dated back":
                os.utime(tmp_path / "a.bin", ns=(_TIME_NS, _TIME_NS))

        monkeypatch.setattr(new_files, "keep_names", write_once_it_is_named)
    with pytest.raises(ObjectError if change == "is spoilt" else ObjectChangedError):
        local_carrying.carry_over(here, "a.bin", there, "b.bin", location.stat("a.bin"))
    assert os.listdir(folder) == []
    assert (tmp_path / "a.bin").read_bytes() == (b"12345" if change == "is spoilt" else b"54321")


def test_what_a_copy_cannot_keep_is_not_moved(
    tmp_path: Path, location: LocationKind, in_memory: tuple[int, int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, folder = in_memory
    _made(tmp_path / "a.bin")
    monkeypatch.setattr(os, "setxattr", _refuse(errno.ENOTSUP))
    with pytest.raises(ObjectUnreadableError, match=r"'user\.note' cannot be kept"):
        local_carrying.carry_over(here, "a.bin", there, "b.bin", location.stat("a.bin"))
    assert (os.listdir(folder), os.listdir(tmp_path)) == ([], ["a.bin"])


def test_a_file_that_takes_the_name_at_the_last_moment_is_given_back(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    rename = local_changing.rename_to_free_name

    def swap_then_rename(*arguments: object) -> None:
        monkeypatch.setattr(local_changing, "rename_to_free_name", rename)
        (tmp_path / "new.bin").write_bytes(b"someone else's")
        (tmp_path / "new.bin").rename(tmp_path / "a.bin")
        rename(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(local_changing, "rename_to_free_name", swap_then_rename)
    with pytest.raises(ObjectChangedError):
        location.move("a.bin", "b.bin", expected=location.stat("a.bin"))
    assert os.listdir(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"someone else's"


def _refuse(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("links", [True, False])
def test_without_an_exclusive_rename_a_file_is_moved_by_links_or_not(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    state = _made(tmp_path / "a.bin")
    _made(tmp_path / "taken.bin", b"other")
    monkeypatch.setattr(local_changing, "rename_to_free_name", _refuse(errno.EINVAL))
    expected = location.stat("a.bin")
    if links:
        with pytest.raises(ObjectExistsError):
            location.move("a.bin", "taken.bin", expected=expected)
        location.move("a.bin", "b.bin", expected=expected)
        assert _is_like(tmp_path / "b.bin", state)
    else:
        monkeypatch.setattr(os, "link", _refuse(errno.EPERM))
        with pytest.raises(ObjectUnreadableError, match="nor make hard links"):
            location.move("a.bin", "b.bin", expected=expected)
        with pytest.raises(ObjectUnreadableError, match="symlink is possible"):
            location.link("a.bin", "b.bin", LinkForm.HARDLINK, expected=expected)
    assert sorted(os.listdir(tmp_path)) == [("b" if links else "a") + ".bin", "taken.bin"]


def test_names_are_on_the_disk_when_an_act_returns(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    (tmp_path / "x").mkdir()
    synced: list[str] = []
    sync = os.fsync

    def note(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(str(tmp_path)))
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    location.move("a.bin", "x/y/b.bin", expected=location.stat("a.bin"))
    # The folder that got a folder, the one that got the name, and then the one that lost it.
    assert synced == ["/x", "/x/y", ""]
    synced.clear()
    location.remove("x/y/b.bin", expected=location.stat("x/y/b.bin"))
    assert synced == ["/x/y"]


def test_a_killed_process_leaves_nothing_of_a_new_file(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from deeplens_kit.storage.new_files import NewFiles\n"
        "die = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with NewFiles(sys.argv[1]) as files: files.create('a.bin', b'12345', finish=die)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    if os.listdir(tmp_path):  # a file system without files that have no name
        location = open_location("L", "pics", str(tmp_path), {"permissions": "change"})
        assert location.remove_unfinished("a.bin") == 1
    assert os.listdir(tmp_path) == []


def test_times_are_set_to_what_a_time_can_say(tmp_path: Path, location: LocationKind) -> None:
    _made(tmp_path / "a.bin")
    state = location.stat("a.bin")
    assert state.modified_at is not None
    location.set_times("a.bin", state.modified_at, expected=state)
    assert (tmp_path / "a.bin").stat().st_mtime_ns == _TIME_NS  # its nanoseconds as well
    location.set_times("a.bin", datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), expected=state)
    assert (tmp_path / "a.bin").stat().st_mtime_ns == -500_000_000


def test_links_have_one_identity_and_stand_for_the_file(tmp_path: Path, location: LocationKind) -> None:
    _made(tmp_path / "x/a.bin")
    state = location.stat("x/a.bin")
    assert location.link("x/a.bin", "y/hard.bin", LinkForm.HARDLINK, expected=state).link_count == 2
    assert location.identity("y/hard.bin") == location.identity("x/a.bin")
    assert location.link("x/a.bin", "y/soft.bin", LinkForm.SYMLINK, expected=state) == location.stat("x/a.bin")
    assert (tmp_path / "y/soft.bin").readlink() == Path("../x/a.bin")
    assert (tmp_path / "y/soft.bin").read_bytes() == b"12345"
    assert location.list().frame["path"].sort().to_list() == ["x/a.bin", "y/hard.bin"]


def test_a_symbolic_link_is_removed_only_where_it_leads_as_it_did(tmp_path: Path, location: LocationKind) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.bin"
    outside.write_bytes(b"far")
    _made(tmp_path / "a.bin")
    location.link("a.bin", "x/soft.bin", LinkForm.SYMLINK, expected=location.stat("a.bin"))
    location.link_to(outside, "x/far.bin")
    assert (tmp_path / "x/far.bin").readlink() == outside
    assert location.link_target("x/far.bin") == str(outside)
    assert location.link_target("x/soft.bin") == "../a.bin"
    assert location.link_target("a.bin") is location.link_target("none/a.bin") is None
    with pytest.raises(ObjectGoneError):
        location.link_to(outside.with_name("none.bin"), "x/none.bin")
    with pytest.raises(ObjectUnreadableError, match="no absolute path"):
        location.link_to(Path("a.bin"), "x/none.bin")
    for path, leads_to in (("x/soft.bin", "b.bin"), ("x/far.bin", "a.bin"), ("a.bin", "a.bin")):
        with pytest.raises(ObjectChangedError):
            location.remove_link(path, leads_to)
    with pytest.raises(ObjectGoneError):
        location.remove_link("x/none.bin", "a.bin")
    location.remove_link("x/soft.bin", "a.bin")
    location.remove_link("x/far.bin", str(outside))
    assert os.listdir(tmp_path / "x") == []
    outside.unlink()


def test_a_reflink_is_made_or_refused_in_one_clear_line(tmp_path: Path, location: LocationKind) -> None:
    state = _made(tmp_path / "a.bin")
    expected = location.stat("a.bin")
    if LinkForm.REFLINK in location.can_link:
        location.link("a.bin", "b.bin", LinkForm.REFLINK, expected=expected)
        assert _is_like(tmp_path / "b.bin", state)
        assert location.identity("a.bin") != location.identity("b.bin")
    else:
        with pytest.raises(LocationReadOnlyError, match="hardlink and symlink are possible"):
            location.link("a.bin", "b.bin", LinkForm.REFLINK, expected=expected)
        assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_replaced_content_keeps_what_the_file_has(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    _made(tmp_path / "a.txt")
    if not exchanges:
        monkeypatch.setattr(local_swapping, "exchange_names", _refuse(errno.EINVAL))
    location.replace("a.txt", b"new", expected=location.stat("a.txt"))
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    assert os.getxattr(tmp_path / "a.txt", "user.note") == "Ü".encode()


def test_what_is_written_at_the_last_moment_is_not_replaced(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    exchange = new_files.exchange_names

    def write_then_exchange(*arguments: object) -> None:
        monkeypatch.setattr(local_swapping, "exchange_names", exchange)
        (tmp_path / "a.txt").write_bytes(b"someone's")
        exchange(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(local_swapping, "exchange_names", write_then_exchange)
    with pytest.raises(ObjectChangedError):
        location.replace("a.txt", b"new", expected=location.stat("a.txt"))
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"someone's"
