"""The server as a process: which requests it answers, which it refuses, and how it says that it cannot start."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.service import serve
from deeplens_kit.service.desk import Desk

ROOT = Path(__file__).parent.parent.parent
COMMAND = "import sys; from deeplens_kit.cli import main; sys.argv[0] = 'deeplens'; sys.exit(main())"


def command(workspace: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--workspace", str(workspace), "serve", "--no-open", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over a picture and its copy; not to be changed."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "pictures").mkdir()
    cat = Image.fromarray(skimage.data.chelsea())
    cat.save(folder / "pictures" / "cat.png")
    cat.save(folder / "pictures" / "cat.jpg", quality=85)
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "pictures", str(folder / "pictures"))
        index(workspace)
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """The port of a server over it, which SIGTERM ends well."""
    process = command(folder / "workspace", "--port", "0")
    try:
        assert process.stdout is not None
        ready = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert ready
        yield int(ready[1])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "Stopped.\n"), err
        assert "Traceback" not in err
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ask(port: int, path: str, *, host: str = "", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"} | headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def digest_of(folder: Path) -> str:
    with Workspace.open(folder / "workspace") as workspace:
        return str(workspace.catalog.pictures(columns=["digest"])["digest"][0])


def test_the_first_page_is_search_and_both_pages_are_there(port: int) -> None:
    first = ask(port, "/")
    assert (first.status, first.getheader("Location")) == (302, "/search")
    for name in ("search", "duplicates"):
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
            answer = ask(port, f"/{name}", host=host)
            assert answer.status == 200
            assert b"DeepLens" in answer.body  # type: ignore[attr-defined]
        # Every address on the page is the server's own.
        assert not re.search(rb'(?:src|href)="(?:https?:)?//', answer.body)  # type: ignore[attr-defined]


def test_other_hosts_are_refused_whatever_they_ask_for(port: int, folder: Path) -> None:
    """A page that points its own name to 127.0.0.1 gives itself away by the host that it asks for."""
    thumbnail = f"/thumbnails/{digest_of(folder)}/300.webp"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil.example:{port}"):
        for path in ("/", "/search", "/search/ws", thumbnail, "/static/js/bokeh.min.js"):
            answer = ask(port, path, host=host)
            assert answer.status == 403, (host, path)
            assert b"127.0.0.1 and localhost" in answer.body  # type: ignore[attr-defined]
    assert ask(port, "/search", host="evil.example", method="POST").status == 403


def test_a_websocket_opens_for_this_origin_only(port: int) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    for origin in ("http://evil.example", f"http://evil.example:{port}", "null", "http://127.0.0.1:1"):
        assert ask(port, "/search/ws", **upgrade, Origin=origin).status == 403, origin


def test_thumbnails_are_cached_for_ever_and_only_for_this_origin(port: int, folder: Path) -> None:
    digest = digest_of(folder)
    for side in (150, 300, 600):
        answer = ask(port, f"/thumbnails/{digest}/{side}.webp")
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "image/webp"
        assert "immutable" in str(answer.getheader("Cache-Control"))
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.getheader("Access-Control-Allow-Origin") is None
        assert answer.body[8:12] == b"WEBP"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", ["/thumbnails/../../etc/passwd/300.webp", "/thumbnails/abc/300.webp", f"/thumbnails/{'A' * 64}/300.webp"]
)
def test_what_is_no_digest_is_not_found(port: int, path: str) -> None:
    assert ask(port, path).status == 404


def test_a_side_that_is_not_kept_is_not_found_and_an_unknown_picture_has_a_drawing(port: int) -> None:
    assert ask(port, f"/thumbnails/{'a' * 64}/301.webp").status == 404
    unknown = ask(port, f"/thumbnails/{'a' * 64}/300.webp")
    assert (unknown.status, unknown.getheader("Content-Type")) == (200, "image/svg+xml")
    assert unknown.getheader("Cache-Control") == "no-store"


def test_a_port_that_is_taken_is_one_line(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        out, err = command(folder / "workspace", "--port", str(taken)).communicate(timeout=60)
    assert out == ""
    assert err.startswith(f"deeplens: Port {taken} is taken")
    assert "--port 0" in err
    assert err.count("\n") == 1


def test_what_cannot_be_served_is_refused_before_anything_is_loaded(folder: Path) -> None:
    with Workspace.open(folder / "workspace") as workspace:
        for address in ("0.0.0.0", "::1", "localhost", "192.168.0.1"):
            with pytest.raises(SettingsError, match=re.escape(repr(address))):
                serve(workspace, address=address)
        for port in (-1, 65_536):
            with pytest.raises(SettingsError, match="does not exist"):
                serve(workspace, port=port)


def test_a_folder_that_is_no_workspace_is_one_line(tmp_path: Path) -> None:
    out, err = command(tmp_path).communicate(timeout=60)
    assert out == ""
    assert "is no workspace" in err
    assert "Traceback" not in err


def test_what_was_found_is_read_again_only_when_it_changed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    cup = Image.fromarray(skimage.data.coffee())
    cup.save(tmp_path / "pictures" / "cup.png")
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "pictures", str(tmp_path / "pictures"))
        index(workspace)
        desk = Desk(workspace)
        before = desk.findings()
        assert before.totals.groups == 0
        assert desk.findings() is before
        cup.save(tmp_path / "pictures" / "cup.jpg", quality=90)
        index(workspace)
        after = desk.findings()
        assert after.totals.groups == 1
        assert desk.findings() is after
        assert desk.keepers() == after.keepers
        digest = after.frames.groups["digest"][0]
        assert desk.image_source(digest, 150).startswith("data:image/webp;base64,")
        assert Desk(workspace, has_thumbnail_route=True).image_source(digest, 150) == f"/thumbnails/{digest}/150.webp"
        content = (tmp_path / "pictures" / "cup.jpg").read_bytes()
        assert (desk.preview(content) or b"")[8:12] == b"WEBP"
        assert desk.preview(b"no picture") is None
