"""Links against real servers on this machine, and everything that a link must not reach."""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from deeplens_kit.errors import LinkRefusedError, QueryError
from deeplens_kit.search.addresses import is_public
from deeplens_kit.search.link import LinkLimits, fetch, is_link, shown_link

LIMITS = LinkLimits(max_bytes=200_000, seconds=10.0, allow_private=True)
STRICT = LinkLimits(max_bytes=200_000, seconds=10.0)
HERE = IPv4Address("127.0.0.1")


def picture() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(data.coffee()).save(stream, "JPEG", quality=80)
    return stream.getvalue()


PICTURE = picture()
Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server that answers each path as the test says; it keeps the requests."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers.items())))
                # The reader may go away in the middle, which is what some tests are about.
                with contextlib.suppress(ConnectionError):
                    site.answers[self.path](self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def link(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def content(body: bytes, kind: str = "image/jpeg", status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(target: str, status: int = 302) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


# --- What is loaded ------------------------------------------------------------------------------------------


def test_a_picture_is_loaded_with_its_name(site: Site) -> None:
    site.answers["/photos/a%20cup.jpg?size=large"] = content(PICTURE)
    found = fetch(site.link("/photos/a%20cup.jpg?size=large#top"), LIMITS)
    assert (found.data, found.name) == (PICTURE, "a cup.jpg")
    headers = site.asked[0][1]
    assert headers["Host"] == f"127.0.0.1:{site.port}"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


def test_letters_beyond_ascii_are_written_as_a_server_takes_them(site: Site) -> None:
    site.answers["/caf%C3%A9.jpg"] = content(PICTURE)
    assert fetch(site.link("/café.jpg"), LIMITS).name == "café.jpg"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_also_relative_ones(site: Site, status: int) -> None:
    site.answers |= {"/old": redirect("new/a.jpg", status), "/new/a.jpg": content(PICTURE)}
    assert fetch(site.link("/old"), LIMITS).data == PICTURE


@pytest.mark.parametrize("target", ["/café.jpg", "/café.jpg".encode().decode("latin-1"), "/caf%C3%A9.jpg"])
def test_redirects_may_hold_letters_beyond_ascii(site: Site, target: str) -> None:
    """As Latin-1, as UTF-8, and as a standard wants it."""
    site.answers |= {"/old": redirect(target), "/caf%C3%A9.jpg": content(PICTURE)}
    assert fetch(site.link("/old"), LIMITS).name == "café.jpg"


@pytest.mark.parametrize("target", ["http://[::1/a.jpg", "//[x]/a.jpg", "http://example.org:port/a.jpg"])
def test_a_redirect_to_what_is_no_address_is_refused(site: Site, target: str) -> None:
    site.answers["/old"] = redirect(target)
    with pytest.raises(LinkRefusedError, match="no valid address"):
        fetch(site.link("/old"), LIMITS)


def test_a_link_that_is_no_text_is_refused() -> None:
    with pytest.raises(LinkRefusedError, match="no text"):
        fetch("http://127.0.0.1/caf\udce9.jpg", LIMITS)


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://anna:hunter22@example.org:8080/a b.jpg?key=hunter22#x", "https://example.org:8080/a b.jpg"),
        ("http://[::1/a.jpg?hunter22", "http://…"),
        ("http://example.org/\u202egpj.exe", "http://example.org/\N{REPLACEMENT CHARACTER}gpj.exe"),
    ],
)
def test_a_link_is_shown_without_what_may_be_a_secret(link: str, shown: str) -> None:
    assert shown_link(link) == shown


def test_a_picture_in_pieces_is_loaded(site: Site) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(PICTURE), 1000):
            piece = PICTURE[at : at + 1000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    site.answers["/"] = answer
    assert fetch(site.link("/"), LIMITS).data == PICTURE


def test_the_connection_goes_to_the_address_that_was_checked(site: Site) -> None:
    """A name that has another address the second time it is looked up gains nothing: it is looked up once."""
    site.answers["/a.jpg"] = content(PICTURE)
    looked_up: list[str] = []

    def resolve(host: str, port: int, seconds: float) -> list[IPv4Address]:
        looked_up.append(host)
        return [HERE] if len(looked_up) == 1 else [IPv4Address("127.0.0.9")]

    found = fetch(f"http://pictures.example:{site.port}/a.jpg", STRICT, resolve=resolve, allowed=lambda a: a == HERE)
    assert found.data == PICTURE
    assert looked_up == ["pictures.example"]
    assert site.asked[0][1]["Host"] == f"pictures.example:{site.port}"


def test_the_next_address_is_tried_where_one_does_not_answer(site: Site) -> None:
    site.answers["/a.jpg"] = content(PICTURE)
    found = fetch(
        f"http://pictures.example:{site.port}/a.jpg", LIMITS, resolve=lambda *_: [IPv4Address("127.0.0.9"), HERE]
    )
    assert found.data == PICTURE


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_is_checked_against_the_name_in_the_link(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pictures.example",
         "-addext", "subjectAltName=DNS:pictures.example", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    # What goes wrong in a handshake is the reader's to tell.
    site.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    site.answers["/a.jpg"] = content(PICTURE)

    def load(host: str) -> bytes:
        return fetch(f"https://{host}:{site.port}/a.jpg", LIMITS, resolve=lambda *_: [HERE]).data

    with pytest.raises(QueryError, match="certificate"):
        load("pictures.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert load("pictures.example") == PICTURE
    with pytest.raises(QueryError, match="certificate"):
        load("other.example")


# --- What is not reached -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.7", "192.168.1.1", "172.16.0.1", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]",
        "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.1", "127.0.0.1.",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(site: Site, host: str) -> None:
    site.answers["/a.jpg"] = content(PICTURE)
    # Not every machine has IPv6, and resolvers differ over odd numbers: some say that there is no such host.
    expected = (LinkRefusedError, QueryError) if host.startswith("[") or host.endswith(".") else LinkRefusedError
    with pytest.raises(expected) as caught:
        fetch(site.link("/a.jpg", host), STRICT)
    assert site.asked == []
    assert "public" in str(caught.value) or "no host" in str(caught.value)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/b.jpg", "http://169.254.169.254/latest", "//10.0.0.1/b.jpg", "http://[::1]:{port}/b.jpg",
     "file:///etc/passwd", "ftp://127.0.0.1/b.jpg", "gopher://127.0.0.1:{port}/_b"],
)  # fmt: skip
def test_a_redirect_is_checked_like_the_link_itself(site: Site, target: str) -> None:
    site.answers |= {"/a.jpg": redirect(target.format(port=site.port)), "/b.jpg": content(PICTURE)}
    with pytest.raises(LinkRefusedError):
        fetch(site.link("/a.jpg"), STRICT, allowed=lambda address: address == HERE)
    assert [path for path, _ in site.asked] == ["/a.jpg"]


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    public = ip_address("93.184.215.14")
    with pytest.raises(LinkRefusedError, match=r"10\.0\.0\.1"):
        fetch("http://mixed.example/a.jpg", STRICT, resolve=lambda *_: [public, IPv4Address("10.0.0.1")])


def test_a_name_that_resolves_to_a_private_address_is_refused(site: Site) -> None:
    """By the system's own resolver: every machine knows itself as localhost."""
    assert {answer[4][0] for answer in socket.getaddrinfo("localhost", 80)} <= {"127.0.0.1", "::1"}
    with pytest.raises(LinkRefusedError, match="'localhost', whose address"):
        fetch(site.link("/a.jpg", "localhost"), STRICT)
    assert site.asked == []


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("ftp://example.org/a.jpg", "only http:// and https://"),
        ("data://text", "only http:// and https://"),
        ("http:///a.jpg", "names no host"),
        ("http://anna:secret@example.org/a.jpg", "user name or password"),
        ("http://example.org:99999/a.jpg", "no valid address"),
        ("http://[::1/a.jpg", "no valid address"),
        ("https://" + "a" * 9000, "characters"),
    ],
)
def test_links_of_other_kinds_are_refused(link: str, message: str) -> None:
    with pytest.raises(LinkRefusedError, match=message) as caught:
        fetch(link, STRICT)
    assert "secret" not in str(caught.value)


