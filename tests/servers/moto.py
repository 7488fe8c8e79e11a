"""moto: S3 in memory, quick to start. What it holds is lost when it ends, and it takes any credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.program import Program
from tests.servers.s3 import BUCKET, REGION, S3Server, new_keys, stores
from tests.servers.server import HOST, started

PROGRAM = Program(
    "moto", "DEEPLENS_MOTO_BIN", ("moto_server",), "pip install 'moto[s3]' flask flask-cors", distribution="moto"
)


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """moto, with an empty bucket."""
    moto_server, keys = PROGRAM.find(), new_keys()

    def command(ports: Sequence[int]) -> list[str | Path]:
        return [moto_server, "-H", HOST, "-p", str(ports[0])]

    with started(PROGRAM.name, command, folder, stores(keys)) as process:
        yield S3Server(process, PROGRAM.version(), f"http://{HOST}:{process.ports[0]}", REGION, BUCKET, keys)
