"""What acting on files needs of every kind of location; part of `conformance.LocationConformance`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from deeplens_kit.errors import (
    LocationReadOnlyError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectGoneError,
)
from deeplens_kit.storage import QUARANTINE_FOLDER, LinkForm
from deeplens_kit.storage.listing import settled

if TYPE_CHECKING:
    from tests.storage.conformance import Place

_LONG_AGO = datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)


class ActingConformance:
    """See `conformance.LocationConformance`."""

    writes: ClassVar[bool] = True
    keeps_versions: ClassVar[bool] = False
    """Whether the kind can tell what it keeps of what was removed."""

    def test_a_quarantine_is_never_listed(self, place: Place) -> None:
        inner = f"sub/{QUARANTINE_FOLDER}/x/c.jpg"
        for path in ("a.jpg", f"{QUARANTINE_FOLDER}/b.jpg", inner):
            place.put(path, b"x")
        location = place.opened(hidden=True, include=["*.jpg", f"{QUARANTINE_FOLDER}/"])
        listing = location.list()
        assert listing.frame["path"].to_list() == ["a.jpg"]
        assert dict(listing.skipped) == {"quarantine": 2}
        assert location.read(inner, max_bytes=9) == b"x"
        with pytest.raises(LocationUnavailableError, match="never indexed"):
            place.opened(base_path=QUARANTINE_FOLDER).list()

    def test_what_is_moved_keeps_all_that_it_has(self, place: Place) -> None:
        if not self.writes:
            pytest.skip("the kind can only be read")
        location = place.opened(permissions="change")
        assert location.may_change
        assert not place.opened(permissions="create").may_change
        state = location.create("é/a b.jpg", b"12345", metadata={"camera": "Ü 1"})
        facts = location.about("é/a b.jpg")
        kept = f"{QUARANTINE_FOLDER}/1/é/a b.jpg"
        moved = location.move("é/a b.jpg", kept, expected=state)
        assert (moved.size_bytes, moved.storage_class) == (5, state.storage_class)
        if location.keeps_times_on_move:
            assert (moved.modified_at, settled(moved.change_token)) == (state.modified_at, settled(state.change_token))
        now = location.about(kept)
        assert (now.metadata, now.tags, now.content_type) == (facts.metadata, facts.tags, facts.content_type)
        assert (now.mode, now.owner, now.headers) == (facts.mode, facts.owner, facts.headers)
        with pytest.raises(ObjectGoneError):
            location.about("é/a b.jpg")
        assert location.list().frame.is_empty()
        location.move(kept, "é/a b.jpg", expected=moved)
        assert location.read("é/a b.jpg", max_bytes=9) == b"12345"

    def test_the_time_of_an_object_is_set_where_the_kind_can(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        location = place.opened(permissions="change") if self.writes else place.opened()
        state = location.stat("a.bin")
        was_set = location.set_times("a.bin", _LONG_AGO, expected=state)
        now = location.stat("a.bin")
        assert location.read("a.bin", max_bytes=9) == b"12345"
        if not was_set:
            assert settled(now.change_token) == settled(state.change_token)
            return
        assert now.modified_at == _LONG_AGO
        assert location.about("a.bin").modified_at == _LONG_AGO
        with pytest.raises(ObjectChangedError):
            location.set_times("a.bin", datetime.now(UTC), expected=state)
        with pytest.raises(LocationReadOnlyError):
            place.opened(permissions="create").set_times("a.bin", _LONG_AGO, expected=now)

    def test_an_object_has_one_identity_and_two_have_two(self, place: Place) -> None:
        place.put("x/a.bin", b"12345")
        place.put("x/b.bin", b"12345")
        location = place.opened()
        first = location.identity("x/a.bin")
        assert first == location.identity("x/a.bin")
        assert first != location.identity("x/b.bin")

    def test_a_content_is_replaced_in_its_expected_state(self, place: Place) -> None:
        place.put("a.txt", b"old words")
        place.put("b.txt", b"other")
        if not self.writes:
            location = place.opened()
            with pytest.raises(LocationReadOnlyError):
                location.replace("a.txt", b"x", expected=location.stat("a.txt"))
            return
        creating, location = place.opened(permissions="create"), place.opened(permissions="change", hidden=True)
        state = location.stat("a.txt")
        with pytest.raises(LocationReadOnlyError):
            creating.replace("a.txt", b"x", expected=state)
        facts = location.about("a.txt")
        made = location.replace("a.txt", b"new words, and more", expected=state)
        assert made.size_bytes == 19
        assert location.read("a.txt", expected=made, max_bytes=99) == b"new words, and more"
        now = location.about("a.txt")
        assert (now.metadata, now.content_type, now.mode) == (facts.metadata, facts.content_type, facts.mode)
        with pytest.raises(ObjectChangedError):
            location.replace("a.txt", b"newest", expected=state)
        with pytest.raises(ObjectGoneError):
            location.replace("c.txt", b"newest", expected=state)
        assert location.read("a.txt", max_bytes=99) == b"new words, and more"
        assert sorted(location.list().frame["path"]) == ["a.txt", "b.txt"]

    def test_what_a_kind_cannot_do_it_refuses(self, place: Place) -> None:
        place.put("a.bin", b"12345")
        location = place.opened(permissions="change") if self.writes else place.opened()
        state = location.stat("a.bin")
        if not location.can_set_storage_class:
            with pytest.raises(LocationReadOnlyError):
                location.set_storage_class("a.bin", "COLD", expected=state)
        for how in set(LinkForm) - location.can_link:
            with pytest.raises(LocationReadOnlyError):
                location.link("a.bin", "b.bin", how, expected=state)
        if LinkForm.SYMLINK not in location.can_link:
            with pytest.raises(LocationReadOnlyError):
                location.link_to(Path("/a.bin"), "b.bin")
            with pytest.raises(LocationReadOnlyError):
                location.remove_link("b.bin", "a.bin")
        assert location.link_target("a.bin") is None
        if self.writes:
            assert location.remove_unfinished("a.bin") == 0
        kept = location.kept_after_removal("a.bin")
        assert (kept is not None) == self.keeps_versions
        assert kept is None or (kept.versions, kept.bytes, kept.soft_deleted) == (0, 0, False)
        assert location.list().frame["path"].to_list() == ["a.bin"]

    def test_names_are_linked_where_the_kind_can(self, place: Place) -> None:
        location = place.opened(permissions="change") if self.writes else place.opened()
        if not location.can_link:
            pytest.skip("the kind has no links")
        place.put("x/a.bin", b"12345")
        place.put("taken.bin", b"other")
        state = location.stat("x/a.bin")
        for how in location.can_link:
            with pytest.raises(ObjectExistsError):
                location.link("x/a.bin", "taken.bin", how, expected=state)
            assert location.link("x/a.bin", f"y/{how}.bin", how, expected=state).size_bytes == 5
            if how == LinkForm.HARDLINK:
                assert location.identity("x/a.bin") == location.identity(f"y/{how}.bin")
        place.put("x/a.bin", b"someone wrote")
        for how in location.can_link:
            with pytest.raises(ObjectChangedError):
                location.link("x/a.bin", "z.bin", how, expected=state)
        assert location.read("taken.bin", max_bytes=9) == b"other"