def test_what_looks_like_a_link_is_one() -> None:
    assert is_link("https://example.org") and is_link("ftp://x") and is_link("HTTP://x")
    assert not is_link("share:a://b.jpg") and not is_link("a.jpg") and not is_link("://x") and not is_link("/a://b")


# --- Bounds --------------------------------------------------------------------------------------------------


def test_redirects_are_bounded(site: Site) -> None:
    site.answers["/loop"] = redirect("/loop")
    with pytest.raises(LinkRefusedError, match="more than 5 times"):
        fetch(site.link("/loop"), LIMITS)
    assert len(site.asked) == 6


def test_a_size_that_is_announced_is_refused_before_it_is_loaded(site: Site) -> None:
    sent = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "200001")
        handler.end_headers()
        sent.set()

    site.answers["/"] = answer
    with pytest.raises(LinkRefusedError, match="over 200,000 bytes"):
        fetch(site.link("/"), LIMITS)
    assert sent.wait(10)


def test_a_size_that_is_not_announced_is_bounded_while_it_is_loaded(site: Site) -> None:
    written = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal written
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(PICTURE)
        while written < 2**28:
            written += handler.wfile.write(bytes(2**16))

    site.answers["/"] = answer
    with pytest.raises(LinkRefusedError, match="over 200,000 bytes"):
        fetch(site.link("/"), LIMITS)
    assert written < 2**28


