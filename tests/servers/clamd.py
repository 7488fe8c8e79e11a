"""clamd of ClamAV: looks at what it is sent, with one signature that the start makes itself: the EICAR test file.

No signatures are downloaded: the database of a virus scanner is hundreds of megabytes, and what is tested is whether
what it finds is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import Program
from tests.servers.server import HOST, Server, started

SIGNATURE = "Eicar-Test-Signature"
# In two, or a scanner would take this very file for it (eicar.org, "Anti Malware Testfile").
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MOST_BYTES = 2 * 2**20
PROGRAM = Program("clamd", "DEEPLENS_CLAMD_BIN", ("clamd",), "apt-get install clamav-daemon", ("--version",))
_CONFIGURATION = """Foreground yes
LocalSocket {socket}
TCPAddr {host}
TCPSocket {port}
DatabaseDirectory {signatures}
TemporaryDirectory {folder}
StreamMaxLength {most}
ConcurrentDatabaseReload no
OfficialDatabaseOnly no
ScanPDF no
Bytecode no
MaxThreads 2
"""


@dataclass(frozen=True)
class ClamdServer(Server):
    """A clamd.

    Attributes:
        socket: Path of its Unix socket.
    """

    socket: Path


@contextmanager
def running(folder: Path) -> Iterator[ClamdServer]:
    """A clamd that knows the EICAR test file, alone and within another file."""
    clamd = PROGRAM.find()
    signatures, settings = folder / "signatures", folder / "clamd.conf"
    signatures.mkdir(parents=True)
    # By the hash of the whole file, and by the bytes wherever they stand (ClamAV manual, "Signatures").
    (signatures / "test.hdb").write_text(f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:{SIGNATURE}\n")
    (signatures / "test.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.hex()}\n")
    # The name of a Unix socket may have 107 bytes, which the folders of a test run exceed.
    place = Path(f"/tmp/deeplens-clamd-{os.getpid()}-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}.sock")

    def command(ports: Sequence[int]) -> list[str | Path]:
        settings.write_text(
            _CONFIGURATION.format(
                socket=place, host=HOST, port=ports[0], signatures=signatures, folder=folder, most=MOST_BYTES
            )
        )
        return [clamd, f"--config-file={settings}"]

    try:
        with started(PROGRAM.name, command, folder, _answers) as process:
            yield ClamdServer(process, PROGRAM.version(), place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            place.unlink()


def _answers(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=5) as connection:
        connection.sendall(b"zPING\0")
        assert connection.recv(16) == b"PONG\0"
