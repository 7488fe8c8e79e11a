"""Somebody saves over a name between two calls of the system, or the process ends there: no file of anybody is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage import LinkForm, LocationKind, local_changing, local_swapping, new_files, open_location
from deeplens_kit.storage.new_files import private_name, unfinished_name

OURS, THEIRS, NEW = b"what was there", b"somebody's, saved in between", b"new content"


@pytest.fixture
def location(tmp_path: Path) -> LocationKind:
    (tmp_path / "a.txt").write_bytes(OURS)
    return open_location("L", "pics", str(tmp_path), {"permissions": "change"})


@pytest.fixture
def no_free_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS: neither an exclusive rename nor an exchange of names."""
    for module in (local_changing, local_swapping):
        monkeypatch.setattr(module, "rename_to_free_name", _refuse)
    monkeypatch.setattr(local_swapping, "exchange_names", _refuse)


def _refuse(*_: object, **__: object) -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _save(folder: Path, data: bytes = THEIRS) -> None:
    """As programs save: written beside it, and renamed over it."""
    (folder / "save.tmp").write_bytes(data)
    (folder / "save.tmp").replace(folder / "a.txt")


def _at_call(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, number: int, before: Callable[[], None]
) -> list[int]:
    """Have something happen right before the n-th call of a function; gives the calls counted."""
    called, real = [0], getattr(owner, name)

    def call(*given: object, **more: object) -> object:
        called[0] += 1
        if called[0] == number:
            before()
        return real(*given, **more)

    monkeypatch.setattr(owner, name, call)
    return called


def _act(location: LocationKind, act: str) -> None:
    state = location.stat("a.txt")
    if act == "move":
        location.move("a.txt", "b.txt", expected=state)
    elif act == "replace":
        location.replace("a.txt", NEW, expected=state)
    else:
        location.remove("a.txt", expected=state)


@pytest.mark.usefixtures("no_free_rename")
@pytest.mark.parametrize(
    ("act", "call", "number"),
    [
        ("move", "link", 1),  # the second name would be that of another file
        ("move", "rename", 1),  # the old name is another's by now
        ("replace", "rename", 2),  # 1 puts the new content aside, 2 takes the name
        ("remove", "rename", 1),
    ],
)
def test_what_is_saved_in_between_has_the_name_where_nothing_is_exchanged(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, act: str, call: str, number: int
) -> None:
    called = _at_call(monkeypatch, os, call, number, lambda: _save(tmp_path))
    with pytest.raises(ObjectChangedError):
        _act(location, act)
    assert called[0] >= number
    assert _contents(tmp_path) == {"a.txt": THEIRS}


