"""What all kinds behind a network have in common, over a store in memory whose answers can be lost."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from deeplens_kit.errors import (
    LimitExceededError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.storage import remote_changing
from deeplens_kit.storage.listing import Entry
from deeplens_kit.storage.options import RemoteOptions
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault
from deeplens_kit.storage.store import Cursor, Page, Store, TreeStore


class _Kept(Store):
    """Objects by name: version and content. `after` is told each step that is asked for or done, and may lose it."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.versions, self.lengths = 0, list[int | None]()
        self.after: Callable[[str], None] = lambda step: None

    def put(self, path: str, data: bytes) -> None:
        self.versions += 1
        self.objects[path] = self.versions, data

    def page(self, cursor: Cursor | None) -> Page:
        return Page([self.stat(path) for path in self.objects])

    def stat(self, path: str) -> Entry:
        version, data = self._found(path)
        return Entry(path, len(data), str(version))

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        self.lengths.append(length)
        return self._found(path)[1][start : None if length is None else start + length]

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self.after("asked")
        if path in self.objects:
            raise KnownFault(FaultKind.EXISTS, "taken")
        self.put(path, data)
        self.after("create")

    def copy(self, path: str, target: str, token: str) -> None:
        self.create(target, self._found(path)[1], {})

    def remove(self, path: str, token: str) -> None:
        self._found(path)
        del self.objects[path]
        self.after("remove")

    def fault_of(self, error: BaseException) -> Fault | None:
        return Fault(FaultKind.PASSING, str(error)) if isinstance(error, OSError) else None

    def _found(self, path: str) -> tuple[int, bytes]:
        if path not in self.objects:
            raise KnownFault(FaultKind.GONE, "gone")
        return self.objects[path]


class _Renaming(_Kept):
    """One that renames by itself."""

    def move(self, path: str, target: str, token: str) -> None:
        self.after("asked")
        if target in self.objects:
            raise KnownFault(FaultKind.EXISTS, "taken")
        self.put(target, self._found(path)[1])
        del self.objects[path]
        self.after("move")


def _losing(store: _Kept, step: str, also: Callable[[], None] = lambda: None) -> None:
    """Lose the answer to the first such step; `also` happens before it is tried again."""
    lost: list[str] = []

    def lose(done: str) -> None:
        if done == step and not lost:
            lost.append(done)
            also()
            raise ConnectionResetError("reset")

    store.after = lose


def _opened(store: Store, **options: Any) -> RemoteLocation:
    given = RemoteOptions.of({"permissions": "change", "retry_wait_seconds": 0, **options})
    return RemoteLocation("L", "pics", "kept://x", "kept://x/", given, store)


@pytest.mark.parametrize("kind", [_Kept, _Renaming])
@pytest.mark.parametrize("step", ["", "asked"])
def test_nothing_is_moved_or_copied_onto_itself(kind: type[_Kept], step: str) -> None:
    store = kind()
    store.put("a.jpg", b"one")
    location = _opened(store)
    _losing(store, step)
    for act in (location.move, location.copy):
        with pytest.raises(ObjectExistsError):
            act("a.jpg", "a.jpg", expected=location.stat("a.jpg"))
    assert list(store.objects) == ["a.jpg"]


def test_what_had_the_name_before_is_no_proof_that_a_move_went_well() -> None:
    class Aliased(_Kept):
        """Two names of one object, as where case makes no difference."""

        def _found(self, path: str) -> tuple[int, bytes]:
            return super()._found(path.lower())

        def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
            super().create(path.lower(), data, metadata)

    store = Aliased()
    store.put("a.jpg", b"one")
    location = _opened(store)
    _losing(store, "asked")
    with pytest.raises(ObjectExistsError):
        location.move("a.jpg", "A.JPG", expected=location.stat("a.jpg"))
    assert list(store.objects) == ["a.jpg"]


@pytest.mark.parametrize(("kind", "step"), [(_Renaming, "move"), (_Kept, "create"), (_Kept, "remove")])
def test_a_move_whose_answer_was_lost_went_well(kind: type[_Kept], step: str) -> None:
    store = kind()
    store.put("a.jpg", b"one")
    location = _opened(store)
    _losing(store, step)
    assert location.move("a.jpg", "b.jpg", expected=location.stat("a.jpg")).size_bytes == 3
    assert list(store.objects) == ["b.jpg"]
    assert location.retried == 1


