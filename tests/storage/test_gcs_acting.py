"""Acts on the objects of a bucket of Google Cloud Storage: what goes with them, classes, old generations."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deeplens_kit.errors import ObjectChangedError
from deeplens_kit.storage import open_location
from tests.storage.scripted import Answer, Asked, scripted
from tests.storage.test_gcs_conformance import GcsPlace, place

__all__ = ["place"]


def _json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _put(place: GcsPlace, path: str) -> None:
    """An object with all that the emulator keeps."""
    blob = place.bucket.blob(path)
    blob.metadata, blob.cache_control, blob.storage_class = {"camera": "Leica"}, "max-age=60", "NEARLINE"
    blob.upload_from_string(b"12345", "image/jpeg", retry=None)


def _has_all(place: GcsPlace, path: str) -> bool:
    facts = place.opened().about(path)
    assert facts.headers == {"Cache-Control": "max-age=60"}
    return (facts.metadata, facts.content_type) == ({"camera": "Leica"}, "image/jpeg")


def test_what_is_said_of_an_object_goes_with_it(place: GcsPlace) -> None:
    _put(place, "a.jpg")
    location = place.opened(permissions="change")
    state = location.stat("a.jpg")
    replaced = location.replace("a.jpg", b"new", expected=state)
    assert replaced.storage_class == state.storage_class == "NEARLINE"
    assert _has_all(place, "a.jpg")
    location.move("a.jpg", "q/b.jpg", expected=replaced)
    assert _has_all(place, "q/b.jpg")
    made = location.set_storage_class("q/b.jpg", "COLDLINE", expected=location.stat("q/b.jpg"))
    assert location.read("q/b.jpg", expected=made, max_bytes=9) == b"new"
    assert _has_all(place, "q/b.jpg")


@pytest.mark.parametrize("act", ["move", "set_storage_class"])
def test_a_class_is_sent_with_conditions_on_both_objects(act: str) -> None:
    """The emulator leaves classes and custom times out of copies, and conditions out of removals."""
    item = {"name": "a.jpg", "size": "9", "generation": "17", "metageneration": "2", "storageClass": "NEARLINE"}
    item["customTime"] = "2019-05-04T00:00:00Z"
    done = {"resource": item, "done": True, "totalBytesRewritten": "9", "objectSize": "9"}
    rewrites: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        if "rewriteTo" in asked.path:
            rewrites.append(asked)
            return _json(done)
        if asked.method == "GET" and "/o/b.jpg" in asked.path and not rewrites:
            return _json({"error": {"code": 404, "message": "No such object"}}, 404)
        return _json(item)

    with scripted(answer) as server:
        given = {"endpoint": server.url, "anonymous": True, "retries": 0, "permissions": "change"}
        location = open_location("L", "b", "gs://pictures", given)
        state = location.stat("a.jpg")
        assert location.about("a.jpg").headers == {"Custom-Time": "2019-05-04T00:00:00+00:00"}
        if act == "move":
            location.move("a.jpg", "b.jpg", expected=state)
            assert "ifGenerationMatch=17" in next(one.path for one in server.asked if one.method == "DELETE")
        else:
            location.set_storage_class("a.jpg", "COLDLINE", expected=state)
        location.close()
    (rewrite,) = rewrites
    query, sent = parse_qs(urlsplit(rewrite.path).query), json.loads(rewrite.body)
    assert query["ifSourceGenerationMatch"] == ["17"]
    assert query["ifGenerationMatch"] == ["0" if act == "move" else "17"]
    assert sent["storageClass"] == ("NEARLINE" if act == "move" else "COLDLINE")
    assert sent["customTime"].startswith("2019-05-04T00:00:00")


def test_what_is_written_at_the_last_moment_stays(place: GcsPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.txt", b"old")
    location = place.opened(permissions="change")
    state = location.stat("a.txt")
    place.put("a.txt", b"someone's")
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    with pytest.raises(ObjectChangedError):
        location.replace("a.txt", b"new", expected=state)
    assert location.read("a.txt", max_bytes=99) == b"someone's"


def test_what_is_past_or_deleted_softly_is_told_and_asked_for_by_name() -> None:
    """As documented (cloud.google.com/storage/docs/use-soft-deleted-objects); the emulator lists neither."""
    gone = {"name": "p/a.jpg", "size": "5", "generation": "17", "softDeleteTime": "2026-11-30T00:00:00Z"}
    other = {"name": "p/a.jpg.bak", "size": "7", "generation": "18", "softDeleteTime": "2026-11-30T00:00:00Z"}
    past = {"name": "p/a.jpg", "size": "3", "generation": "16", "timeDeleted": "2026-11-29T00:00:00Z"}
    live = {"name": "p/a.jpg", "size": "9", "generation": "19"}

    def answer(asked: Asked) -> Answer:
        items: list[Any] = [gone, other] if "softDeleted" in asked.path else [past, live]
        return _json({"items": items})

    with scripted(answer) as server:
        location = open_location("L", "b", "gs://pictures/p", {"endpoint": server.url, "anonymous": True, "retries": 0})
        kept = location.kept_after_removal("a.jpg")
        assert kept is not None
        assert (kept.versions, kept.bytes, kept.soft_deleted) == (2, 8, True)
        assert "soft delete" in kept.note
        asked = [parse_qs(urlsplit(one.path).query) for one in server.asked]
        assert [set(one) & {"versions", "softDeleted"} for one in asked] == [{"versions"}, {"softDeleted"}]
        assert all((one["startOffset"], one["endOffset"]) == (["p/a.jpg"], ["p/a.jpg\0"]) for one in asked)
        location.close()
