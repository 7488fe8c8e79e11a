"""Azurite: Azure Blob Storage, as Microsoft's emulator serves it under Node."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.issued import issue
from tests.servers.program import REPOSITORY, Program, without
from tests.servers.server import HOST, Server, started

INSTALL = "npm ci --prefix tests/servers (with Node 20 or newer)"
CONTAINER = "pictures"
ACCOUNT = "deeplenstest"
VARIABLE = "DEEPLENS_AZURITE"
_PACKAGE = REPOSITORY / "tests" / "servers" / "node_modules" / "azurite"
_OLDEST_NODE = 20
NODE = Program(
    "Node", "DEEPLENS_NODE_BIN", ("node", "nodejs"), "https://nodejs.org or apt-get install nodejs", ("--version",)
)


@dataclass(frozen=True)
class AzureServer(Server):
    """A server of Azure Blob Storage.

    Attributes:
        endpoint: URL of the account.
        account: Its name.
        key: Its key, base64, made for this start.
        container: A container that is there and empty.
    """

    endpoint: str
    account: str
    key: str = field(repr=False)
    container: str = CONTAINER

    @property
    def connection_string(self) -> str:
        """What the clients of Azure take instead of a URL and a key."""
        return _connection_string(self.endpoint, self.key)


def version() -> str:
    """Its version in a line, or `missing`."""
    about = _package() / "package.json"
    if NODE.locate() is None or not about.exists():
        return "missing"
    return f"Azurite {json.loads(about.read_text(encoding='utf-8'))['version']} on {NODE.version()}"


@contextmanager
def running(folder: Path) -> Iterator[AzureServer]:
    """Azurite with its data in a folder. They outlive `stop`; `kill` loses those of the last five seconds."""
    node = NODE.find()
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.strip().lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        without(f"Node is {told.strip()}, Azurite needs {_OLDEST_NODE} or newer", INSTALL)
    script = _package() / "dist" / "src" / "blob" / "main.js"
    if not script.exists():
        without(f"Azurite is not installed; {VARIABLE} may name the folder of its package", INSTALL)
    key = issue(base64.b64encode(secrets.token_bytes(64)).decode())

    def command(ports: Sequence[int]) -> list[str | Path]:
        address = ["--blobHost", HOST, "--blobPort", str(ports[0])]
        # The client speaks a newer version of the API than Azurite knows.
        return [node, script, *address, "--location", folder / "data", "--disableTelemetry", "--skipApiVersionCheck"]

    with started(
        "Azurite", command, folder, _stores(key), environment={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"}
    ) as process:
        yield AzureServer(process, version(), _endpoint(process.ports[0]), ACCOUNT, key)


def _package() -> Path:
    return Path(os.environ.get(VARIABLE) or _PACKAGE)


def _endpoint(port: int) -> str:
    return f"http://{HOST}:{port}/{ACCOUNT}"


def _connection_string(endpoint: str, key: str) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


def _stores(key: str) -> Callable[[int], None]:
    clients: dict[int, Any] = {}

    def ready(port: int) -> None:
        if port not in clients:
            from azure.storage.blob import ContainerClient

            connection = _connection_string(_endpoint(port), key)
            clients[port] = ContainerClient.from_connection_string(connection, CONTAINER, retry_total=0)
        if not clients[port].exists():
            clients[port].create_container()
        clients[port].upload_blob("is-it-ready", b"yes", overwrite=True)
        clients[port].delete_blob("is-it-ready")

    return ready