def test_what_is_gone_without_having_been_moved_is_told() -> None:
    store = _Renaming()
    store.put("a.jpg", b"one")
    location = _opened(store)
    state = location.stat("a.jpg")
    _losing(store, "move", lambda: store.put("b.jpg", b"another"))
    with pytest.raises(ObjectGoneError):
        location.move("a.jpg", "b.jpg", expected=state)
    with pytest.raises(ObjectGoneError):
        location.move("gone.jpg", "c.jpg", expected=state)


def test_a_successor_is_not_removed_by_another_try() -> None:
    store = _Kept()
    store.put("a.jpg", b"one")
    location = _opened(store)
    state = location.stat("a.jpg")
    _losing(store, "remove", lambda: store.put("a.jpg", b"a successor"))
    with pytest.raises(ObjectChangedError):
        location.remove("a.jpg", expected=state)
    assert location.read("a.jpg", max_bytes=99) == b"a successor"


def test_a_name_that_was_taken_meanwhile_is_told_as_such() -> None:
    for act in ("create", "copy"):
        store = _Kept()
        store.put("a.jpg", b"one")
        location = _opened(store)
        state = location.stat("a.jpg")
        _losing(store, "create", lambda kept=store: kept.put("b.jpg", b"larger than one"))  # type: ignore[misc]
        with pytest.raises(ObjectExistsError):
            if act == "create":
                location.create("b.jpg", b"one")
            else:
                location.copy("a.jpg", "b.jpg", expected=state)


def test_what_is_compared_after_a_lost_answer_is_held_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_changing, "_COMPARED_BYTES", 4)
    store = _Kept()
    location = _opened(store)
    _losing(store, "create")
    state = location.create("a.jpg", b"0123456789")
    _losing(store, "create")
    location.copy("a.jpg", "b.jpg", expected=state)
    assert location.retried == 2
    assert max(length or 99 for length in store.lengths) == 4
    with pytest.raises(LimitExceededError):
        location.read("b.jpg", max_bytes=9)


class _Folding(_Kept, TreeStore):
    """Folders whose names make no difference of case."""

    def folder(self, path: str) -> Page:
        return Page([self.stat(name) for name in self.objects])

    def page(self, cursor: Cursor | None) -> Page:
        return self.folder("")

    def _found(self, path: str) -> tuple[int, bytes]:
        return super()._found(next((name for name in self.objects if name.lower() == path.lower()), path))


class _Telling(_Kept, TreeStore):
    """Folders whose names do."""

    def folder(self, path: str) -> Page:
        return Page([self.stat(name) for name in self.objects])


def test_names_that_differ_in_case_only_are_one_file_where_they_lead_to_one() -> None:
    folding, telling = _Folding(), _Telling()
    for store in (folding, telling):
        store.put("Beach/IMG.jpg", b"one")
    telling.put("beach/img.jpg", b"one")
    location = _opened(folding)
    assert location.identity("Beach/IMG.jpg") == location.identity("beach/img.jpg")
    other = _opened(telling)
    assert other.identity("Beach/IMG.jpg") != other.identity("beach/img.jpg")
    assert other.identity("Beach/IMG.jpg") == "kept://x/Beach/IMG.jpg"


class _Acting(_Kept):
    """One whose contents are replaced, and that keeps times and classes."""

    sets_times = sets_storage_class = replaces_exactly = True

    def __init__(self) -> None:
        super().__init__()
        self.tells_checksums = True
        self.times: dict[str, datetime] = {}
        self.classes: dict[str, str] = {}

    def stat(self, path: str) -> Entry:
        found = super().stat(path)
        checksum = f"md5:{hashlib.md5(self.objects[path][1]).hexdigest()}" if self.tells_checksums else None
        return found._replace(modified_at=self.times.get(path), checksum=checksum, storage_class=self.classes.get(path))

    def replace(self, path: str, data: bytes, token: str) -> None:
        self.put(path, data)
        self.after("replace")

    def set_times(self, path: str, modified_at: datetime, token: str) -> None:
        self.put(path, self._found(path)[1])  # its token is another one now
        self.times[path] = modified_at
        self.after("set_times")

    def set_storage_class(self, path: str, storage_class: str, token: str) -> None:
        self.put(path, self._found(path)[1])
        self.classes[path] = storage_class
        self.after("set_storage_class")


