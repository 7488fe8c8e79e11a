"""What is special about buckets: their names, credentials, encryption, permissions and conditions."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions

from deeplens_kit.errors import (
    LimitExceededError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectForbiddenError,
    ObjectUnreadableError,
    SettingsError,
)
from deeplens_kit.storage import normalise_url, open_location, s3_store
from deeplens_kit.storage import store as store_module
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import FaultKind
from deeplens_kit.storage.s3_faults import s3_fault_of
from tests.servers import juicefs as juicefs_server
from tests.servers.s3 import Keys, S3Server
from tests.storage.s3_place import S3Place

TRIAL = ".deeplens-check"


@pytest.fixture
def weed(seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(seaweedfs, monkeypatch)


@pytest.fixture
def emulated(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(moto, monkeypatch)


def _store(location: Any) -> s3_store.S3Store:
    assert isinstance(location, RemoteLocation)
    assert isinstance(location.store, s3_store.S3Store)
    return location.store


# --- Names and options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("s3://pics", "s3://pics"),
        ("S3://pics/", "s3://pics"),
        ("s3://pics/a b/é/", "s3://pics/a%20b/%C3%A9"),
        ("s3://pics/a%20b/%C3%A9", "s3://pics/a%20b/%C3%A9"),
    ],
)
def test_a_url_has_one_spelling(url: str, kept: str) -> None:
    assert normalise_url(url) == kept == normalise_url(kept)


@pytest.mark.parametrize("url", ["s3://", "s3:///pics", "s3://key:hunter2@pics/x"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="s3://BUCKET") as caught:
        normalise_url(url)
    assert "hunter2" not in str(caught.value)


def test_one_root_has_one_place() -> None:
    def place(url: str, **options: object) -> str:
        return open_location("", "", url, options).place

    assert place("s3://pics") == place("s3://pics/", region="eu-west-1") == "s3://s3.amazonaws.com/pics/"
    assert place("s3://pics/a/b") == place("s3://pics/a", base_path="/b/") == "s3://s3.amazonaws.com/pics/a/b/"
    ours = {"endpoint": "https://S3.example.org:9000/"}
    assert place("s3://pics", **ours) == "s3://s3.example.org:9000/pics/"
    for host in ("s3.eu-west-1.amazonaws.com", "S3.amazonaws.com:443", "s3.dualstack.us-east-2.amazonaws.com/"):
        assert place("s3://pics", endpoint=f"https://{host}") == place("s3://pics")
    for address in ("https://s3.example.org:443", "http://s3.example.org:80/", "http://s3.example.org"):
        assert place("s3://pics", endpoint=address) == "s3://s3.example.org/pics/"
    # Elsewhere the bucket of that name is another one.
    for region, host in (("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"), ("us-gov-west-1", "s3.us-gov-west-1")):
        host = host if host.endswith(".cn") else f"{host}.amazonaws.com"
        assert place("s3://pics", region=region) == place("s3://pics", endpoint=f"https://{host}") != place("s3://pics")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"access_key": "${A}"}, "go together"),
        ({"session_token": "${A}"}, "needs 'access_key'"),
        ({"access_key": "${A}", "secret_key": "${B}", "profile": "p"}, "exclude each other"),
        ({"anonymous": True, "profile": "p"}, "'anonymous' goes with no credentials"),
        ({"external_id": "x"}, "need 'role_arn'"),
        ({"kms_key_id": "k", "sse": "AES256"}, "needs sse=aws:kms"),
        ({"endpoint": "minio.example.org"}, "'endpoint' is no address"),
        ({"endpoint": "https://user:word@minio.example.org"}, "'endpoint' is no address"),
        ({"endpoint": "https://minio.example.org:word"}, "'endpoint' is no address"),
        ({"sse": "aws"}, "sse"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_location("", "", "s3://pics", options)
    assert "word" not in str(caught.value)


def test_keys_may_be_what_no_path_could_be(emulated: S3Place) -> None:
    names = ["../z.jpg", "//dd.jpg", "/lead.jpg", "d//e.jpg", "x/../y.jpg", "ctl\x01\x0b.jpg", "a\rb.jpg", "b\\s.jpg"]
    for name in names:
        emulated.put(name, name.encode())
    emulated.put("folder/", b"")
    emulated.put("odd/", b"what is in a folder's name")
    location = emulated.opened(hidden=True)
    listing = location.list()
    assert sorted(listing.frame["path"]) == sorted(names)
    assert dict(listing.skipped) == {"special": 1}
    for name in names:
        assert location.read(name, max_bytes=99) == name.encode()


# --- Credentials ---------------------------------------------------------------------------------------------------


def test_keys_that_are_changed_work_without_a_restart(weed: S3Place) -> None:
    weed.put("a.jpg", b"one")
    location = weed.opened()
    assert location.list().frame.height == 1
    weed.use(Keys("TESTKEYNOBODY", "test-secret-nobody"))
    _store(location).renew()
    with pytest.raises(LocationUnavailableError, match="InvalidAccessKeyId"):
        location.list()
    weed.use(weed.server.keys)
    assert location.list().frame.height == 1
    assert location.read("a.jpg", max_bytes=9) == b"one"


def test_wrong_keys_do_not_look_like_an_object_that_is_forbidden(weed: S3Place) -> None:
    weed.put("a.jpg", b"one")
    location, _ = weed.refused()
    with pytest.raises(LocationUnavailableError, match="SignatureDoesNotMatch"):
        location.stat("a.jpg")


def test_a_bucket_that_is_gone_does_not_look_like_an_object_that_is(weed: S3Place) -> None:
    weed.bucket = "no-such-bucket"
    location = weed.opened()
    for ask in (lambda: location.stat("a.jpg"), location.list):
        with pytest.raises(LocationUnavailableError, match="NoSuchBucket"):
            ask()


@pytest.mark.holds_credentials  # AWS's own file
def test_a_profile_is_used(weed: S3Place, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    keys = weed.server.keys
    file.write_text(f"[pics]\naws_access_key_id={keys.access_key}\naws_secret_access_key={keys.secret_key}\n")
    weed.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert weed.opened(profile="pics").list().frame.is_empty()
    with pytest.raises(LocationUnavailableError, match="other"):
        weed.opened(profile="other").list()


def test_everybody_may_read_what_is_public(weed: S3Place) -> None:
    weed.bucket = "public-pictures"
    weed.client.create_bucket(Bucket=weed.bucket)
    weed.put("a.jpg", b"one")
    location = weed.opened(anonymous=True)
    with pytest.raises(LocationUnavailableError, match="s3:ListBucket is not allowed"):
        location.list()
    arn = f"arn:aws:s3:::{weed.bucket}"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:ListBucket", "s3:GetObject"]}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": [arn, f"{arn}/*"]}]}
    weed.client.put_bucket_policy(Bucket=weed.bucket, Policy=json.dumps(policy))
    assert location.check().may_read is True
    assert location.read("a.jpg", max_bytes=9) == b"one"


@pytest.fixture
def requests(emulated: S3Place) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the emulator was asked since, as it recorded it."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(what: str, method: str = "POST") -> bytes:
        url = f"{emulated.server.endpoint}/moto-api/recorder/{what}-recording"
        with direct.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            data: bytes = answer.read()
        return data

    ask("reset")
    ask("start")
    yield lambda: [json.loads(line) for line in ask("download", "GET").splitlines() if line]
    ask("stop")


def test_a_role_is_assumed_with_what_its_owner_asks_for(
    emulated: S3Place, requests: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEYCHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret-chain")
    role = "arn:aws:iam::123456789012:role/pictures"
    location = emulated.opened(role_arn=role, external_id="ours-7", sts_endpoint=emulated.server.endpoint)
    assert location.list().frame.is_empty()
    assert location.list().frame.is_empty()
    assumed, *lists = requests()
    asked = dict(urllib.parse.parse_qsl(base64.b64decode(assumed["body"]).decode()))
    assert (asked["RoleArn"], asked["ExternalId"], asked["RoleSessionName"]) == (role, "ours-7", "deeplens")
    assert "Credential=TESTKEYCHAIN/" in assumed["headers"]["Authorization"]
    assert len(lists) == 2  # lent once
    for request in lists:
        assert "Credential=ASIA" in request["headers"]["Authorization"]
        assert request["headers"]["X-Amz-Security-Token"]


def test_a_role_that_is_not_lent_is_told(weed: S3Place) -> None:
    # This server knows no roles at all.
    role = "arn:aws:iam::123456789012:role/pictures"
    keys = {"access_key": "${DEEPLENS_TEST_S3_KEY}", "secret_key": "${DEEPLENS_TEST_S3_SECRET}"}
    location = weed.opened(role_arn=role, sts_endpoint=weed.server.endpoint, **keys)
    with pytest.raises(LocationUnavailableError, match="role cannot be assumed"):
        location.list()


def test_who_asks_pays_where_that_is_allowed(emulated: S3Place, requests: Callable[[], list[dict[str, Any]]]) -> None:
    emulated.put("a.jpg", b"one")
    location = emulated.opened(requester_pays=True, permissions="change")
    location.copy("a.jpg", "b.jpg", expected=location.stat("a.jpg"))
    location.list()
    location.remove("b.jpg", expected=location.stat("b.jpg"))
    asked = requests()[1:]
    assert len(asked) > 8
    assert all(request["headers"].get("X-Amz-Request-Payer") == "requester" for request in asked)


# --- Permissions ---------------------------------------------------------------------------------------------------


def test_a_permission_that_is_missing_is_named(weed: S3Place) -> None:
    weed.put("a.jpg", b"one")
    assert weed.server.reader is not None
    weed.use(weed.server.reader)
    location = weed.opened(permissions="change")
    state = location.stat("a.jpg")
    with pytest.raises(ObjectForbiddenError, match="s3:PutObject is not allowed"):
        location.create("b.jpg", b"two")
    with pytest.raises(ObjectForbiddenError, match="s3:DeleteObject is not allowed"):
        location.remove("a.jpg", expected=state)
    found = location.check()
    assert (found.may_read, found.may_write) == (True, False)
    assert "s3:PutObject" in found.remarks[0]
    assert weed.keys() == ["a.jpg"]


def _answer(code: str, status: int, operation: str = "GetObject", message: str = "No.", **more: str) -> Exception:
    said: Any = {"Error": {"Code": code, "Message": message, **more}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(said, operation)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (_answer("SlowDown", 503), FaultKind.PASSING, "SlowDown"),
        (_answer("429", 429), FaultKind.PASSING, "429"),
        (_answer("ConditionalRequestConflict", 409, "PutObject"), FaultKind.PASSING, ""),
        (_answer("NotImplemented", 501, "PutObject"), FaultKind.BROKEN, "NotImplemented"),
        (_answer("NoSuchKey", 404), FaultKind.GONE, ""),
        (_answer("404", 404, "HeadObject"), FaultKind.GONE, ""),
        (_answer("NoSuchBucket", 404), FaultKind.LOCATION, "NoSuchBucket"),
        (_answer("RequestTimeTooSkewed", 403), FaultKind.LOCATION, ""),
        (_answer("ExpiredToken", 400), FaultKind.CREDENTIALS, ""),
        (_answer("AccessDenied", 403, "AssumeRole"), FaultKind.CREDENTIALS, "role_arn, external_id"),
        (_answer("PreconditionFailed", 412), FaultKind.CHANGED, ""),
        (_answer("PreconditionFailed", 412, "DeleteObject"), FaultKind.CHANGED, ""),
        (_answer("PreconditionFailed", 412, "PutObject"), FaultKind.EXISTS, ""),
        (_answer("PreconditionFailed", 412, "CopyObject"), FaultKind.EXISTS, ""),
        (_answer("AccessDenied", 403, "ListObjectsV2"), FaultKind.FORBIDDEN, "s3:ListBucket is not allowed: No (A"),
        (_answer("AccessDenied", 403), FaultKind.FORBIDDEN, "s3:GetObject is"),
        (
            _answer("AccessDenied", 403, message="User x is not authorized to perform: kms:Decrypt on resource y"),
            FaultKind.FORBIDDEN,
            "kms:Decrypt is",
        ),
        (_answer("KMS.DisabledException", 403, "PutObject"), FaultKind.FORBIDDEN, "kms:GenerateDataKey is"),
        (_answer("InvalidObjectState", 403, StorageClass="DEEP_ARCHIVE"), FaultKind.BROKEN, "lies in DEEP_ARCHIVE"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), FaultKind.PASSING, ""),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), FaultKind.PASSING, ""),
        (exceptions.SSLError(endpoint_url="http://x", error="expired"), FaultKind.LOCATION, "ca_file"),
        (exceptions.NoCredentialsError(), FaultKind.CREDENTIALS, ""),
        (exceptions.ProfileNotFound(profile="p"), FaultKind.LOCATION, "p"),
        (ConnectionResetError("reset"), FaultKind.PASSING, "reset"),
    ],
)
def test_errors_mean_what_they_should(error: Exception, kind: FaultKind, said: str) -> None:
    fault = s3_fault_of(error)
    assert fault is not None
    assert fault.kind == kind
    assert said in fault.reason


def test_errors_of_our_own_are_not_the_storage() -> None:
    assert s3_fault_of(KeyError("x")) is None


def test_an_object_in_an_archive_is_told_and_not_tried_again(emulated: S3Place) -> None:
    key = f"{emulated.prefix}old.jpg"
    emulated.client.put_object(Bucket=emulated.bucket, Key=key, Body=b"old", StorageClass="GLACIER")
    location = emulated.opened()
    assert location.list().frame["storage_class"].to_list() == ["GLACIER"]
    with pytest.raises(ObjectUnreadableError, match="lies in GLACIER; restore it"):
        location.read("old.jpg", max_bytes=9)
    assert isinstance(location, RemoteLocation)
    assert location.retried == 0


# --- Writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["seaweedfs", "moto"])
def test_what_is_written_is_encrypted_and_keeps_what_it_had(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(request.getfixturevalue(server), monkeypatch)
    location = place.opened(sse="AES256", permissions="change")
    state = location.create("a.jpg", b"one", metadata={"original-name": "Ü.jpg"})
    location.copy("a.jpg", "b.jpg", expected=state)
    for path in ("a.jpg", "b.jpg"):
        told = place.head(path)
        assert told["ServerSideEncryption"] == "AES256"
        assert (told["ContentType"], told["Metadata"]) == ("image/jpeg", {"original-name": "%C3%9C.jpg"})
    assert location.checksum("a.jpg") == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert place.keys() == ["a.jpg", "b.jpg"]  # and nothing of a trial


def test_with_a_key_of_kms_no_etag_is_a_checksum(emulated: S3Place) -> None:
    location = emulated.opened(sse="aws:kms", kms_key_id="our-key", permissions="create")
    location.create("a.jpg", b"one")
    emulated.put("b.jpg", b"two")
    told = emulated.head("a.jpg")
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", "our-key")
    assert dict(location.list().frame.select("path", "checksum").iter_rows()) == {"a.jpg": "sha256:?", "b.jpg": None}
    assert location.checksum("a.jpg") == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert location.checksum("b.jpg") is None


@pytest.mark.parametrize("server", ["seaweedfs", "moto"])
def test_the_checksum_of_parts_is_none(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(request.getfixturevalue(server), monkeypatch)
    of = {"Bucket": place.bucket, "Key": f"{place.prefix}a.jpg"}
    upload = place.client.create_multipart_upload(**of, ChecksumAlgorithm="SHA256")["UploadId"]
    part = place.client.upload_part(**of, UploadId=upload, PartNumber=1, Body=b"one", ChecksumAlgorithm="SHA256")
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
    place.client.complete_multipart_upload(**of, UploadId=upload, MultipartUpload={"Parts": parts})
    for options in ({}, {"sse": "aws:kms"}):
        location = place.opened(**options)
        assert location.list().frame["checksum"].to_list() == [None]
        assert location.checksum("a.jpg") is None


@pytest.mark.parametrize("server", ["seaweedfs", "moto"])
def test_the_server_itself_heeds_the_state(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes after we compared and before we act."""
    place = S3Place(request.getfixturevalue(server), monkeypatch)
    place.put("a.jpg", b"one")
    place.put("taken.jpg", b"mine")
    location = place.opened(permissions="change")
    state = location.stat("a.jpg")
    monkeypatch.setattr(location, "_expect", lambda path, expected: None)
    with pytest.raises(ObjectExistsError):
        location.copy("a.jpg", "taken.jpg", expected=state)
    place.put("a.jpg", b"two")
    for act in (
        lambda: location.copy("a.jpg", "b.jpg", expected=state),
        lambda: location.move("a.jpg", "b.jpg", expected=state),
        lambda: location.remove("a.jpg", expected=state),
        lambda: location.read("a.jpg", expected=state, max_bytes=9),
    ):
        with pytest.raises(ObjectChangedError):
            act()
    assert place.keys() == ["a.jpg", "taken.jpg"]
    assert location.read("taken.jpg", max_bytes=9) == b"mine"