def test_what_is_no_picture_is_not_loaded_whatever_the_server_calls_it(site: Site) -> None:
    site.answers["/page"] = content(b"<!doctype html><title>A page</title>" + b" " * 100_000, "image/jpeg")
    with pytest.raises(LinkRefusedError, match="leads to no picture"):
        fetch(site.link("/page"), LIMITS)
    site.answers["/tiny"] = content(b"hello", "image/png")
    with pytest.raises(LinkRefusedError, match="text"):
        fetch(site.link("/tiny"), LIMITS)


def test_words_of_a_server_are_one_short_line_without_controls(site: Site) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(404, "\x1b[31m\x07no\xa0" + "x" * 5000)
        handler.end_headers()

    site.answers |= {"/old": redirect("/\x1b[2J" + "y" * 5000), "/%1B[2J" + "y" * 5000: answer}
    with pytest.raises(QueryError, match="answers 404 ") as caught:
        fetch(site.link("/old"), LIMITS)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 350


def test_messages_leave_out_the_query_which_may_hold_a_key(site: Site) -> None:
    site.answers["/a.jpg?token=hush"] = content(b"no", status=403)
    with pytest.raises(QueryError, match="answers 403 Forbidden") as caught:
        fetch(site.link("/a.jpg?token=hush"), LIMITS)
    assert "hush" not in str(caught.value)


def test_an_answer_that_breaks_off_is_no_picture(site: Site) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PICTURE)))
        handler.end_headers()
        handler.wfile.write(PICTURE[: len(PICTURE) // 2])
        handler.close_connection = True

    site.answers["/"] = answer
    with pytest.raises(QueryError, match="broke off"):
        fetch(site.link("/"), LIMITS)


def test_a_server_that_is_not_there_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(QueryError, match="cannot be reached"):
            fetch(f"http://127.0.0.1:{port}/a.jpg", LIMITS)
    with pytest.raises(QueryError, match="no host"):
        fetch("http://no-such-host.invalid/a.jpg", LIMITS)


@pytest.mark.parametrize("after", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE[:600]])
def test_a_server_that_drips_is_left_at_the_deadline(after: bytes) -> None:
    """A byte now and then keeps every single wait short; the whole is bounded all the same."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(after)
                while not done.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        try:
            with pytest.raises(QueryError, match=r"did not answer in 0\.5 seconds"):
                fetch(
                    f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg",
                    LinkLimits(max_bytes=10**6, seconds=0.5, allow_private=True),
                )
            assert time.monotonic() - started < 5.0
        finally:
            done.set()
            thread.join()


def test_what_is_no_web_server_is_an_error_of_the_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(QueryError, match="did not answer as a web server does"):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg", LIMITS)
        thread.join()
        with pytest.raises(QueryError, match=r"did not answer as a web server|cannot be reached"):
            thread = threading.Thread(target=greet)
            thread.start()
            fetch(f"https://127.0.0.1:{server.getsockname()[1]}/a.jpg", LIMITS)
        thread.join()


# --- Addresses -----------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_an_address_within_an_address_is_as_public_as_itself(number: int) -> None:
    plain = IPv4Address(number)
    for base in (0xFFFF << 32, 0x64FF9B << 96):
        assert is_public(IPv6Address(base + number)) == is_public(plain)
    assert is_public(IPv6Address((0x2002 << 112) + (number << 80))) == is_public(plain)


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=6))
def test_no_private_address_of_any_kind_is_public(address: IPv6Address) -> None:
    if is_public(address):
        assert not (address.is_private or address.is_loopback or address.is_link_local or address.is_multicast)