@pytest.mark.parametrize("act", ["replace", "set_times", "set_storage_class"])
@pytest.mark.parametrize("meddled", [False, True])
def test_an_act_whose_answer_is_lost_is_told_as_it_ended(act: str, meddled: bool) -> None:
    store = _Acting()
    store.put("a", b"old")
    location = _opened(store)
    state = location.stat("a")

    def meddle() -> None:
        store.times.clear()
        store.classes.clear()
        store.put("a", b"someone's")

    _losing(store, act, meddle if meddled else lambda: None)
    acts: dict[str, Callable[[], object]] = {
        "replace": lambda: location.replace("a", b"new", expected=state),
        "set_times": lambda: location.set_times("a", datetime(2019, 5, 4, tzinfo=UTC), expected=state),
        "set_storage_class": lambda: location.set_storage_class("a", "COLD", expected=state),
    }
    if meddled:
        with pytest.raises(ObjectChangedError):
            acts[act]()
        assert store.objects["a"][1] == b"someone's"
    else:
        acts[act]()
        assert store.objects["a"][1] == (b"new" if act == "replace" else b"old")


@pytest.mark.parametrize("tells_checksums", [True, False])
def test_what_has_the_size_and_the_class_is_not_taken_for_ours_by_these(tells_checksums: bool) -> None:
    store = _Acting()
    store.tells_checksums = tells_checksums
    store.put("a", b"old")
    location = _opened(store)

    def meddle() -> None:
        store.put("a", b"new")
        store.classes["a"] = "COLD"

    _losing(store, "set_storage_class", meddle)
    with pytest.raises(ObjectChangedError):
        location.set_storage_class("a", "COLD", expected=location.stat("a"))


def test_a_copy_that_is_not_what_was_copied_removes_nothing() -> None:
    store = _Kept()
    store.put("a", b"12345")
    location = _opened(store)
    store.copy = lambda path, target, token: store.put(target, b"123")  # type: ignore[method-assign]
    with pytest.raises(ObjectUnreadableError, match="not what was copied"):
        location.move("a", "b", expected=location.stat("a"))
    assert store.objects["a"][1] == b"12345"


def _saves(store: _Renaming, at: int, data: bytes) -> None:
    """Save a content under the name, as another program would, when the at-th move is asked for or done."""
    seen: list[str] = []

    def after(step: str) -> None:
        seen.append(step)
        if len(seen) == at and step in ("asked", "move"):
            store.put("a", data)

    store.after = after


def test_a_content_is_replaced_by_names_where_no_request_does_it_in_one() -> None:
    store = _Renaming()
    store.put("a", b"old")
    location = _opened(store)
    location.replace("a", b"new", expected=location.stat("a"))
    assert {name: data for name, (_, data) in store.objects.items()} == {"a": b"new"}


@pytest.mark.parametrize("at", range(3, 6))
def test_what_somebody_saves_while_it_is_replaced_keeps_the_name(at: int) -> None:
    """Between the look at it and its rename, as it is renamed, and while nothing has the name."""
    store = _Renaming()
    store.put("a", b"old")
    location = _opened(store)
    _saves(store, at, b"hers")
    with pytest.raises(ObjectChangedError):
        location.replace("a", b"new", expected=location.stat("a"))
    assert {name: data for name, (_, data) in store.objects.items()} == {"a": b"hers"}


@pytest.mark.parametrize("lost", range(1, 8))
def test_an_answer_that_is_lost_while_it_is_replaced_leaves_the_old_or_the_new(lost: int) -> None:
    store = _Renaming()
    store.put("a", b"old")
    location = _opened(store)
    seen: list[str] = []

    def lose(step: str) -> None:
        seen.append(step)
        if len(seen) == lost:
            raise ConnectionResetError("reset")

    store.after = lose
    location.replace("a", b"new", expected=location.stat("a"))
    assert {name: data for name, (_, data) in store.objects.items()} == {"a": b"new"}


def test_what_somebody_saves_as_it_is_removed_keeps_the_name() -> None:
    class Unconditional(_Renaming):
        """As SFTP, whose tokens tell size and time, which a rename keeps."""

        removes_exactly = False

        def stat(self, path: str) -> Entry:
            return super().stat(path)._replace(change_token=str(len(self._found(path)[1])))

    for at, name in ((1, "a"), (99, None)):
        store = Unconditional()
        store.put("a", b"old")
        location = _opened(store)
        state = location.stat("a")
        _saves(store, at, b"hers")
        with pytest.raises(ObjectChangedError) if name else contextlib.nullcontext():
            location.remove("a", expected=state)
        assert {path: data for path, (_, data) in store.objects.items()} == ({name: b"hers"} if name else {})
