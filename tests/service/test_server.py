"""The server as a process: which requests it answers, which it refuses, and how it says that it cannot start."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
import skimage.data
import websockets.exceptions
import websockets.sync.client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.service.desk import Desk
from deeplens_kit.service.listening import check_certificate
from deeplens_kit.settings import ServiceSettings
from tests.examples import IN_FULL

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
def served_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A server over it, which SIGTERM ends well."""
    process = command(folder / "workspace", "--port", "0")
    try:
        yield process
        (port,) = [
            one.laddr.port for one in psutil.Process(process.pid).net_connections("tcp") if one.status == "LISTEN"
        ]
        with open_socket(port, page_token(port, "/search")) as page:
            assert "ACK" in str(page.recv(timeout=20))
            process.send_signal(signal.SIGTERM)
            # The page is told that the server stops, and says so.
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                while True:
                    page.recv(timeout=30)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "Stopped.\n"), err
        assert "Traceback" not in err
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port(served_process: subprocess.Popen[str]) -> int:
    assert served_process.stdout is not None
    ready = re.search(r"http://127\.0\.0\.1:(\d+)/", served_process.stdout.readline())
    assert ready
    return int(ready[1])


@pytest.fixture(scope="module")
def several(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server of the API alone, by two processes, over HTTPS; and the process that looks after them."""
    make_certificate(folder)
    files = ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    process = command(
        folder / "workspace", "--port", "0", "--only", "api", "--workers", "2", "--job-workers", "0", *files
    )
    try:
        assert process.stdout is not None
        ready = re.search(r"https://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert ready
        yield int(ready[1]), process
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "Stopped.\n"), err
        assert "Traceback" not in err
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


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


def test_scripts_come_packed_side_by_side_and_are_asked_for_once(port: int) -> None:
    page = ask(port, "/search").body.decode()  # type: ignore[attr-defined]
    scripts = re.findall(r'<script defer src="([^"]+)"', page)
    assert len(scripts) >= 5
    assert re.findall(r'<script[^>]* src="', page) == ['<script defer src="'] * len(scripts)
    assert not any("bokeh-gl" in address for address in scripts)
    for address in (*scripts, *re.findall(r'<link rel="(?:stylesheet|prefetch)"[^>]* href="([^"]+)"', page)):
        packed = ask(port, f"/{address}", **{"Accept-Encoding": "gzip"})
        plain = ask(port, f"/{address}")
        assert "immutable" in str(packed.getheader("Cache-Control")), address
        assert packed.getheader("Vary") == "Accept-Encoding"
        content = packed.body  # type: ignore[attr-defined]
        whole = plain.body  # type: ignore[attr-defined]
        assert plain.getheader("Content-Encoding") is None
        if packed.getheader("Content-Encoding") == "gzip":
            assert len(content) < len(whole)
            content = gzip.decompress(content)
        assert content == whole
        assert ask(port, f"/{address}", **{"If-None-Match": str(packed.getheader("ETag"))}).status == 304
    without = ask(port, f"/{scripts[0].partition('?')[0]}")
    assert without.getheader("Cache-Control") == "public, max-age=3600"


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


def page_token(port: int, path: str) -> str:
    found = re.search(rb'"token":"([^"]+)"', ask(port, path).body)  # type: ignore[attr-defined]
    assert found
    return found[1].decode()


def open_socket(port: int, token: str) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(
        f"ws://127.0.0.1:{port}/search/ws",
        origin=f"http://127.0.0.1:{port}",  # type: ignore[arg-type]
        subprotocols=["bokeh", token],  # type: ignore[list-item]
        max_size=None,
    )


def test_a_page_keeps_what_it_knows_of_a_request_to_what_it_needs(port: int) -> None:
    """The token of a page stands in its own code, which any script on it can read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/search", headers={"Cookie": "deeplens-x=very-secret", "Authorization": "Bearer s3cret"})
    page = connection.getresponse().read()
    connection.close()
    found = re.search(rb'"token":"([^"]+)"', page)
    assert found
    head = found[1].split(b".")[0]
    told = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    packed = told["__bk__zlib_"]
    whole = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    assert b"very-secret" not in whole and b"s3cret" not in whole
    assert b"Host" in whole


def test_nobody_chooses_the_session_of_a_page_or_makes_up_its_token(port: int) -> None:
    for named in ("bokeh-session-id", "bokeh_session_id"):
        first, second = (session_of(page_token(port, f"/search?{named}=chosen")) for _ in range(2))
        assert "chosen" not in (first, second) and first != second
    made_up = page_token(port, "/search").partition(".")[0] + ".AAAA"
    for token in (made_up, "AAAA", "AAAA.AAAA"):
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            open_socket(port, token)
        assert refused.value.response.status_code == 403


def session_of(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["session_id"])


def test_a_page_that_is_closed_leaves_nothing_behind(port: int, served_process: subprocess.Popen[str]) -> None:
    """Neither connections nor files; its session goes some seconds later."""
    process = psutil.Process(served_process.pid)
    with open_socket(port, page_token(port, "/search")) as socket:
        assert "ACK" in str(socket.recv(timeout=20))
    before = process.num_fds()
    for _ in range(5):
        with open_socket(port, page_token(port, "/search")) as socket:
            assert "ACK" in str(socket.recv(timeout=20))
    waiting = threading.Event()
    for _ in range(200):
        if process.num_fds() <= before:
            break
        waiting.wait(0.05)
    assert process.num_fds() <= before
    answer = json.loads(ask(port, "/health/ready").body)  # type: ignore[attr-defined]
    assert answer["status"] == "ready"


def test_the_api_goes_on_while_a_worker_of_it_is_killed(
    several: tuple[int, subprocess.Popen[str]], folder: Path
) -> None:
    port, process = several
    trusted = ssl.create_default_context(cafile=folder / "cert.pem")

    def live() -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trusted)
        connection.request("GET", "/health/live", headers={"Host": f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    answer = live()
    assert answer.status == 200
    assert "max-age" in str(answer.getheader("Strict-Transport-Security"))
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    workers[0].kill()
    assert [live().status for _ in range(20)] == [200] * 20
    waiting = threading.Event()
    for _ in range(1200):
        now = psutil.Process(process.pid).children()
        if len(now) == 2 and workers[0] not in now:
            break
        waiting.wait(0.05)
    else:
        raise AssertionError("it was not started anew")


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_workers_end_when_the_server_is_killed(folder: Path) -> None:
    process = command(folder / "workspace", "--port", "0", "--only", "api", "--workers", "1", "--job-workers", "1")
    try:
        assert process.stdout is not None
        assert "Serving on" in process.stdout.readline()
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert alive == []
    finally:
        process.kill()
        process.communicate()


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


def test_what_cannot_be_served_is_refused_before_anything_is_loaded() -> None:
    for address in ("0.0.0.0", "localhost", "192.168.0.1", "::", ""):
        with pytest.raises(SettingsError, match=re.escape(repr(address))):
            ServiceSettings(address=address)
    with pytest.raises(SettingsError, match="without a sign-in"):
        ServiceSettings(address="0.0.0.0", access="off", tls_cert="a.pem", tls_key="b.pem")
    with pytest.raises(SettingsError, match="without a sign-in"):
        ServiceSettings(access="off", behind_proxy=("127.0.0.1",))
    for port in (-1, 65_536):
        with pytest.raises(SettingsError, match="does not exist"):
            ServiceSettings(port=port)


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        ("missing.pem", "key.pem", "--tls-cert .*missing.pem' cannot be read: No such file"),
        ("cert.pem", "missing.pem", "--tls-key .*missing.pem' cannot be read: No such file"),
        ("key.pem", "key.pem", "PEM"),
        ("cert.pem", "notes.txt", "PEM"),
        ("cert.pem", "other/key.pem", "the key is not that of the certificate"),
        ("cert.pem", "locked.pem", "without a password"),
    ],
)
def test_a_certificate_that_cannot_be_served_with_says_which_file_and_why(
    tmp_path: Path, certificate: str, key: str, why: str
) -> None:
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path)
    make_certificate(tmp_path / "other")
    (tmp_path / "notes.txt").write_text("no key")
    own = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    kind, pem = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    (tmp_path / "locked.pem").write_bytes(
        own.private_bytes(pem, kind, serialization.BestAvailableEncryption(b"secret"))
    )
    check_certificate(ServiceSettings())
    check_certificate(ServiceSettings(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem")))
    with pytest.raises(SettingsError, match=why):
        check_certificate(ServiceSettings(tls_cert=str(tmp_path / certificate), tls_key=str(tmp_path / key)))


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
        # Runs alone change what limits an answer, not the answer.
        location = workspace.ledger.locations()[0]
        run = workspace.ledger.start_run("index", location.location_id, {})
        during = desk.findings()
        assert during.frames is after.frames
        assert during.notes == ("pictures is being indexed now; figures are those of what is done.",)
        assert desk.findings_at_hand() == (during, False)
        workspace.ledger.finish_run(run.run_id, "finished", {})
        assert desk.findings().notes == after.notes == ()
        digest = after.frames.groups["digest"][0]
        assert desk.image_source(digest, 150).startswith("data:image/webp;base64,")
        assert Desk(workspace, has_thumbnail_route=True).image_source(digest, 150) == f"/thumbnails/{digest}/150.webp"
        content = (tmp_path / "pictures" / "cup.jpg").read_bytes()
        assert (desk.preview(content) or b"")[8:12] == b"WEBP"
        assert desk.preview(b"no picture") is None
