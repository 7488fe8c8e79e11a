"""Weights that a person places or pulls: from a real server, whole or not at all, and where they are looked for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import deeplens_kit
from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.checkpoints import Publication, find_checkpoint, pull_checkpoint
from tests.features.tiny_clip import needs_semantic

CONTENT = bytes(range(256)) * 300
DIGITS = sha256(CONTENT).hexdigest()[:8]
HEX = "0" * 40


class Site(BaseHTTPRequestHandler):
    """Files by address, a part of one, and a repository as Hugging Face serves it."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        name = self.path.rpartition("/")[2]
        there = name.startswith(("net", "part", "pytorch_model.bin"))
        self.send_response(200 if there else 404)
        if there:
            self.send_header("ETag", f'"{sha256(CONTENT).hexdigest()}"')
            self.send_header("X-Repo-Commit", HEX)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(CONTENT) if there else 0))
        self.end_headers()
        if body and there:
            self.wfile.write(CONTENT[:1000] if name.startswith("part") else CONTENT)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_checkpoint_is_pulled_by_its_address_once(site: str, tmp_path: Path) -> None:
    published = Publication(url=f"{site}/net-{DIGITS}.pth")
    got = pull_checkpoint("f", "mine.safetensors", published, cache_dir=tmp_path)
    assert got.path == tmp_path / "mine.pth"
    assert got.path.read_bytes() == CONTENT
    assert pull_checkpoint("f", "mine.safetensors", Publication(), cache_dir=tmp_path) == got
    assert left(tmp_path) == ["mine.pth"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("net-01234567.pth", ModelCorruptError, "nothing was kept"),
        ("part.pth", ModelUnavailableError, "only a part"),
        ("gone.pth", ModelUnavailableError, "HTTP 404"),
    ],
)
def test_what_is_not_whole_is_not_kept(
    site: str, tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        pull_checkpoint("f", "mine", Publication(url=f"{site}/{name}"), cache_dir=tmp_path)
    assert left(tmp_path) == []


def test_what_nobody_publishes_is_to_be_placed(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"Nobody publishes .*'mine.safetensors' in") as caught:
        pull_checkpoint("f", "mine.safetensors", Publication(), cache_dir=tmp_path)
    assert str(tmp_path) in str(caught.value)


PULL = """
import json, os, sys
from pathlib import Path
folder, repository = sys.argv[1:]
from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features.checkpoints import Publication, pull_checkpoint
files = ("model.safetensors", "pytorch_model.bin")
try:
    got = pull_checkpoint("resnet50", "net.safetensors", Publication(repository, files), cache_dir=Path(folder))
    print(json.dumps([got.path.name, got.sha256]))
except ModelUnavailableError as error:
    print(json.dumps(str(error)))
"""


def pulled(endpoint: str, folder: Path) -> object:
    """In a process of its own: the library reads where its server is when it is imported."""
    root = str(Path(deeplens_kit.__file__).parents[1])
    environment = {"HF_ENDPOINT": endpoint, "PYTHONPATH": root, "HOME": str(folder), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PULL, str(folder / "cache"), "somebody/net"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_semantic
def test_a_checkpoint_is_pulled_from_a_repository(site: str, tmp_path: Path) -> None:
    """The first of its files that there is, under our name, and nothing else is left."""
    assert pulled(site, tmp_path) == ["net.bin", sha256(CONTENT).hexdigest()]
    assert left(tmp_path / "cache") == ["net.bin"]


@needs_semantic
def test_offline_the_message_names_file_and_folder(tmp_path: Path) -> None:
    message = str(pulled("http://127.0.0.1:9", tmp_path))
    for word in ("'resnet50'", "'somebody/net'", "'net.safetensors'", repr(str(tmp_path / "cache")), "model_dir"):
        assert word in message
    assert "\n" not in message
    assert left(tmp_path / "cache") == []


def test_the_folder_of_the_user_goes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, cache = tmp_path / "own", tmp_path / "cache"
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(cache))
    for folder in (own, cache):
        folder.mkdir()
        (folder / "a.v1.pt").write_bytes(folder.name.encode())
    assert find_checkpoint("f", "a.v1", str(own), pullable=False).path == own / "a.v1.pt"
    assert find_checkpoint("f", "a.v1", "", pullable=False).path == cache / "a.v1.pt"
    (own / "a.v1.safetensors").write_bytes(b"safer")
    assert find_checkpoint("f", "a.v1", str(own), pullable=False).path == own / "a.v1.safetensors"
    assert find_checkpoint("f", "a.v1.pt", str(own), pullable=False).path == own / "a.v1.pt"
