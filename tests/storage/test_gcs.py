"""What is special about Google Cloud Storage."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectForbiddenError,
    SettingsError,
)
from deeplens_kit.storage import LocationKind, normalise_url, open_location
from deeplens_kit.storage import gcs as module
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.gcs import GcsLocation
from tests.servers import fake_gcs as server_of_gcs
from tests.storage.scripted import Answer, Asked, Scripted, scripted
from tests.storage.test_gcs_conformance import GcsPlace, place

__all__ = ["place"]

_LIST = {
    "items": [
        {
            "name": "composite.jpg",
            "size": "9",
            "generation": "17",
            "metageneration": "2",
            "storageClass": "NEARLINE",
            "updated": "2026-11-30T00:00:00.123Z",
        }
    ]
}


def _rows(location: LocationKind) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in location.list().frame.iter_rows(named=True)}


def _json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _refusal(status: int, message: str, reason: str = "forbidden") -> Answer:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return _json({"error": {"code": status, "message": message, "errors": errors}}, status)


@contextmanager
def _answered(answer: Callable[[Asked], Answer], **options: object) -> Iterator[tuple[GcsLocation, Scripted]]:
    with scripted(answer) as server:
        given = {"endpoint": server.url, "retries": 0, "anonymous": True, **options}
        location = open_location("L", "bucket", "gs://pictures", given)
        assert isinstance(location, GcsLocation)
        yield location, server
        location.close()


@pytest.mark.parametrize("url", ["gs://Photos/2024/é%20x", "gcs://photos/2024/%C3%A9 x/", "GS://photos/2024/é x"])
def test_one_bucket_has_one_url_and_one_place(url: str) -> None:
    location = open_location("L", "bucket", url, {})
    assert location.url == "gs://photos/2024/%C3%A9%20x"
    assert location.place == "gs://photos/2024/é x/"
    assert normalise_url(location.url) == location.url
    assert open_location("L", "bucket", "gs://photos", {"base_path": "2024/é x"}).place == location.place
    local = open_location("L", "bucket", "gs://photos", {"endpoint": "http://127.0.0.1:4443/"})
    assert local.place == "gs://127.0.0.1:4443/photos/"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("gs://", {}, "names no bucket"),
        ("gs://me:hunter2@photos", {}, "names no bucket"),
        ("gs://photos", {"anonymous": True, "service_account_file": "x.json"}, "exclude each other"),
        ("gs://photos", {"endpoint": "127.0.0.1:4443"}, "must be a URL without a path"),
        ("gs://photos", {"endpoint": "https://me:hunter2@host"}, "must be a URL without a path"),
    ],
)
def test_what_makes_no_sense_is_refused(url: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_location("L", "bucket", url, options)
    assert "hunter2" not in str(caught.value)


def test_the_token_changes_with_the_metadata_and_with_every_overwrite(place: GcsPlace) -> None:
    place.put("a.jpg", b"one")
    location = place.opened()
    first = _rows(location)["a.jpg"]
    assert first["storage_class"] == "STANDARD"
    generation, _, metageneration = first["change_token"].partition("-")
    assert place.bucket.get_blob("a.jpg").generation == int(generation)
    assert metageneration == "1"
    state = location.stat("a.jpg")
    place.put("a.jpg", b"two")
    assert _rows(location)["a.jpg"]["change_token"] != first["change_token"]
    assert location.check().clock_skew_seconds is not None
    with pytest.raises(ObjectChangedError):
        location.read("a.jpg", expected=state, max_bytes=9)


def test_a_listing_goes_on_page_by_page(place: GcsPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        place.put(f"d/{number}.jpg", b"x")
    place.put("d/", b"")
    place.put("d/odd/", b"bytes")
    monkeypatch.setattr(module, "_PAGE_OBJECTS", 3)
    location = place.opened()
    assert isinstance(location, GcsLocation)
    assert location.store.page(None).after is not None
    listing = location.list()
    assert sorted(listing.frame["path"]) == [f"d/{number}.jpg" for number in range(7)]
    assert dict(listing.skipped) in ({"special": 1}, {})  # a service that keeps files cannot keep both


def test_bytes_come_as_they_are_stored(place: GcsPlace) -> None:
    packed = gzip.compress(b"picture")
    blob = place.bucket.blob("a.jpg")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    location = place.opened()
    assert _rows(location)["a.jpg"]["checksum"] == f"md5:{hashlib.md5(packed).hexdigest()}"
    assert location.read("a.jpg", max_bytes=1000) == packed
    with location.open("a.jpg") as file:
        file.seek(2)
        assert file.read(4) == packed[2:6]


def test_what_is_said_of_an_object_goes_with_it(place: GcsPlace) -> None:
    location = place.opened(permissions="create")
    location.create("ours.jpg", b"ours", metadata={"original-name": "ü.jpg"})
    assert place.bucket.get_blob("ours.jpg").metadata == {"original-name": "%C3%BC.jpg"}
    blob = place.bucket.blob("a.jpg")
    blob.metadata = {"who": "me"}
    blob.upload_from_string(b"one", "image/jpeg")
    location.copy("a.jpg", "b.jpg", expected=location.stat("a.jpg"))
    copied = place.bucket.get_blob("b.jpg")
    assert (copied.content_type, copied.metadata) == ("image/jpeg", {"who": "me"})


def test_a_missing_bucket_makes_the_location_unavailable(place: GcsPlace) -> None:
    location = open_location("L", "b", "gs://nosuch", {"endpoint": place.server.endpoint, "anonymous": True})
    with pytest.raises(LocationUnavailableError, match="the bucket does not exist"):
        location.list()


def test_a_server_lost_within_a_listing_makes_it_unavailable_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE_OBJECTS", 2)
    with server_of_gcs.running(tmp_path) as server:
        place = GcsPlace(server, "lost")
        for number in range(5):
            place.put(f"{number}.jpg", b"x")
        location = place.opened()
        assert isinstance(location, GcsLocation)
        page = location.store.page

        def kill_after(cursor: object) -> Any:
            found = page(cursor)
            server.kill()
            return found

        with monkeypatch.context() as patched:
            patched.setattr(location.store, "page", kill_after)
            with pytest.raises(LocationUnavailableError, match=r"refused.*Nothing was marked as gone"):
                location.list()
        assert location.retried == 1
        server.restart()
        assert len(_rows(location)) == 5
        location.close()
        place.client.close()


# --- What only the service itself says -----------------------------------------------------------------------------


def test_a_composite_object_has_no_checksum() -> None:
    with _answered(lambda asked: _json(_LIST)) as (location, server):
        row = _rows(location)["composite.jpg"]
        assert (row["checksum"], row["change_token"], row["storage_class"]) == (None, "17-2", "NEARLINE")
        asked = parse_qs(urlsplit(server.asked[0].path).query)
        # Nothing but what we take goes over the line, and nobody pays for it but the bucket's owner.
        assert asked["fields"] == [module._FIELDS]
        assert "userProject" not in asked


def test_a_missing_permission_is_named() -> None:
    who = "reader@acme.iam.gserviceaccount.com does not have storage.objects.{} access to the Google Cloud Storage"

    def answer(asked: Asked) -> Answer:
        if asked.method == "GET" and "alt=media" not in asked.path and not closed:
            return _json(_LIST)
        if asked.method == "POST":
            return _refusal(403, who.format("create"))
        return _refusal(403, who.format("get" if "alt=media" in asked.path else "list"))

    closed = False
    with _answered(answer, permissions="create") as (location, _):
        found = location.check()
        assert (found.may_read, found.may_write) == (False, False)
        assert any(
            "'storage.objects.get' is missing, which the role 'Storage Object Viewer'" in said for said in found.remarks
        )
        assert any("'storage.objects.create' is missing" in said for said in found.remarks)
        with pytest.raises(ObjectForbiddenError, match=r"storage\.objects\.get"):
            location.read("composite.jpg", max_bytes=9, expected=ObjectStat(9, "17-2"))
        closed = True
        with pytest.raises(LocationUnavailableError, match=r"'storage\.objects\.list' is missing"):
            location.check()


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (503, "backendError", "Backend error", "passing"),
        (429, "rateLimitExceeded", "Slow down", "passing"),
        (403, "userRateLimitExceeded", "Slow down", "passing"),
        (401, "required", "the bucket is not public; give credentials", "credentials"),
        (400, "required", "Bucket is a requester pays bucket but no user project provided.", "location"),
        (404, "notFound", "The specified bucket does not exist.", "location"),
        (404, "notFound", "No such object: pictures/a.jpg", "gone"),
        (412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", "changed"),
        (416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.", "changed"),
        (400, "invalid", "Invalid argument.", "broken"),
    ],
)
def test_answers_of_the_service_are_understood(status: int, reason: str, message: str, kind: str) -> None:
    with _answered(lambda asked: _refusal(status, message, reason)) as (location, _):
        store = location.store
        for act in (lambda: store.read("a.jpg", 0, 3, "17-2"), lambda: store.remove("a.jpg", "17-2")):
            with pytest.raises(Exception) as caught:  # of the library; what it means is the question
                act()
            fault = store.fault_of(caught.value)
            assert fault is not None
            assert (fault.kind, message.rstrip(".") in fault.reason or kind == "location") == (kind, True)


def test_a_service_that_does_not_answer_or_breaks_off_is_tried_again() -> None:
    tested = threading.Event()

    def answer(asked: Asked) -> Answer:
        if "alt=media" not in asked.path:
            tested.wait(30)
        return 200, {"Content-Length": "10", "Connection": "close"}, b"abc"

    with _answered(answer, timeout_seconds=0.2) as (location, _):
        with pytest.raises(LocationUnavailableError, match=r"Read timed out.*Nothing was marked as gone"):
            location.list()
        tested.set()
        with pytest.raises(Exception) as caught:  # from below the library; what it means is the question
            location.store.read("a.jpg", 0, None, "17-2")
        fault = location.store.fault_of(caught.value)
        assert fault is not None
        assert fault.kind == "passing"


def test_conditions_key_and_payer_are_sent() -> None:
    made = {"resource": {"name": "b.jpg"}, "done": True, "totalBytesRewritten": "9", "objectSize": "9"}

    def answer(asked: Asked) -> Answer:
        if "rewriteTo" in asked.path:
            return _json({**made, "done": False, "rewriteToken": "more"} if "rewriteToken" not in asked.path else made)
        if asked.method == "GET" and "/o/b.jpg" in asked.path:
            return _refusal(404, "No such object: pictures/b.jpg")
        return _json(_LIST["items"][0])

    with _answered(answer, kms_key="projects/p/k", project="payer") as (location, server):
        store = location.store
        store.create("b.jpg", b"one", {})
        store.copy("composite.jpg", "b.jpg", "17-2")
        store.remove("composite.jpg", "17-2")
        asked = [(item.method, parse_qs(urlsplit(item.path).query)) for item in server.asked]
        assert all(query["userProject"] == ["payer"] for _, query in asked)
        (upload, *_), (*_, first, second, removal) = asked, asked
        assert upload[1]["kmsKeyName"] == ["projects/p/k"]
        assert upload[1]["ifGenerationMatch"] == ["0"]
        for _, query in (first, second):
            assert query["ifGenerationMatch"] == ["0"]
            assert query["ifSourceGenerationMatch"] == ["17"]
            assert query["destinationKmsKeyName"] == ["projects/p/k"]
        assert second[1]["rewriteToken"] == ["more"]
        assert removal == ("DELETE", {"ifGenerationMatch": ["17"], "prettyPrint": ["false"], "userProject": ["payer"]})


@pytest.mark.parametrize(("generation", "error"), [("17", ObjectExistsError), ("18", ObjectChangedError)])
def test_which_condition_of_a_copy_failed_is_found_out(generation: str, error: type[Exception]) -> None:
    def answer(asked: Asked) -> Answer:
        if "rewriteTo" in asked.path:
            return _refusal(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")
        if "/o/b.jpg" in asked.path:
            return _refusal(404, "No such object: pictures/b.jpg")
        first = not any("rewriteTo" in item.path for item in server.asked)
        return _json({**_LIST["items"][0], "generation": "17" if first else generation})

    with _answered(answer, permissions="create") as (location, server):
        state = location.stat("composite.jpg")
        with pytest.raises(error):
            location.copy("composite.jpg", "b.jpg", expected=state)


# --- Credentials ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _account(path: Path, key: str, server: str, email: str) -> Path:
    account = {"type": "service_account", "client_email": email, "private_key": key, "token_uri": f"{server}/token"}
    path.write_text(json.dumps(account), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("permissions", "scope"), [("read", "read_only"), ("create", "read_write")])
def test_a_service_account_gets_a_token_for_no_more_than_the_location_needs(
    tmp_path: Path, key: str, permissions: str, scope: str
) -> None:
    import jwt

    path = tmp_path / "account.json"

    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            return _json({"access_token": "tok", "expires_in": 3600})
        return _json(_LIST) if asked.headers.get("authorization") == "Bearer tok" else _refusal(401, "Who are you?")

    options = {"service_account_file": str(path), "anonymous": False, "permissions": permissions}
    with _answered(answer, **options) as (location, server):
        _account(path, key, server.url, "reader@acme.example")
        assert list(_rows(location)) == ["composite.jpg"]
        claims = jwt.decode(
            parse_qs(server.asked[0].body.decode())["assertion"][0], options={"verify_signature": False}
        )
        assert claims["scope"] == f"https://www.googleapis.com/auth/devstorage.{scope}"
        if permissions == "read":
            assert location.check().remarks == ()
            path.chmod(0o644)
            assert location.check().remarks == ("Others than you may read the service account file: `chmod 600` it.",)


def test_a_new_key_file_is_taken_up_without_a_restart(tmp_path: Path, key: str) -> None:
    import jwt

    path = tmp_path / "account.json"

    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            claims = jwt.decode(parse_qs(asked.body.decode())["assertion"][0], options={"verify_signature": False})
            return _json({"access_token": claims["iss"], "expires_in": 3600})
        return _json(_LIST) if asked.headers.get("authorization") == "Bearer new@acme" else _refusal(401, "Revoked.")

    with _answered(answer, service_account_file=str(path), anonymous=False) as (location, server):
        _account(path, key, server.url, "old@acme")
        with pytest.raises(LocationUnavailableError, match="Revoked"):
            location.list()
        _account(path, key, server.url, "new@acme")
        assert list(_rows(location)) == ["composite.jpg"]


@pytest.mark.parametrize("content", [None, "no JSON: hunter2", '{"type": "service_account", "private_key": "hunter2"}'])
def test_a_file_that_is_no_service_account_says_so(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    location = open_location("L", "bucket", "gs://pictures", {"service_account_file": str(path)})
    with pytest.raises(
        LocationUnavailableError, match=r"account\.json.*(cannot be read|is no service account)"
    ) as caught:
        location.check()
    assert "hunter2" not in str(caught.value)


def test_without_credentials_the_location_says_so_and_asks_nobody_where_it_is_public(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(lambda asked: (404, {}, b"")) as metadata:
        monkeypatch.setenv("GCE_METADATA_HOST", urlsplit(metadata.url).netloc)
        monkeypatch.setenv("GCE_METADATA_IP", urlsplit(metadata.url).netloc)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("GCE_METADATA_DETECT_RETRIES", "1")
        for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
            monkeypatch.delenv(name, raising=False)
        with _answered(lambda asked: _json(_LIST)) as (location, _):
            assert list(_rows(location)) == ["composite.jpg"]
        assert metadata.asked == []
        with pytest.raises(LocationUnavailableError, match="default credentials were not found"):
            open_location("L", "bucket", "gs://pictures", {}).list()


def test_the_library_is_loaded_by_the_first_call_and_without_grpc() -> None:
    code = (
        "import sys; from deeplens_kit.storage import open_location\n"
        "places = [open_location('L', 'p', url, {}) for url in ('gs://photos', 'az://acme/photos')]\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('google', 'azure', 'requests')])\n"
        "from google.cloud import storage; print('grpc' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]
