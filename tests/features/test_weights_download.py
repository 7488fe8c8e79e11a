"""Fetching weights from a real HTTP server: what arrives is checked, and what is not whole is not kept."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.weights import Download, WeightsFile, download, model_cache_dir

CONTENT = bytes(range(256)) * 9000  # more than two blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT well or badly, by path."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/other": CONTENT[:-1] + b"x", "/longer": CONTENT + b"more"}.get(self.path, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/truncated":
            self.wfile.write(body[: len(body) // 2])
        elif self.path == "/stalls":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.done.wait()
        elif self.path == "/trickles":
            while not self.server.done.wait(0.02):
                self.wfile.write(b"x")
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up, as it should


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.done = threading.Event()

    def download(self, path: str) -> Download:
        return Download(f"http://127.0.0.1:{self.server_port}{path}", "model.pt", len(CONTENT), SHA256)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.done.set()
        running.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetched_once_then_taken_from_the_cache(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    first = download("f", server.download("/good"), "", cache_dir=cache)
    again = download("f", server.download("/good"), "", cache_dir=cache)
    assert first == again == WeightsFile(cache / "model.pt", SHA256)
    assert first.path.read_bytes() == CONTENT
    assert first.name == f"model.pt:{SHA256[:8]}"
    assert server.paths == ["/good"]
    assert left(cache) == ["model.pt"]


def test_the_users_folder_goes_first_and_nothing_is_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(CONTENT)
    found = download("f", server.download("/good"), str(tmp_path), cache_dir=tmp_path / "cache")
    assert found.path == tmp_path / "model.pt"
    assert server.paths == []
    assert left(tmp_path) == ["model.pt"]


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/missing", ModelUnavailableError, "HTTP 404"),
        ("/other", ModelCorruptError, "SHA-256"),
        ("/longer", ModelCorruptError, "sends more than the 2,304,000 bytes"),
    ],
)
def test_a_bad_answer_is_one_line_and_leaves_nothing(
    server: Server, tmp_path: Path, path: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        download("f", server.download(path), "", cache_dir=tmp_path)
    assert server.download(path).url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_a_truncated_body_leaves_nothing_and_can_be_fetched_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises((ModelCorruptError, ModelUnavailableError)) as caught:
        download("f", server.download("/truncated"), "", cache_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []
    assert download("f", server.download("/good"), "", cache_dir=tmp_path).sha256 == SHA256


def test_a_server_that_falls_silent_is_given_up(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="timed out"):
        download("f", server.download("/stalls"), "", cache_dir=tmp_path, idle_timeout_seconds=0.3)
    assert left(tmp_path) == []


def test_a_server_that_trickles_is_given_up(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="takes too long"):
        download("f", server.download("/trickles"), "", cache_dir=tmp_path, total_timeout_seconds=0.3)
    assert left(tmp_path) == []


def test_offline_names_the_file_and_where_to_place_it(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, so that nobody else listens there; not listening, so refused
        closed.bind(("127.0.0.1", 0))
        what = Download(f"http://127.0.0.1:{closed.getsockname()[1]}/model.pt", "model.pt", len(CONTENT), SHA256)
        with pytest.raises(ModelUnavailableError) as caught:
            download("sscd_torch", what, "", cache_dir=tmp_path / "cache")
    message = str(caught.value)
    assert "\n" not in message
    for word in ("'sscd_torch'", what.url, "refused", "place model.pt in", str(tmp_path / "cache"), "model_dir"):
        assert word in message
    assert left(tmp_path / "cache") == []


@pytest.mark.parametrize("content", [b"", CONTENT[:100], CONTENT[:-1] + b"x"])
def test_a_spoilt_file_in_the_cache_is_never_used(server: Server, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ModelCorruptError, match="remove the file"):
        download("f", server.download("/good"), "", cache_dir=tmp_path)
    assert server.paths == []


def test_a_cache_that_cannot_be_made_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelUnavailableError, match="DEEPLENS_MODEL_CACHE"):
        download("f", server.download("/good"), "", cache_dir=tmp_path / "file" / "cache")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DEEPLENS_MODEL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert model_cache_dir() == tmp_path / ".cache" / "deeplens" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert model_cache_dir() == tmp_path / "xdg" / "deeplens" / "models"
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "own"))
    assert model_cache_dir() == tmp_path / "own"