@pytest.mark.usefixtures("no_free_rename")
@pytest.mark.parametrize("act", ["move", "replace", "remove"])
def test_two_saves_in_between_are_both_there(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    _at_call(monkeypatch, os, "rename", 2 if act == "replace" else 1, lambda: _save(tmp_path, b"first"))
    # While the first lies under a private name another one takes the name.
    look = local_swapping._put_back
    _at_call(monkeypatch, local_swapping, "_put_back", 1, lambda: _save(tmp_path, b"second"))
    with pytest.raises(ObjectChangedError, match=r"lies beside it as '\.deeplens-"):
        _act(location, act)
    monkeypatch.setattr(local_swapping, "_put_back", look)
    found = _contents(tmp_path)
    assert found.pop("a.txt") == b"second"
    assert b"first" in found.values()


@pytest.mark.usefixtures("no_free_rename")
def test_a_file_that_is_moved_away_meanwhile_is_moved(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_call(monkeypatch, os, "rename", 1, (tmp_path / "a.txt").unlink)
    _act(location, "move")
    assert _contents(tmp_path) == {"b.txt": OURS}


@pytest.mark.usefixtures("no_free_rename")
def test_without_links_nothing_is_replaced(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(old: str, *_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links", old)

    expected = location.stat("a.txt")
    link = os.link
    create = new_files.NewFiles.create

    def create_with_links(*given: object, **more: object) -> None:
        with monkeypatch.context() as context:
            context.setattr(os, "link", link)
            create(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(new_files.NewFiles, "create", create_with_links)
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ObjectUnreadableError, match="nor make hard links"):
        location.replace("a.txt", NEW, expected=expected)
    assert _contents(tmp_path) == {"a.txt": OURS}


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("saved", [True, False])
def test_a_fault_right_after_an_exchange_loses_no_file(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, fault: BaseException, saved: bool
) -> None:
    exchange = new_files.exchange_names

    def exchange_and_fail(*given: object) -> None:
        monkeypatch.setattr(local_swapping, "exchange_names", exchange)
        if saved:
            _save(tmp_path)
        exchange(*given)  # type: ignore[arg-type]
        raise fault

    monkeypatch.setattr(local_swapping, "exchange_names", exchange_and_fail)
    stops = isinstance(fault, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt if stops else ObjectChangedError if saved else ObjectUnreadableError):
        _act(location, "replace")
    assert _contents(tmp_path) == {"a.txt": THEIRS if saved else NEW}


@pytest.mark.parametrize("failing", ["the look", "the way back"])
def test_what_an_exchange_caught_stays_where_it_cannot_be_given_back(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    exchange, look = new_files.exchange_names, local_swapping._state

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def save_and_exchange(*given: object) -> None:
        _save(tmp_path)
        exchange(*given)  # type: ignore[arg-type]
        if failing == "the look":
            monkeypatch.setattr(local_swapping, "_state", fail)
        monkeypatch.setattr(local_swapping, "exchange_names", fail)

    monkeypatch.setattr(local_swapping, "exchange_names", save_and_exchange)
    with pytest.raises(ObjectChangedError, match=r"lies beside it as '\.deeplens-"):
        _act(location, "replace")
    monkeypatch.setattr(local_swapping, "_state", look)
    assert sorted(_contents(tmp_path).values()) == sorted([THEIRS, NEW])


def test_the_last_of_two_files_that_are_saved_around_an_exchange_has_the_name(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, saves = new_files.exchange_names, [b"first", b"second"]

    def save_and_exchange(*given: object) -> None:
        if saves:
            _save(tmp_path, saves.pop(0))
        exchange(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(local_swapping, "exchange_names", save_and_exchange)
    with pytest.raises(ObjectChangedError, match=r"lies beside it as '\.deeplens-"):
        _act(location, "replace")
    found = _contents(tmp_path)
    assert found.pop("a.txt") == b"second"
    assert list(found.values()) == [b"first"]


_KILLED = """
import errno, os, signal, sys
from deeplens_kit.storage import local_changing, local_swapping, open_location
def refuse(*_, **__): raise OSError(errno.EINVAL, "no such rename")
def die_at(folder, act, owner, name, number, exchanges, saves):
    location = open_location("L", "pics", folder, {"permissions": "change"})
    state = location.stat("a.txt")
    if exchanges == "False":
        local_changing.rename_to_free_name = local_swapping.rename_to_free_name = local_swapping.exchange_names = refuse
    owner = os if owner == "os" else local_swapping
    real, called = getattr(owner, name), [0]
    def call(*given, **more):
        called[0] += 1
        if called[0] == int(number) and saves == "True":
            with open(folder + "/save.tmp", "wb") as file: file.write(b"somebody's, saved in between")
            os.replace(folder + "/save.tmp", folder + "/a.txt")
        real(*given, **more)
        if called[0] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, call)
    if act == "replace":
        location.replace("a.txt", b"new content", expected=state)
    else:
        location.move("a.txt", "b.txt", expected=state)
for case in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try: die_at(*case.split("|"))
        finally: os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, case
"""

_KILLS: list[tuple[str, str, int, bool, bool, dict[str, bytes]]] = [
    # The exchange is done, and nobody looked at what it caught.
    ("replace", "swap|exchange_names", 1, True, True, {"a.txt": NEW, "private": THEIRS}),
    ("replace", "swap|exchange_names", 1, True, False, {"a.txt": NEW}),
    # The name is free: what had it is given back.
    ("replace", "os|rename", 2, False, True, {"a.txt": THEIRS}),
    ("replace", "os|rename", 2, False, False, {"a.txt": OURS}),
    # The new content has no name but private ones, and then its own as well.
    ("replace", "os|rename", 1, True, False, {"a.txt": OURS}),
    ("replace", "os|link", 2, False, False, {"a.txt": OURS}),
    ("replace", "os|link", 3, False, False, {"a.txt": NEW}),
    ("move", "os|rename", 1, False, True, {"a.txt": THEIRS, "b.txt": OURS}),
    ("move", "os|link", 1, False, False, {"a.txt": OURS, "b.txt": OURS}),
]


def test_a_kill_in_between_loses_no_file(tmp_path: Path) -> None:
    cases = []
    for at, (act, call, number, exchanges, saved, _) in enumerate(_KILLS):
        (tmp_path / str(at)).mkdir()
        (tmp_path / str(at) / "a.txt").write_bytes(OURS)
        cases.append(f"{tmp_path / str(at)}|{act}|{call}|{number}|{exchanges}|{saved}")
    done = subprocess.run([sys.executable, "-c", _KILLED, *cases], check=False, timeout=60, capture_output=True)
    assert done.returncode == 0, done.stderr
    for at, (*case, left) in enumerate(_KILLS):
        folder = tmp_path / str(at)
        location = open_location("L", "pics", str(folder), {"permissions": "change"})
        for _ in range(2):  # the second time there is nothing more to do
            location.remove_unfinished("a.txt")
            found = _contents(folder)
            assert {"private" if name.startswith(".") else name: data for name, data in found.items()} == left, case


def _private_of(process: int) -> str:
    machine, rest = private_name().removeprefix(".deeplens-").split("-", 1)
    return f".deeplens-{machine}-{process}-{rest.split('-')[1]}"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path, location: LocationKind) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead = _private_of(ended.pid)
    of_elsewhere = f".deeplens-{'0a' * 8}-{ended.pid}-{'a1' * 8}"
    caught = local_swapping._name_of_caught("other.txt", "1-2-3").removeprefix(private_name())[-30:]
    stays = [
        unfinished_name(),  # of this process, which lives
        f"{of_elsewhere}.part",
        dead,
        f"{dead}{caught}",
        f".deeplens-{ended.pid}-{'a1' * 8}",
        ".deeplens-quarantine",
    ]
    left = [f"{dead}.part", f"{_private_of(ended.pid)}.part"]
    for name in (*left, *stays):
        (tmp_path / name).write_bytes(b"1")
    assert location.remove_unfinished("a.txt") == 2
    assert sorted(_contents(tmp_path)) == sorted([*stays, "a.txt"])


def test_a_machine_that_cannot_be_told_from_others_judges_nobody(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = f"{_private_of(ended.pid)}.part"
    (tmp_path / left).write_bytes(b"1")
    # A container that shares the kernel, and with it the start of the machine, but sees other processes.
    new_files._machine.cache_clear()
    monkeypatch.setattr(os, "readlink", lambda *_, **__: "pid:[1]")
    try:
        assert location.remove_unfinished("a.txt") == 0
    finally:
        new_files._machine.cache_clear()
    assert left in _contents(tmp_path)


@pytest.mark.parametrize("number", [1, 2])
def test_a_link_that_is_changed_in_between_stays(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    location.link("a.txt", "soft.txt", LinkForm.SYMLINK, expected=location.stat("a.txt"))

    def relink() -> None:
        (tmp_path / "new.txt").symlink_to("elsewhere")
        (tmp_path / "new.txt").replace(tmp_path / "soft.txt")

    _at_call(monkeypatch, os, "readlink" if number == 1 else "rename", 1, relink)
    with pytest.raises(ObjectChangedError):
        location.remove_link("soft.txt", "a.txt")
    assert (tmp_path / "soft.txt").readlink() == Path("elsewhere")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "soft.txt"]
