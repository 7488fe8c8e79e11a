"""A real clamd is believed; one that is away, or says anything else than that a content is clean, is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.scanner import Scanner, ScanVerdict
from deeplens_kit.settings import IngestSettings
from tests.servers.clamd import EICAR, MOST_BYTES, SIGNATURE, ClamdServer


def test_a_real_clamd_finds_the_test_file_by_both_sockets(clamd: ClamdServer) -> None:
    for address in (f"clamd:{clamd.socket}", f"clamd:tcp://{clamd.host}:{clamd.port}"):
        scanner = Scanner(address)
        found = scanner.scan(EICAR)
        # clamd names what stands in no official database ".UNOFFICIAL".
        assert found.signature is not None
        assert found.signature.startswith(SIGNATURE)
        assert scanner.scan(bytes(1_000_000) + EICAR).signature is not None
        assert scanner.scan(b"a picture" * 100_000) == ScanVerdict()
        assert scanner.scan(b"") == ScanVerdict()


def test_what_is_too_long_for_a_real_clamd_was_not_looked_at(clamd: ClamdServer) -> None:
    verdict = Scanner(f"clamd:{clamd.socket}").scan(bytes(4 * MOST_BYTES))
    assert verdict.signature is None
    assert "StreamMaxLength" in verdict.away


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that takes whatever comes and answers this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while not connection.recv(65536).endswith(bytes(4)):
                    pass
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"clamd:tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "answer", [b"", b"\0", b"stream: NOT OK\0", b"stream: x ERROR\0", b"UNKNOWN COMMAND\0", b"OK\0"]
)
def test_only_one_answer_means_clean(answer: bytes) -> None:
    with answering(answer) as address:
        verdict = Scanner(address).scan(b"content")
    assert verdict.signature is None
    assert verdict.away


def test_a_scanner_that_is_away_or_silent_is_said(tmp_path: Path) -> None:
    assert "cannot be reached" in Scanner(f"clamd:{tmp_path}/none.sock").scan(b"x").away
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"clamd:tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert "did not answer" in Scanner(address, seconds=0.1).scan(b"x").away


@pytest.mark.parametrize(
    "address", ["clamd:", "clamd", "tcp://h:1", "clamd:tcp://h", "clamd:relative", "clamd:http://h:1"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"ingest\.scanner"):
        IngestSettings(scanner=address)
        Scanner(address)


def test_a_port_beyond_all_is_refused() -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        Scanner("clamd:tcp://host:70000")
