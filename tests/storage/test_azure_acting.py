"""Acts on the blobs of a container of Azure: what goes with them, tiers, snapshots, and copies that take their time."""

from __future__ import annotations

from typing import Any

import pytest

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage import azure_acting, open_location
from tests.storage.scripted import Asked, scripted
from tests.storage.test_azure import KEY
from tests.storage.test_azure_conformance import AzurePlace, place

__all__ = ["place"]

_STATE = {"ETag": '"0x1"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", "x-ms-blob-type": "BlockBlob"}


def _blob(place: AzurePlace, path: str) -> Any:
    return place.client.get_blob_client(path)


def _put(place: AzurePlace, path: str) -> None:
    """A blob with all that it may have."""
    from azure.storage.blob import ContentSettings, StandardBlobTier

    _blob(place, path).upload_blob(
        b"12345",
        metadata={"camera": "Leica"},
        tags={"album": "summer"},
        standard_blob_tier=StandardBlobTier.COOL,
        content_settings=ContentSettings("image/jpeg", content_encoding="gzip", cache_control="max-age=60"),
    )


def _has_all(place: AzurePlace, path: str) -> bool:
    facts = place.opened().about(path)
    assert facts.headers == {"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}
    return (facts.metadata, facts.tags, facts.content_type) == (
        {"camera": "Leica"},
        {"album": "summer"},
        "image/jpeg",
    )


def test_what_is_said_of_a_blob_goes_with_it(place: AzurePlace) -> None:
    _put(place, "a.jpg")
    location = place.opened(permissions="change")
    moved = location.move("a.jpg", "q/b.jpg", expected=location.stat("a.jpg"))
    assert moved.storage_class == "Cool"
    assert _has_all(place, "q/b.jpg")
    assert location.replace("q/b.jpg", b"new", expected=moved).storage_class == "Cool"
    assert _has_all(place, "q/b.jpg")
    state = location.stat("q/b.jpg")
    assert location.set_storage_class("q/b.jpg", "Hot", expected=state).storage_class == "Hot"
    assert location.read("q/b.jpg", max_bytes=9) == b"new"


def test_what_is_written_at_the_last_moment_stays(place: AzurePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.txt", b"old")
    location = place.opened(permissions="change")
    state = location.stat("a.txt")
    place.put("a.txt", b"someone's")
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    for act in (
        lambda: location.replace("a.txt", b"new", expected=state),
        lambda: location.remove("a.txt", expected=state),
        lambda: location.move("a.txt", "b.txt", expected=state),
    ):
        with pytest.raises(ObjectChangedError):
            act()
    assert location.list().frame["path"].to_list() == ["a.txt"]
    assert location.read("a.txt", max_bytes=99) == b"someone's"


def test_a_blob_with_snapshots_is_told_and_not_removed(place: AzurePlace) -> None:
    place.put("a.jpg", b"1")
    _blob(place, "a.jpg").create_snapshot()
    place.put("a.jpg.bak", b"333")
    location = place.opened(permissions="change")
    kept = location.kept_after_removal("a.jpg")
    assert kept is not None
    assert (kept.versions, kept.bytes, kept.soft_deleted) == (1, 1, False)
    with pytest.raises(ObjectUnreadableError):
        location.remove("a.jpg", expected=location.stat("a.jpg"))
    assert location.list().frame["path"].to_list() == ["a.jpg", "a.jpg.bak"]


def test_versions_and_what_is_deleted_softly_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As documented: https://learn.microsoft.com/rest/api/storageservices/list-blobs."""
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)

    def blob(name: str, size: int, more: str) -> str:
        told = f"<Content-Length>{size}</Content-Length><Etag>0x1</Etag><BlobType>BlockBlob</BlobType>"
        return f"<Blob><Name>{name}</Name>{more}<Properties>{told}</Properties></Blob>"

    blobs = (
        blob("a.jpg", 1, "<VersionId>2026-11-30T00:00:00.1Z</VersionId><Deleted>true</Deleted>")
        + blob("a.jpg", 2, "<VersionId>2026-11-30T00:00:00.2Z</VersionId>")
        + blob("a.jpg", 4, "<VersionId>2026-11-30T00:00:00.3Z</VersionId><IsCurrentVersion>true</IsCurrentVersion>")
        + blob("a.jpg.bak", 8, "<Deleted>true</Deleted>")
    )

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        body = f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{blobs}</Blobs></EnumerationResults>'
        return 200, {"Content-Type": "application/xml"}, body.encode()

    with scripted(answer) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme"}
        location = open_location("L", "blobs", "az://acme/photos", options)
        kept = location.kept_after_removal("a.jpg")
        assert kept is not None
        assert (kept.versions, kept.bytes, kept.soft_deleted) == (2, 3, True)
        assert "soft delete" in kept.note
        location.close()


def test_what_a_service_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    with scripted(lambda _: (409, {"x-ms-error-code": "FeatureNotSupported"}, b"")) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme", "retries": 0}
        location = open_location("L", "blobs", "az://acme/photos", options)
        kept = location.kept_after_removal("a.jpg")
        location.close()
    assert kept is not None
    assert (kept.versions, kept.bytes) == (None, None)
    assert "unknown" in kept.note


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_copy_by_and_by_is_waited_for_while_it_goes_on(monkeypatch: pytest.MonkeyPatch, goes_on: bool) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    monkeypatch.setattr(azure_acting, "_COPY_POLL_SECONDS", 0.06)
    asked_for = []

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        whole = {**_STATE, "Content-Length": "3"}
        if asked.method == "PUT" and "x-ms-copy-source" in asked.headers:
            return 202, {**_STATE, "x-ms-copy-id": "1", "x-ms-copy-status": "pending"}, b""
        if asked.method == "HEAD" and "b.jpg" in asked.path:
            asked_for.append(asked)
            done = len(asked_for) if goes_on else 1
            status = "success" if done > 5 else "pending"
            return 200, {**whole, "x-ms-copy-status": status, "x-ms-copy-progress": f"{done}/6"}, b""
        if asked.method == "HEAD":
            return 200, whole, b""
        return (204 if "comp=copy" in asked.path else 202), _STATE, b""

    with scripted(answer) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme", "retries": 0}
        location: Any = open_location("L", "blobs", "az://acme/photos", {**options, "permissions": "create"})
        location.store._timeout_seconds = 0.1
        state = location.stat("a.jpg")
        if goes_on:
            assert location.copy("a.jpg", "b.jpg", expected=state).size_bytes == 3
            assert len(asked_for) > 5
        else:
            with pytest.raises(ObjectUnreadableError, match="did not go on"):
                location.copy("a.jpg", "b.jpg", expected=state)
            assert [one.method for one in server.asked if "comp=copy" in one.path or one.method == "DELETE"] == [
                "PUT",
                "DELETE",
            ]
        location.close()
