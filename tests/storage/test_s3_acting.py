"""Acts on the objects of a bucket: what goes with them, copies in parts, storage classes, versions, lost answers."""

from __future__ import annotations

import os
import secrets
from typing import Any

import pytest

from deeplens_kit.errors import LocationReadOnlyError, ObjectChangedError, ObjectExistsError
from deeplens_kit.storage import s3_acting
from deeplens_kit.storage.s3_faults import s3_fault_of
from tests.servers.s3 import S3Server
from tests.storage.s3_place import S3Place
from tests.storage.scripted import scripted

_PART_BYTES = 5 * 2**20  # the least that S3 takes of a part that is not the last


@pytest.fixture(params=["seaweedfs", "moto"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(request.getfixturevalue(request.param), monkeypatch)


@pytest.fixture
def weed(seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(seaweedfs, monkeypatch)


@pytest.fixture
def emulated(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(moto, monkeypatch)


def _put(place: S3Place, path: str, data: bytes = b"12345", **more: Any) -> None:
    """An object with all that it may have."""
    place.client.put_object(
        Bucket=place.bucket,
        Key=place.prefix + path,
        Body=data,
        Metadata={"camera": "Leica"},
        ContentType="image/jpeg",
        ContentEncoding="gzip",
        CacheControl="max-age=60",
        Tagging="album=summer&year=2019",
        **more,
    )


def _has_all(place: S3Place, path: str) -> bool:
    facts = place.opened().about(path)
    return (
        facts.metadata == {"camera": "Leica"}
        and facts.tags == {"album": "summer", "year": "2019"}
        and facts.content_type == "image/jpeg"
        and {"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}.items() <= facts.headers.items()
    )


def test_what_is_said_of_an_object_goes_with_it(place: S3Place) -> None:
    _put(place, "a.jpg")
    location = place.opened(permissions="change")
    location.move("a.jpg", "q/b.jpg", expected=location.stat("a.jpg"))
    assert place.keys() == ["q/b.jpg"]
    assert _has_all(place, "q/b.jpg")
    location.replace("q/b.jpg", b"new", expected=location.stat("q/b.jpg"))
    assert location.read("q/b.jpg", max_bytes=9) == b"new"
    assert _has_all(place, "q/b.jpg")


def test_what_is_too_large_for_one_request_is_copied_in_parts(weed: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_acting, "_MOST_COPIED_BYTES", _PART_BYTES)
    monkeypatch.setattr(s3_acting, "_PART_BYTES", _PART_BYTES)
    data = os.urandom(_PART_BYTES + 1)
    _put(weed, "a.jpg", data)
    weed.put("taken.jpg", b"mine")
    location = weed.opened(permissions="change")
    state = location.stat("a.jpg")
    moved = location.move("a.jpg", "b.jpg", expected=state)
    assert moved.change_token.split("|")[0].endswith("-2")
    assert location.read("b.jpg", max_bytes=len(data)) == data
    assert _has_all(weed, "b.jpg")
    with pytest.raises(ObjectExistsError):
        location.copy("b.jpg", "taken.jpg", expected=moved)
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    with pytest.raises(ObjectChangedError):
        location.copy("b.jpg", "c.jpg", expected=state)
    assert weed.keys() == ["b.jpg", "taken.jpg"]
    uploads = weed.client.list_multipart_uploads(Bucket=weed.bucket, Prefix=weed.prefix)
    assert not uploads.get("Uploads")


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_storage_class_is_set_and_all_else_stays(
    emulated: S3Place, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr(s3_acting, "_MOST_COPIED_BYTES", 3)
    _put(emulated, "a.jpg")
    location = emulated.opened(permissions="change")
    assert location.can_set_storage_class
    state = location.stat("a.jpg")
    made = location.set_storage_class("a.jpg", "STANDARD_IA", expected=state)
    assert (made.storage_class, made.size_bytes) == ("STANDARD_IA", 5)
    assert location.stat("a.jpg").storage_class == "STANDARD_IA"
    assert location.read("a.jpg", max_bytes=9) == b"12345"
    assert _has_all(emulated, "a.jpg")
    # Replaced contents and copies stay in it.
    made = location.replace("a.jpg", b"new", expected=made)
    assert location.move("a.jpg", "b.jpg", expected=made).storage_class == "STANDARD_IA"
    emulated.put("b.jpg", b"someone wrote")
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    with pytest.raises(ObjectChangedError):
        location.set_storage_class("b.jpg", "GLACIER", expected=made)


def test_what_a_bucket_keeps_of_what_was_removed_is_told(place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_acting, "_VERSIONS_A_PAGE", 2)
    place.bucket = f"kept-{secrets.token_hex(6)}"
    place.client.create_bucket(Bucket=place.bucket)
    place.client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for path, data in (("a.jpg", b"1"), ("a.jpg", b"22"), ("a.jpg.bak", b"333"), ("a.jpg", b"4444")):
        place.put(path, data)
    location = place.opened(permissions="change")
    kept = location.kept_after_removal("a.jpg")
    assert kept is not None
    assert (kept.versions, kept.bytes, kept.soft_deleted) == (2, 3, False)
    location.remove("a.jpg", expected=location.stat("a.jpg"))
    kept = location.kept_after_removal("a.jpg")
    assert kept is not None
    assert (kept.versions, kept.bytes, kept.soft_deleted) == (3, 7, True)
    assert "lifecycle rule" in kept.note
    assert location.list().frame["path"].to_list() == ["a.jpg.bak"]


def test_what_is_written_at_the_last_moment_is_not_replaced(place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.txt", b"old")
    location: Any = place.opened(permissions="change")
    state = location.stat("a.txt")
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    head = location.store._head

    def head_then_write(path: str, **wanted: Any) -> Any:
        answer = head(path, **wanted)
        place.put("a.txt", b"someone's")
        return answer

    monkeypatch.setattr(location.store, "_head", head_then_write)
    with pytest.raises(ObjectChangedError):
        location.replace("a.txt", b"new", expected=state)
    assert location.read("a.txt", max_bytes=99) == b"someone's"


def test_a_replacement_whose_answer_is_lost_went_well(weed: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    weed.put("a.txt", b"old")
    location: Any = weed.opened(permissions="change")
    store, lost = location.store, list[str]()
    replace = store.replace

    def replace_and_lose(*given: Any) -> None:
        replace(*given)
        if not lost:
            lost.append("replace")
            raise ConnectionResetError("reset")

    monkeypatch.setattr(store, "replace", replace_and_lose)
    location.replace("a.txt", b"new", expected=location.stat("a.txt"))
    assert lost
    assert location.read("a.txt", max_bytes=9) == b"new"


def test_a_service_that_replaces_another_state_is_not_written_to(
    juicefs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(juicefs, monkeypatch)
    place.put("a.txt", b"old")
    location = place.opened(permissions="change")
    with pytest.raises(LocationReadOnlyError, match="If-Match"):
        location.replace("a.txt", b"new", expected=location.stat("a.txt"))
    assert location.read("a.txt", max_bytes=9) == b"old"
    assert place.keys() == ["a.txt"]


def test_permissions_for_tags_and_versions_are_named() -> None:
    from botocore.exceptions import ClientError

    needs = {"GetObjectTagging": "s3:GetObjectTagging", "ListObjectVersions": "s3:ListBucketVersions"}
    for operation, needed in needs.items():
        answer: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        fault = s3_fault_of(ClientError(answer, operation))
        assert fault is not None
        assert needed in fault.reason


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(403, "AccessDenied", "s3:ListBucketVersions"), (501, "NotImplemented", "no request that lists them")],
)
def test_versions_that_nobody_may_list_are_unknown_and_not_none(
    emulated: S3Place, status: int, code: str, said: str
) -> None:
    """No server of the tests refuses just this request."""
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    with scripted(lambda _: (status, {"Content-Type": "application/xml"}, body)) as server:
        location = emulated.opened(endpoint=server.url, retries=0)
        kept = location.kept_after_removal("a.jpg")
        location.close()
    assert kept is not None
    assert (kept.versions, kept.bytes) == (None, None)
    assert said in kept.note
