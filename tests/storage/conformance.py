"""What every kind of location must do, whatever is behind it: inherited by the tests of each kind.

A subclass gives the fixtures `place` (a Place over a real server or folder, empty at the start of every test) and
declares in its class attributes where its kind differs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
from PIL import Image

from deeplens_kit.errors import (
    LimitExceededError,
    LocationReadOnlyError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.schemas import LISTING
from deeplens_kit.storage import LocationKind, encode_path
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.listing import settled
from tests.storage.acting import ActingConformance

MANY = 300
ODD_NAMES = ["a b.jpg", "é😀.jpg", "#hash?q=1&x.jpg", "100%41.jpg", 'it\'s "quoted".jpg', "[x]*.jpg", "a+b=c.jpg"]


class Place(Protocol):
    """Where a test puts objects: behind the location, not through it."""

    def opened(self, **options: object) -> LocationKind:
        """The location, opened with options; to be read only where nothing else is said."""
        ...

    def put(self, path: str, data: bytes) -> None:
        """Make or overwrite an object, native path; the server does it or its own client."""
        ...

    def drop(self, path: str) -> None:
        """Remove one."""
        ...


class LocationConformance(ActingConformance):
    """Inherit it and give a fixture `place`."""

    lists_checksum: ClassVar[bool] = False
    """Whether a listing has the MD5 of what `put` made."""
    same_size_overwrite_is_seen: ClassVar[bool] = True
    """At once; where the clock is coarse the token is unsettled and the object is read again instead."""
    odd_names: ClassVar[tuple[str, ...]] = tuple(ODD_NAMES)
    many: ClassVar[int] = MANY

    # --- Listing -----------------------------------------------------------------------------------------------

    def test_an_empty_location_lists_nothing(self, place: Place) -> None:
        listing = place.opened().list()
        assert LISTING.check(listing.frame).is_empty()
        assert (listing.problems, dict(listing.skipped)) == ((), {})

    def test_a_listing_tells_path_size_time_and_token(self, place: Place) -> None:
        place.put("a.jpg", b"one")
        place.put("folder/b.jpg", b"four")
        rows = {row["path"]: row for row in place.opened().list().frame.iter_rows(named=True)}
        assert {path: row["size_bytes"] for path, row in rows.items()} == {"a.jpg": 3, "folder/b.jpg": 4}
        for row in rows.values():
            assert row["change_token"]
            if row["modified_at"] is not None:
                assert abs((datetime.now(UTC) - row["modified_at"]).total_seconds()) < 3600
        if self.lists_checksum:
            assert rows["a.jpg"]["checksum"] == f"md5:{hashlib.md5(b'one').hexdigest()}"

    def test_a_listing_again_has_the_same_tokens(self, place: Place) -> None:
        place.put("a.jpg", b"one")
        place.put("b.jpg", b"two")
        first, second = (_tokens(place.opened()) for _ in range(2))
        assert first == second

    def test_an_overwrite_changes_the_token_or_the_token_is_unsettled(self, place: Place) -> None:
        place.put("a.jpg", b"one")
        before = _raw_tokens(place.opened())["a.jpg"]
        place.put("a.jpg", b"two")
        after = _raw_tokens(place.opened())["a.jpg"]
        assert before != after or before != settled(before)
        if self.same_size_overwrite_is_seen:
            assert settled(before) != settled(after)
        place.put("a.jpg", b"three")
        assert settled(_raw_tokens(place.opened())["a.jpg"]) != settled(after)

    def test_odd_names_are_listed_and_read(self, place: Place) -> None:
        contents = {f"x/{name}": name.encode() for name in self.odd_names}
        for path, data in contents.items():
            place.put(path, data)
        location = place.opened()
        paths = location.list().frame["path"].to_list()
        assert sorted(paths) == sorted(encode_path(path) for path in contents)
        for path, data in contents.items():
            assert location.read(encode_path(path), max_bytes=1000) == data

    def test_many_objects_come_in_pages(self, place: Place) -> None:
        for number in range(self.many):
            place.put(f"d{number % 7}/{number}.bin", b"%d" % number)
        frame = place.opened().list().frame
        assert frame.height == frame["path"].n_unique() == self.many
        assert frame["size_bytes"].sum() == sum(len(str(number)) for number in range(self.many))

    def test_options_choose_what_is_listed(self, place: Place) -> None:
        for path in ("a.jpg", "b.txt", ".hidden.jpg", "sub/c.jpg", "sub/.cache/d.jpg", "out/e.jpg"):
            place.put(path, b"x")
        assert set(_tokens(place.opened())) == {"a.jpg", "b.txt", "sub/c.jpg", "out/e.jpg"}
        assert set(_tokens(place.opened(hidden=True))) >= {".hidden.jpg", "sub/.cache/d.jpg"}
        assert set(_tokens(place.opened(include=["*.jpg"], exclude=["out/"]))) == {"a.jpg", "sub/c.jpg"}
        assert set(_tokens(place.opened(base_path="sub"))) == {"c.jpg"}
        assert dict(place.opened().list().skipped) == {"hidden": 2}

    # --- State and bytes ---------------------------------------------------------------------------------------

    def test_the_state_of_an_object_is_that_of_its_row(self, place: Place) -> None:
        place.put("folder/a.jpg", b"one")
        location = place.opened()
        state, row = location.stat("folder/a.jpg"), _states(location)["folder/a.jpg"]
        assert (state.size_bytes, settled(state.change_token)) == (row.size_bytes, settled(row.change_token))

    def test_reading_gives_the_bytes_of_the_expected_state(self, place: Place) -> None:
        data = os.urandom(3 * 2**20 + 7)
        place.put("a.bin", data)
        place.put("empty.bin", b"")
        location = place.opened()
        states = _states(location)
        assert location.read("a.bin", expected=states["a.bin"], max_bytes=len(data)) == data
        assert location.read("empty.bin", expected=states["empty.bin"], max_bytes=10) == b""

    def test_another_state_than_expected_is_refused(self, place: Place) -> None:
        place.put("a.bin", b"first")
        location = place.opened()
        state = _states(location)["a.bin"]
        place.put("a.bin", b"another length")
        with pytest.raises(ObjectChangedError):
            location.read("a.bin", expected=state, max_bytes=100)

    def test_what_is_larger_than_the_limit_is_not_read(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        with pytest.raises(LimitExceededError, match="5 bytes are more than the limit of 4"):
            place.opened().read("a.bin", max_bytes=4)

    def test_what_is_gone_says_so(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        location = place.opened()
        for ask in (location.stat, location.open, lambda path: location.read(path, max_bytes=9)):
            with pytest.raises(ObjectGoneError):
                ask("gone.bin")
        state = location.stat("a.bin")
        place.drop("a.bin")
        with pytest.raises(ObjectGoneError):
            location.read("a.bin", expected=state, max_bytes=9)

    def test_an_open_object_is_read_in_parts_and_sought_in(self, place: Place) -> None:
        stream = io.BytesIO()
        Image.effect_noise((700, 500), 80).save(stream, "PNG")
        data = stream.getvalue()
        place.put("a.png", data)
        with place.opened().open("a.png") as file:
            assert file.seek(0, io.SEEK_END) == len(data)
            assert file.seek(-100, io.SEEK_END) == len(data) - 100
            assert file.read() == data[-100:]
            file.seek(1000)
            assert file.read(50) == data[1000:1050]
            file.seek(0)
            assert Image.open(file).size == (700, 500)

    def test_threads_read_at_once(self, place: Place) -> None:
        contents = {f"{number}.bin": os.urandom(5000 + number) for number in range(24)}
        for path, data in contents.items():
            place.put(path, data)
        location = place.opened()
        states = _states(location)
        with ThreadPoolExecutor(8) as pool:
            read = pool.map(lambda path: location.read(path, expected=states[path], max_bytes=10_000), contents)
            assert list(read) == list(contents.values())

    def test_paths_that_leave_the_location_are_refused(self, place: Place) -> None:
        place.put("sub/a.bin", b"1")
        place.put("b.bin", b"1")
        location = place.opened(base_path="sub")
        for path in ("../b.bin", "x/../../b.bin"):
            with pytest.raises((ObjectUnreadableError, ObjectGoneError)):
                location.read(path, max_bytes=10)

    # --- Checks ------------------------------------------------------------------------------------------------

    def test_a_check_says_what_may_be_done(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        found = place.opened().check()
        assert found.may_read is not False
        assert found.may_write is None
        assert found.clock_skew_seconds is None or abs(found.clock_skew_seconds) < 60
        if found.capacity_bytes is not None and found.free_bytes is not None:
            assert 0 <= found.free_bytes <= found.capacity_bytes
        assert set(_tokens(place.opened())) == {"a.bin"}
        if self.writes:
            assert place.opened(permissions="change").check().may_write is True
            assert set(_tokens(place.opened(hidden=True))) == {"a.bin"}

    # --- Writing -----------------------------------------------------------------------------------------------

    def test_it_is_read_only_until_it_is_opened(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        location = place.opened()
        state = location.stat("a.bin")
        assert not location.may_create
        for act in (
            lambda: location.create("new.bin", b"x"),
            lambda: location.copy("a.bin", "b.bin", expected=state),
            lambda: location.move("a.bin", "b.bin", expected=state),
            lambda: location.remove("a.bin", expected=state),
        ):
            with pytest.raises(LocationReadOnlyError):
                act()
        if self.writes:
            creating = place.opened(permissions="create")
            for act in (
                lambda: creating.move("a.bin", "b.bin", expected=state),
                lambda: creating.remove("a.bin", expected=state),
            ):
                with pytest.raises(LocationReadOnlyError, match="permissions=change"):
                    act()
        assert set(_tokens(location)) == {"a.bin"}

    def test_a_new_object_never_takes_the_place_of_another(self, place: Place) -> None:
        if not self.writes:
            pytest.skip("the kind can only be read")
        place.put("taken.bin", b"mine")
        location = place.opened(permissions="create")
        data = os.urandom(100_000)
        state = location.create("new/é b.bin", data, metadata={"original-name": "Ü.jpg"})
        assert state.size_bytes == len(data)
        assert location.read("new/é b.bin", max_bytes=len(data)) == data
        for path in ("taken.bin", "new/é b.bin"):
            with pytest.raises(ObjectExistsError):
                location.create(path, b"other")
        assert location.read("taken.bin", max_bytes=100) == b"mine"
        assert set(_tokens(location)) == {"taken.bin", "new/é b.bin"}

    def test_of_many_that_create_one_name_one_succeeds(self, place: Place) -> None:
        if not self.writes:
            pytest.skip("the kind can only be read")
        location = place.opened(permissions="create")
        contents = [secrets.token_bytes(1000) for _ in range(6)]

        def create(data: bytes) -> bytes | None:
            with contextlib.suppress(ObjectExistsError):
                location.create("one.bin", data)
                return data
            return None

        with ThreadPoolExecutor(6) as pool:
            made = [data for data in pool.map(create, contents) if data]
        assert [location.read("one.bin", max_bytes=5000)] == made

    def test_objects_are_copied_moved_and_removed_in_their_expected_state(self, place: Place) -> None:
        if not self.writes:
            pytest.skip("the kind can only be read")
        place.put("a b.bin", b"12345")
        place.put("taken.bin", b"other")
        location = place.opened(permissions="change")
        state = location.stat("a b.bin")
        location.copy("a b.bin", "copies/c d.bin", expected=state)
        assert location.read("copies/c d.bin", max_bytes=9) == b"12345"
        for act in (location.copy, location.move):
            with pytest.raises(ObjectExistsError):
                act("a b.bin", "taken.bin", expected=state)
        location.move("a b.bin", "moved/a.bin", expected=state)
        assert set(_tokens(location)) == {"copies/c d.bin", "moved/a.bin", "taken.bin"}
        assert location.read("moved/a.bin", max_bytes=9) == b"12345"
        assert location.read("taken.bin", max_bytes=9) == b"other"
        moved = location.stat("moved/a.bin")
        place.put("moved/a.bin", b"someone wrote")
        for act in (
            lambda: location.remove("moved/a.bin", expected=moved),
            lambda: location.copy("moved/a.bin", "x.bin", expected=moved),
            lambda: location.move("moved/a.bin", "x.bin", expected=moved),
        ):
            with pytest.raises(ObjectChangedError):
                act()
        location.remove("moved/a.bin", expected=location.stat("moved/a.bin"))
        assert set(_tokens(location)) == {"copies/c d.bin", "taken.bin"}


class ServedConformance(LocationConformance):
    """For kinds behind a server: what happens without it. Give a fixture `unreachable` besides: the location with
    nobody at its address, and `refused`: with wrong credentials (None where the kind has none)."""

    def test_a_server_that_is_away_makes_the_location_unavailable(self, unreachable: LocationKind) -> None:
        for ask in (unreachable.check, unreachable.list):
            with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
                ask()

    def test_wrong_credentials_are_told_without_being_shown(self, refused: tuple[LocationKind, str] | None) -> None:
        if refused is None:
            pytest.skip("the kind has no credentials")
        location, secret = refused
        for ask in (location.check, location.list):
            with pytest.raises(LocationUnavailableError) as caught:
                ask()
            # A traceback in a log shows all of them, whoever raised them.
            for told in _told_with(caught.value):
                assert secret not in f"{told} {told!r} {getattr(told, '__notes__', '')}"


def _told_with(error: BaseException) -> list[BaseException]:
    """An error with all that led to it."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one not in found:
            found.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def _states(location: LocationKind) -> dict[str, ObjectStat]:
    frame = location.list().frame
    columns = [name for name in LISTING.names if name != "path"]
    return {path: ObjectStat(*state) for path, *state in frame.select("path", *columns).iter_rows()}


def _raw_tokens(location: LocationKind) -> dict[str, str]:
    return {path: state.change_token for path, state in _states(location).items()}


def _tokens(location: LocationKind) -> dict[str, str]:
    return {path: settled(token) for path, token in _raw_tokens(location).items()}


class FolderPlace:
    """A folder of this machine that a server serves, or that is the location itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, path: str, data: bytes) -> None:
        """Write a file, replacing one."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def drop(self, path: str) -> None:
        """Remove a file."""
        (self.folder / path).unlink()
