"""What is special about Azure Blob Storage."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deeplens_kit.errors import (
    LimitExceededError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectForbiddenError,
    ObjectUnreadableError,
    SettingsError,
)
from deeplens_kit.storage import LocationKind, normalise_url, open_location
from deeplens_kit.storage import azure as module
from deeplens_kit.storage import store as store_module
from deeplens_kit.storage.azure import AzureLocation
from deeplens_kit.storage.base import ObjectStat
from tests.examples import IN_FULL
from tests.storage.scripted import Asked, Cable, scripted
from tests.storage.test_azure_conformance import AzurePlace, place

__all__ = ["place"]

KEY = base64.b64encode(b"a key").decode()


def _rows(location: LocationKind) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in location.list().frame.iter_rows(named=True)}


def _sas(place: AzurePlace, **permissions: bool) -> str:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        place.server.account,
        place.container,
        account_key=place.server.key,
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


def _by_sas(place: AzurePlace, monkeypatch: pytest.MonkeyPatch, sas: str, **options: object) -> LocationKind:
    monkeypatch.setenv("TEST_AZURE_SAS", sas)
    url = f"az://{place.server.account}/{place.container}"
    return open_location("L", "blobs", url, {"sas": "${TEST_AZURE_SAS}", "endpoint": place.server.endpoint, **options})


@pytest.mark.parametrize(
    "url",
    [
        "az://Acme/photos/2024/é%20x",
        "azure://acme/photos/2024/%C3%A9 x/",
        "abfs://acme.blob.core.windows.net/photos/2024/é x",
        "ABFSS://photos@acme.dfs.core.windows.net/2024/é x",
        "wasbs://photos@acme.blob.core.windows.net/2024/%c3%a9%20x//",
    ],
)
def test_one_container_has_one_url_and_one_place(url: str) -> None:
    location = open_location("L", "blobs", url, {})
    assert location.url == "az://acme/photos/2024/%C3%A9%20x"
    assert location.place == "az://acme/photos/2024/é x/"
    assert normalise_url(location.url) == location.url
    assert open_location("L", "blobs", "az://acme/photos", {"base_path": "2024/é x"}).place == location.place


def test_the_same_name_at_another_address_is_another_place() -> None:
    url, local = "az://acme/photos", "http://127.0.0.1:10000/acme"
    assert open_location("L", "blobs", url, {"endpoint": local}).place == "az://127.0.0.1:10000/acme/photos/"
    at_home = {"endpoint": "https://acme.blob.core.windows.net/"}
    assert open_location("L", "blobs", url, at_home).place == "az://acme/photos/"


@pytest.mark.parametrize(
    "url",
    [
        *("az://acme", "az://", "az://user:hunter2@acme/x", "az://acme/photos/x?sv=1&sig=hunter2"),
        "abfss://photos@acme.dfs.core.chinacloudapi.cn/x",
    ],
)
def test_what_names_no_container_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match=r"names no container|option 'sas'") as caught:
        open_location("L", "blobs", url, {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sas": "${A}", "account_key": "${B}"}, "'account_key' and 'sas' exclude each other"),
        ({"anonymous": True, "managed_identity": "true"}, "'managed_identity' and 'anonymous' exclude"),
        ({"client_id": "x"}, "needs managed_identity=true"),
        ({"connection_string": "${A}", "endpoint": "https://x"}, "no use beside 'connection_string'"),
        ({"endpoint": "https://x.example?sig=hunter2"}, "is no URL of a blob service"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_location("L", "blobs", "az://acme/photos", options)
    assert "hunter2" not in str(caught.value)


def test_checksum_and_tier_are_what_the_listing_says(place: AzurePlace) -> None:
    place.put("whole.jpg", b"whole")
    staged = place.client.get_blob_client("staged.jpg")
    staged.stage_block("AAAA", b"staged")
    staged.commit_block_list(["AAAA"])
    place.client.get_blob_client("whole.jpg").set_standard_blob_tier("Cool")
    location = place.opened(permissions="create")
    location.create("ours.jpg", b"ours", metadata={"original-name": "ü.jpg"})
    rows = _rows(location)
    assert rows["staged.jpg"]["checksum"] is None
    assert rows["ours.jpg"]["checksum"] == f"md5:{hashlib.md5(b'ours').hexdigest()}"
    assert {path: row["storage_class"] for path, row in rows.items()} == {
        "whole.jpg": "Cool",
        "staged.jpg": "Hot",
        "ours.jpg": "Hot",
    }
    assert location.stat("ours.jpg").checksum == rows["ours.jpg"]["checksum"]
    assert location.check().clock_skew_seconds is not None
    assert place.client.get_blob_client("ours.jpg").get_blob_properties().metadata == {"original_name": "%C3%BC.jpg"}


def test_a_listing_goes_on_page_by_page(place: AzurePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        place.put(f"{number}.jpg", b"x")
    monkeypatch.setattr(module, "_PAGE_OBJECTS", 3)
    location = place.opened()
    assert isinstance(location, AzureLocation)
    first = location.store.page(None)
    assert (len(first.entries), first.after is None) == (3, False)
    assert sorted(_rows(location)) == [f"{number}.jpg" for number in range(7)]


def test_what_stands_for_a_folder_and_what_is_past_is_not_listed(place: AzurePlace) -> None:
    place.put("album/a.jpg", b"one")
    place.put("album/", b"")
    place.put("odd/", b"bytes")
    place.client.upload_blob("album2", b"", metadata={"hdi_isfolder": "true"})
    place.client.upload_blob("empty.jpg", b"", metadata={"hdi_isfolder": "false"})
    place.client.get_blob_client("album/a.jpg").create_snapshot()
    location = place.opened()
    listing = location.list()
    assert sorted(listing.frame["path"]) == ["album/a.jpg", "empty.jpg"]
    assert dict(listing.skipped) == {"special": 1}
    with pytest.raises(ObjectUnreadableError, match="has snapshots"):
        place.opened(permissions="change").remove("album/a.jpg", expected=location.stat("album/a.jpg"))
    assert location.read("album/a.jpg", max_bytes=9) == b"one"


def test_bytes_come_as_they_are_stored_and_of_one_state(place: AzurePlace) -> None:
    from azure.storage.blob import ContentSettings

    packed = gzip.compress(b"picture")
    place.client.upload_blob("a.jpg", packed, content_settings=ContentSettings(content_encoding="gzip"))
    location = place.opened(permissions="change")
    state = location.stat("a.jpg")
    assert location.read("a.jpg", expected=state, max_bytes=1000) == packed
    place.put("a.jpg", b"x" * len(packed))
    store = location.store if isinstance(location, AzureLocation) else None
    assert store is not None
    for act in (
        lambda: location.read("a.jpg", expected=state, max_bytes=1000),
        lambda: store.read("a.jpg", 2, 3, state.change_token),
        lambda: store.remove("a.jpg", state.change_token),
        lambda: store.copy("a.jpg", "b.jpg", state.change_token),
    ):
        try:
            act()
        except ObjectChangedError:
            continue
        except Exception as error:  # noqa: BLE001 - of the SDK; what it means is the question
            fault = store.fault_of(error)
            assert fault is not None
            assert fault.kind == "changed"
            continue
        pytest.fail("nothing was raised")


def test_an_archived_blob_says_what_to_do(place: AzurePlace) -> None:
    place.put("old.jpg", b"one")
    place.client.get_blob_client("old.jpg").set_standard_blob_tier("Archive")
    location = place.opened()
    assert _rows(location)["old.jpg"]["storage_class"] == "Archive"
    with pytest.raises(ObjectUnreadableError, match="archive tier; it can be read when it was moved to hot"):
        location.read("old.jpg", max_bytes=9)


def test_a_missing_permission_is_named_and_no_signature_shown(
    place: AzurePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a.jpg", b"one")
    sas = _sas(place, read=True)
    location = _by_sas(place, monkeypatch, sas)
    with pytest.raises(LocationUnavailableError, match=r"'Storage Blob Data Reader', or 'l' among") as caught:
        location.check()
    assert sas not in str(caught.value)
    assert "sig=" not in str(caught.value)
    with pytest.raises(ObjectForbiddenError, match=r"create blobs.*'Storage Blob Data Contributor', or 'c'"):
        _by_sas(place, monkeypatch, sas, permissions="create").create("b.jpg", b"two")
    found = _by_sas(place, monkeypatch, _sas(place, list=True), permissions="create").check()
    assert (found.may_read, found.may_write) == (False, False)
    assert any("read blobs" in remark for remark in found.remarks)


def test_a_signature_is_enough_for_a_copy_by_the_service(place: AzurePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.jpg", b"one")
    location = _by_sas(place, monkeypatch, _sas(place, read=True, create=True), permissions="create")
    location.copy("a.jpg", "é b.jpg", expected=location.stat("a.jpg"))
    assert place.client.get_blob_client("é b.jpg").get_blob_properties().copy.status == "success"
    assert location.read("é b.jpg", max_bytes=9) == b"one"


@pytest.mark.skipif(not IN_FULL, reason="the emulator errs when the machine is busy")
def test_new_credentials_are_taken_up_without_a_restart(place: AzurePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.jpg", b"one")
    good = _sas(place, read=True, list=True)
    location = _by_sas(place, monkeypatch, good)
    assert sorted(_rows(location)) == ["a.jpg"]
    monkeypatch.setenv("TEST_AZURE_SAS", good[:-10] + "AAAAAAA%3D")
    location.close()
    with pytest.raises(LocationUnavailableError, match="AuthorizationFailure"):
        location.list()
    monkeypatch.setenv("TEST_AZURE_SAS", good)
    assert sorted(_rows(location)) == ["a.jpg"]


def test_credentials_of_another_account_are_refused(place: AzurePlace) -> None:
    location = open_location("L", "blobs", "az://other/pictures", {"connection_string": "${TEST_AZURE}"})
    with pytest.raises(LocationUnavailableError, match=f"account '{place.server.account}', not 'other'") as caught:
        location.check()
    assert place.server.key not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "text"), [("connection_string", "hunter2"), ("account_key", "hunter2"), ("sas", "?hunter2")]
)
def test_what_is_no_credential_is_told_without_being_shown(
    place: AzurePlace, monkeypatch: pytest.MonkeyPatch, option: str, text: str
) -> None:
    monkeypatch.setenv("TEST_AZURE_TEXT", text)
    options = {option: "${TEST_AZURE_TEXT}"}
    if option != "connection_string":
        options["endpoint"] = place.server.endpoint
    location = open_location("L", "blobs", f"az://{place.server.account}/{place.container}", options)
    with pytest.raises(LocationUnavailableError) as caught:
        location.list()
    assert "hunter2" not in str(caught.value)


def test_a_missing_container_makes_the_location_unavailable(place: AzurePlace) -> None:
    url = f"az://{place.server.account}/nosuchcontainer"
    location = open_location("L", "blobs", url, {"connection_string": "${TEST_AZURE}"})
    with pytest.raises(LocationUnavailableError, match="container does not exist"):
        location.list()


@pytest.fixture
def cable(place: AzurePlace) -> Iterator[Cable]:
    made = Cable(place.server.port)
    yield made
    made.close()


def test_a_connection_lost_within_a_listing_makes_it_unavailable_until_it_is_back(
    place: AzurePlace, cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        place.put(f"{number}.jpg", b"x")
    monkeypatch.setenv("TEST_AZURE_KEY", place.server.key)
    monkeypatch.setattr(module, "_PAGE_OBJECTS", 2)
    account = place.server.account
    options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"http://127.0.0.1:{cable.port}/{account}", "retries": 1}
    location = open_location("L", "blobs", f"az://{account}/{place.container}", options)
    assert isinstance(location, AzureLocation)
    page = location.store.page

    def cut_after(cursor: object) -> Any:
        found = page(cursor)
        cable.cut()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(location.store, "page", cut_after)
        with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
            location.list()
    assert location.retried == 1
    cable.join()
    assert len(_rows(location)) == 5


def test_threads_go_on_while_credentials_are_taken_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"ETag": '"0x1"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", "x-ms-blob-type": "BlockBlob"}
    valid, served = "old", 0
    lock = threading.Lock()

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        nonlocal valid, served
        with lock:
            served += 1
            if served == 20:
                monkeypatch.setenv("TEST_AZURE_SAS", "sig=new")
                valid = "new"
            if f"sig={valid}" not in asked.path:
                return 403, {"x-ms-error-code": "AuthenticationFailed"}, b""
        return 206, {**state, "Content-Range": "bytes 0-2/3"}, b"one"

    monkeypatch.setenv("TEST_AZURE_SAS", "sig=old")
    with scripted(answer) as server:
        options = {"sas": "${TEST_AZURE_SAS}", "endpoint": f"{server.url}/acme", "retries": 0}
        location = open_location("L", "blobs", "az://acme/photos", options)
        expected = ObjectStat(3, "0x1|3")
        with ThreadPoolExecutor(8) as pool:
            read = pool.map(lambda n: location.read(f"{n}.jpg", expected=expected, max_bytes=9), range(60))
            assert set(read) == {b"one"}
        assert served > 60
        location.close()


def test_a_service_that_does_not_answer_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    tested = threading.Event()

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        tested.wait(30)
        return 503, {}, b""

    with scripted(answer) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme", "timeout_seconds": 0.2}
        location = open_location("L", "blobs", "az://acme/photos", {**options, "retries": 0})
        with pytest.raises(LocationUnavailableError, match=r"Read timed out.*Nothing was marked as gone"):
            location.list()
        tested.set()
        location.close()


def test_new_blobs_are_encrypted_in_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    state = {"ETag": '"0x1"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", "x-ms-request-id": "1"}

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if asked.method == "PUT":
            return 201, state, b""
        return 200, {**state, "Content-Length": "3", "x-ms-blob-type": "BlockBlob"}, b"one"

    with scripted(answer) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme", "encryption_scope": "vault"}
        location = open_location("L", "blobs", "az://acme/photos", {**options, "permissions": "create"})
        state_of = location.create("a.jpg", b"one")
        assert state_of.size_bytes == 3
        (put,) = [asked for asked in server.asked if asked.method == "PUT"]
        assert put.headers["x-ms-encryption-scope"] == "vault"
        assert put.headers["if-none-match"] == "*"
        location.close()


def test_a_copy_into_a_scope_keeps_what_is_said_of_the_blob_and_its_size_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    monkeypatch.setattr(store_module, "MOST_CARRIED_BYTES", 3)
    state = {"ETag": '"0x1"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", "x-ms-blob-type": "BlockBlob"}
    said = {"x-ms-meta-original_name": "%C3%BC.jpg", "Content-Type": "image/jpeg"}

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if asked.method == "PUT":
            return 201, state, b""
        data = b"long" if "long" in asked.path else b"one"
        length = {"Content-Length": str(len(data)), "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        return (206 if asked.method == "GET" else 200), {**state, **said, **length}, data

    with scripted(answer) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme", "encryption_scope": "vault"}
        location = open_location("L", "blobs", "az://acme/photos", {**options, "permissions": "create"})
        location.copy("a.jpg", "b.jpg", expected=location.stat("a.jpg"))
        (put,) = [asked for asked in server.asked if asked.method == "PUT"]
        assert put.body == b"one"
        assert put.headers["x-ms-meta-original_name"] == "%C3%BC.jpg"
        assert put.headers["x-ms-blob-content-type"] == "image/jpeg"
        assert put.headers["x-ms-encryption-scope"] == "vault"
        with pytest.raises(LimitExceededError, match="4 bytes are more than the 3"):
            location.copy("long.jpg", "c.jpg", expected=location.stat("long.jpg"))
        assert [asked for asked in server.asked if asked.method == "PUT"] == [put]
        location.close()


@pytest.mark.parametrize(
    ("status", "code", "method", "kind"),
    [
        (503, "ServerBusy", "GET", "passing"),
        (500, "InternalError", "GET", "passing"),
        (403, "AuthenticationFailed", "GET", "credentials"),
        (401, "InvalidAuthenticationInfo", "GET", "credentials"),
        (403, "AccountIsDisabled", "GET", "location"),
        (409, "PublicAccessNotPermitted", "GET", "location"),
        (412, "LeaseIdMissing", "DELETE", "forbidden"),
        (409, "BlobImmutableDueToPolicy", "DELETE", "forbidden"),
        (403, "UnauthorizedBlobOverwrite", "PUT", "exists"),
        (412, "ConditionNotMet", "DELETE", "changed"),
        (404, "BlobNotFound", "DELETE", "gone"),
        (400, "InvalidHeaderValue", "PUT", "broken"),
    ],
)
def test_answers_of_the_service_are_understood(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, method: str, kind: str
) -> None:
    monkeypatch.setenv("TEST_AZURE_KEY", KEY)
    with scripted(lambda asked: (status, {"x-ms-error-code": code}, b"")) as server:
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"{server.url}/acme"}
        location = open_location("L", "blobs", "az://acme/photos", options)
        assert isinstance(location, AzureLocation)
        store = location.store
        acts = {
            "GET": lambda: store.read("a.jpg", 0, 3, None),
            "DELETE": lambda: store.remove("a.jpg", "0x1|3"),
            "PUT": lambda: store.create("a.jpg", b"one", {}),
        }
        with pytest.raises(Exception) as caught:  # of the SDK; what it means is the question
            acts[method]()
        fault = store.fault_of(caught.value)
        assert fault is not None
        assert fault.kind == kind
        assert code in fault.reason
        location.close()