def test_what_is_too_large_to_be_carried_is_told(emulated: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place = emulated  # which copies over what is there, and so is not asked to copy
    monkeypatch.setattr(store_module, "MOST_CARRIED_BYTES", 3)
    place.put("a.jpg", b"abc")
    place.put("b.jpg", b"abcd")
    location = place.opened(permissions="create")
    location.copy("a.jpg", "c.jpg", expected=location.stat("a.jpg"))
    with pytest.raises(LimitExceededError, match="4 bytes are more than the 3"):
        location.copy("b.jpg", "d.jpg", expected=location.stat("b.jpg"))
    assert place.keys() == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("step", "server"), [("create", "seaweedfs"), ("copy", "seaweedfs"), ("remove", "seaweedfs"), ("remove", "moto")]
)
def test_an_answer_that_is_lost_makes_no_failure_of_what_went_well(
    step: str, server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(request.getfixturevalue(server), monkeypatch)
    location = place.opened(permissions="change")
    store, lost = _store(location), []
    act = getattr(store, step)

    def act_and_lose_the_answer(*given: Any) -> None:
        act(*given)
        if not lost:
            lost.append(step)
            raise ConnectionResetError("reset")

    monkeypatch.setattr(store, step, act_and_lose_the_answer)
    state = location.create("a.jpg", b"one")
    location.move("a.jpg", "b.jpg", expected=state)
    assert lost == [step]
    assert place.keys() == ["b.jpg"]
    assert location.read("b.jpg", max_bytes=9) == b"one"


def test_a_copy_stays_in_its_storage_class(emulated: S3Place) -> None:
    key = f"{emulated.prefix}a.jpg"
    emulated.client.put_object(Bucket=emulated.bucket, Key=key, Body=b"one", StorageClass="STANDARD_IA")
    location = emulated.opened(permissions="create")
    assert location.copy("a.jpg", "b.jpg", expected=location.stat("a.jpg")).storage_class == "STANDARD_IA"


def test_the_trial_is_made_once_and_leaves_nothing(
    emulated: S3Place, requests: Callable[[], list[dict[str, Any]]]
) -> None:
    location = emulated.opened(permissions="create")
    for number in range(3):
        location.create(f"{number}.jpg", b"one")
    asked = [(request["method"], TRIAL in request["url"]) for request in requests()]
    assert asked.count(("PUT", True)) == 2
    assert asked.count(("PUT", False)) == 3
    assert emulated.keys() == ["0.jpg", "1.jpg", "2.jpg"]


# --- A server that goes away ---------------------------------------------------------------------------------------


def test_a_server_killed_between_pages_makes_no_part_of_a_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with juicefs_server.running(tmp_path / "juicefs") as server:
        place = S3Place(server, monkeypatch)
        for number in range(30):
            place.put(f"{number}.jpg", b"one")
        location = place.opened(timeout_seconds=5.0)
        store, pages = _store(location), []
        page = store.page

        def page_then_kill(cursor: object) -> Any:
            pages.append(cursor)
            found = page(cursor)
            if len(pages) == 1:
                server.kill()
            return found

        monkeypatch.setattr(store, "page", page_then_kill)
        with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
            location.list()
        assert len(pages) == 3  # the second page was tried twice
        server.restart()
        assert location.list().frame.height == 30
