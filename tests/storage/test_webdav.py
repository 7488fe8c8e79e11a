"""What is special about WebDAV: ETags that are weak or lie, redirects, logins, TLS, servers that overwrite."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import pytest

from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectChangedError,
    ObjectError,
    ObjectForbiddenError,
    ObjectUnreadableError,
    SettingsError,
    StoreFullError,
)
from deeplens_kit.storage import open_location
from deeplens_kit.storage.listing import UNSETTLED
from deeplens_kit.storage.webdav import WebdavLocation
from tests.servers import webdav as webdav_server
from tests.servers.certificates import certificate
from tests.servers.webdav import WebdavServer
from tests.storage.odd_http import Reply, Request, odd_http

_OLD = "Mon, 03 Feb 2020 04:05:06 GMT"


def _opened(url: str, **options: object) -> WebdavLocation:
    return cast(WebdavLocation, open_location("L", "pics", url, {"retries": 0, **options}))


def _of(server: WebdavServer, **options: object) -> WebdavLocation:
    scheme = "webdavs" if server.endpoint.startswith("https") else "webdav"
    url = f"{scheme}://{server.user}@{server.host}:{server.port}/"
    return _opened(url, password="${DAV_PASSWORD}", **options)


@contextmanager
def _odd(answer: Callable[[Request], Reply], **options: object) -> Iterator[WebdavLocation]:
    with odd_http(answer) as port:
        location = _opened(f"webdav://127.0.0.1:{port}/", **options)
        with closing(location):
            yield location


def _listed(path: str, *, etag: str = '"1"', size: int = 3, modified: str = _OLD, extra: str = "") -> bytes:
    """A folder that holds one file, or that file."""
    found = f"<D:getetag>{etag}</D:getetag><D:getcontentlength>{size}</D:getcontentlength>"
    found += f"<D:resourcetype/><D:getlastmodified>{modified}</D:getlastmodified>"
    return (
        f'<?xml version="1.0"?>{extra}<D:multistatus xmlns:D="DAV:"><D:response><D:href>{path}</D:href><D:propstat>'
        f"<D:prop>{found}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
    ).encode()


# --- Addresses and options -----------------------------------------------------------------------------------------


def test_two_spellings_of_an_address_name_one_place() -> None:
    plain = _opened("webdavs://cloud.example.org/remote.php/a b")
    for url in ("DAVS://Cloud.example.org:443/remote.php//a%20b/", "webdavs://cloud.example.org/remote.php/a%20b"):
        assert _opened(url).place == plain.place == "webdavs://cloud.example.org/remote.php/a b/"
        assert _opened(url).url == plain.url == "webdavs://cloud.example.org/remote.php/a%20b"
    assert _opened("webdav://h:80/").url == "webdav://h"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("webdav://ann:hunter2@h/", {}, "holds a password"),
        ("webdav://ann@h/", {}, "needs location option 'password'"),
        ("webdav://h/", {"password": "${X}"}, "needs a user"),
        ("webdav://h/", {"user": "ann", "token": "${X}"}, "one or the other"),
        ("webdav://h/", {"ca_file": "x.pem"}, "webdavs://"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_connects(url: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        _opened(url, **options)
    assert "hunter2" not in str(caught.value)


# --- Tokens and listings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("etag", "modified", "token"),
    [
        ('"abc"', _OLD, "abc|3"),
        ("abc", _OLD, "abc|3"),  # WsgiDAV leaves the quotation marks out
        ('"abc"', "", "abc|3"),
        ('"abc"', "Fri, 03 Feb 2090 04:05:06 GMT", f"abc|3{UNSETTLED}"),
        ('W/"abc"', _OLD, "3-20200203040506"),
        ('W/"abc"', "", f"3{UNSETTLED}"),
        ("", "", f"3{UNSETTLED}"),
    ],
)
def test_only_what_can_be_trusted_is_a_settled_token(etag: str, modified: str, token: str) -> None:
    with _odd(lambda request: Reply(207, _listed("/a.jpg", etag=etag, modified=modified))) as location:
        assert location.list().frame["change_token"].to_list() == [token]
        assert location.stat("a.jpg").change_token == token


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(200, b"<html>Welcome</html>"), "no WebDAV is spoken"),
        (Reply(404), "no WebDAV folder"),
        (Reply(207, b"<html/>"), "it starts with html"),
        (Reply(207, _listed("/a.jpg")[:-9]), "cannot be read"),
        (Reply(207, _listed("/a.jpg", extra='<!DOCTYPE x [<!ENTITY a "b">]>')), "document type"),
        (Reply(207, _listed("/other/folder/a.jpg")), "as an entry of the folder"),
        (Reply(207, _listed("/%2E%2E/a.jpg")), "as an entry of the folder"),
        (Reply(403), "Permission denied"),
        (Reply(503), "503"),
        (Reply(302, headers=(("Location", "https://evil.example.org/x?secret=1"),)), "redirected to https://evil"),
        (Reply(302, headers=(("Location", "/loop"),)), "redirects without end"),
    ],
)
def test_an_answer_that_is_no_list_makes_the_location_unavailable(reply: Reply, message: str) -> None:
    with _odd(lambda request: reply) as location:
        with pytest.raises(LocationUnavailableError, match=message) as caught:
            location.list()
        assert "secret=1" not in str(caught.value)


_UNTOLD = "<D:propstat><D:prop><D:resourcetype/></D:prop><D:status>HTTP/1.1 403 No</D:status></D:propstat>"


def _answers(**said: str) -> bytes:
    """What is said of a folder with a file in it, and of others."""
    others = "".join(f"<D:response><D:href>/{path}</D:href>{answer}</D:response>" for path, answer in said.items())
    return _listed("/a.jpg").replace(b"</D:multistatus>", f"{others}</D:multistatus>".encode())


def test_what_the_server_says_nothing_of_is_not_taken_for_gone() -> None:
    status = "<D:status>HTTP/1.1 {}</D:status>".format
    body = _answers(**{"b/": status("403 No"), "c": _UNTOLD, "d": "", "e": status("404 Gone"), "f": status("500 Oh")})
    with _odd(lambda request: Reply(207, body)) as location:
        listing = location.list()
    assert listing.frame["path"].to_list() == ["a.jpg"]
    assert dict(listing.skipped) == {}
    assert {problem.path: problem.code for problem in listing.problems} == {
        **{"b/": "permission", "c": "permission", "c/": "permission"},
        **{"d": "io", "d/": "io", "f": "io", "f/": "io"},
    }


@pytest.mark.parametrize("status", ["507 Insufficient Storage", "403 No"])
def test_a_list_that_the_server_cut_off_is_no_listing(status: str) -> None:
    body = _answers(**{"": f"<D:status>HTTP/1.1 {status}</D:status>"})
    with (
        _odd(lambda request: Reply(207, body)) as location,
        pytest.raises(LocationUnavailableError, match=status[:3]),
    ):
        location.list()


def test_a_state_that_may_not_be_told_is_no_state() -> None:
    body = _listed("/a.jpg").replace(b"200 OK", b"403 No")
    with _odd(lambda request: Reply(207, body)) as location, pytest.raises(ObjectForbiddenError):
        location.stat("a.jpg")


def test_a_redirect_within_the_server_is_followed() -> None:
    def answer(request: Request) -> Reply:
        if not request.path.startswith("/dav/"):
            return Reply(301, headers=(("Location", f"/dav{request.path}"),))
        return Reply(207, _listed("/a.jpg")) if request.method == "PROPFIND" else Reply(200, b"one")

    with _odd(answer) as location:
        assert location.read("a.jpg", max_bytes=9) == b"one"


# --- Bytes ---------------------------------------------------------------------------------------------------------


def _serving(get: Reply) -> Callable[[Request], Reply]:
    return lambda request: Reply(207, _listed("/a.jpg", size=9)) if request.method == "PROPFIND" else get


@pytest.mark.parametrize(
    ("get", "message"),
    [
        (Reply(200, b"four", claims=9), "without sending complete"),
        (Reply(200, b"four"), "4 bytes came of 9"),
        (Reply(206, b"nine byte", (("Content-Range", "bytes 4-12/13"),)), "bytes 4-12/13"),
    ],
)
def test_a_body_that_was_cut_or_is_another_part_is_a_failure(get: Reply, message: str) -> None:
    with _odd(_serving(get)) as location, pytest.raises(ObjectUnreadableError, match=message):
        location.read("a.jpg", max_bytes=99)


def test_a_server_that_knows_no_ranges_is_read_all_the_same() -> None:
    get = _serving(Reply(200, b"nine byte"))
    with _odd(get) as location, location.open("a.jpg") as file:
        file.seek(5)
        assert file.read(3) == b"byt"


def test_a_changed_object_is_not_sent_and_a_server_that_contradicts_itself_is_read() -> None:
    now = ['"1"']
    asked: list[str | None] = []

    def answer(request: Request) -> Reply:
        if request.method == "PROPFIND":
            return Reply(207, _listed("/a.jpg", etag=now[0]))
        asked.append(request.headers.get("If-Match"))
        return Reply(200, b"one") if asked[-1] is None else Reply(412)

    with _odd(answer) as location:
        state = location.stat("a.jpg")
        now[0] = '"2"'
        with pytest.raises(ObjectChangedError):
            location.read("a.jpg", expected=state, max_bytes=9)
        assert location.read("a.jpg", max_bytes=9) == b"one"
        assert asked == ['"1"', '"2"', None]


# --- Writing -------------------------------------------------------------------------------------------------------


def test_a_server_that_overwrites_in_spite_of_everything_is_not_written_to() -> None:
    kept = {"/taken.jpg": b"theirs"}

    def answer(request: Request) -> Reply:
        match request.method:
            case "PUT":
                kept[request.path] = request.body
            case "MOVE":
                kept["/" + request.headers["Destination"].rpartition("/")[2]] = kept.pop(request.path)
            case "DELETE":
                return Reply(204 if kept.pop(request.path, None) is not None else 404)
        return Reply(201)

    with _odd(answer, permissions="create") as location:
        for name in ("taken.jpg", "free.jpg"):
            with pytest.raises(ObjectUnreadableError, match="nothing is stored there"):
                location.create(name, b"ours")
    assert kept == {"/taken.jpg": b"theirs"}


def test_nothing_is_moved_or_copied_over_another_by_a_server_that_overwrites() -> None:
    kept = {"/a.jpg": b"ours", "/taken.jpg": b"theirs"}

    def answer(request: Request) -> Reply:
        match request.method:
            case "PROPFIND":
                return Reply(207, _listed(request.path)) if request.path in kept else Reply(404)
            case "PUT":
                kept[request.path] = request.body
            case "MOVE" | "COPY":
                kept["/" + request.headers["Destination"].rpartition("/")[2]] = kept[request.path]
                if request.method == "MOVE":
                    del kept[request.path]
            case "DELETE":
                return Reply(204 if kept.pop(request.path, None) is not None else 404)
        return Reply(201)

    with _odd(answer, permissions="change") as location:
        for act in (location.move, location.copy):
            for target in ("taken.jpg", "free.jpg"):
                with pytest.raises(ObjectError, match=r"nothing is stored there|has this name already"):
                    act("a.jpg", target, expected=location.stat("a.jpg"))
    assert kept == {"/a.jpg": b"ours", "/taken.jpg": b"theirs"}


def test_a_full_storage_says_so() -> None:
    def answer(request: Request) -> Reply:
        if request.method != "PROPFIND":
            return Reply(507)
        return Reply(207, _listed(request.path)) if request.path == "/a.jpg" else Reply(404)

    with _odd(answer, permissions="change") as location:
        for act in (location.move, location.copy):
            with pytest.raises(StoreFullError):
                act("a.jpg", "b.jpg", expected=location.stat("a.jpg"))
        with pytest.raises(StoreFullError):
            location.create("c.jpg", b"ours")
    with _odd(lambda request: Reply(507)) as location, pytest.raises(LocationUnavailableError, match="507"):
        location.list()


# --- Logins, TLS, servers that go ----------------------------------------------------------------------------------


def test_a_changed_password_is_taken_up(webdav: WebdavServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAV_PASSWORD", webdav.password)
    with closing(_of(webdav)) as location:
        assert location.check().capacity_bytes
        location.store.renew()
        monkeypatch.setenv("DAV_PASSWORD", "of yesterday")
        with pytest.raises(LocationUnavailableError, match="401"):
            location.list()
        monkeypatch.setenv("DAV_PASSWORD", webdav.password)
        location.list()


def test_a_bearer_token_is_sent_and_in_clear_is_said() -> None:
    def answer(request: Request) -> Reply:
        allowed = request.headers.get("Authorization") == "Bearer the-secret-token"
        return Reply(207, _listed("/a.jpg")) if allowed else Reply(401)

    with odd_http(answer) as port, pytest.MonkeyPatch.context() as patched:
        patched.setenv("DAV_TOKEN", "the-secret-token")
        with closing(_opened(f"webdav://127.0.0.1:{port}/", token="${DAV_TOKEN}")) as location:
            assert any("in clear" in remark for remark in location.check().remarks)
            patched.setenv("DAV_TOKEN", "another")
            location.close()
            with pytest.raises(LocationUnavailableError, match="401") as caught:
                location.list()
            assert "another" not in str(caught.value)


def test_digest_authentication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with webdav_server.running(tmp_path, digest=True) as server:
        monkeypatch.setenv("DAV_PASSWORD", server.password)
        (server.served / "a.jpg").write_bytes(b"one")
        with closing(_of(server, auth="digest")) as location, closing(_of(server)) as basic:
            assert location.read("a.jpg", max_bytes=9) == b"one"
            with pytest.raises(LocationUnavailableError, match="401"):
                basic.list()


def test_certificates_are_checked_and_a_server_may_go_and_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificate(tmp_path)
    with webdav_server.running(tmp_path / "server", certificate=made) as server:
        monkeypatch.setenv("DAV_PASSWORD", server.password)
        (server.served / "a.jpg").write_bytes(b"one")
        with (
            closing(_of(server)) as location,
            pytest.raises(LocationUnavailableError, match=r"not trusted .*ca_file"),
        ):
            location.check()
        with (
            closing(_of(server, ca_file=str(tmp_path / "gone.pem"))) as location,
            pytest.raises(LocationUnavailableError, match=r"gone.pem.*ca_file"),
        ):
            location.check()
        with closing(_of(server, ca_file=str(made.file), permissions="create")) as location:
            found = location.check()
            assert (found.may_write, found.remarks) == (True, ())
            location.create("sub/b.jpg", b"two")
            assert sorted(os.listdir(server.served / "sub")) == ["b.jpg"]
            server.kill()
            with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
                location.list()
            server.restart()
            assert sorted(location.list().frame["path"]) == ["a.jpg", "sub/b.jpg"]
