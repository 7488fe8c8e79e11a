"""The servers as fixtures of pytest: each is started by the first test that asks for it, and lives as long as the run.

A process of pytest-xdist starts its own. What a test kills or fills, it starts for itself by `running(tmp_path)`. The
header of a run tells the version of each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.servers import azurite as azurite_server
from tests.servers import clamd as clamd_server
from tests.servers import fake_gcs as fake_gcs_server
from tests.servers import juicefs as juicefs_server
from tests.servers import moto as moto_server
from tests.servers import oidc as oidc_server
from tests.servers import postgres as postgres_module
from tests.servers import pyftpd as pyftpd_server
from tests.servers import redis as redis_module
from tests.servers import samba as samba_server
from tests.servers import seaweedfs as seaweedfs_server
from tests.servers import sshd as sshd_server
from tests.servers import vsftpd as vsftpd_server
from tests.servers import webdav as webdav_server

VERSIONS: dict[str, Callable[[], str]] = {
    "seaweedfs": seaweedfs_server.PROGRAM.version,
    "juicefs": juicefs_server.PROGRAM.version,
    "moto": moto_server.PROGRAM.version,
    "azurite": azurite_server.version,
    "oidc": oidc_server.version,
    "fake_gcs": fake_gcs_server.PROGRAM.version,
    "samba": samba_server.PROGRAM.version,
    "sshd": sshd_server.PROGRAM.version,
    "pyftpd": pyftpd_server.PROGRAM.version,
    "vsftpd": vsftpd_server.PROGRAM.version,
    "webdav": webdav_server.PROGRAM.version,
    "clamd": clamd_server.PROGRAM.version,
    "postgres_server": postgres_module.PROGRAM.version,
    "redis_server": redis_module.PROGRAM.version,
}


def _session(name: str, running: Callable[[Path], AbstractContextManager[Any]]) -> Any:
    @pytest.fixture(scope="session", name=name)
    def served(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Any]:
        with _folder(name, tmp_path_factory, pytestconfig) as folder, running(folder) as server:
            yield server

    return served


@contextmanager
def _folder(name: str, factory: pytest.TempPathFactory, config: pytest.Config) -> Iterator[Path]:
    if config.option.basetemp:  # of this run alone; where it fails, the logs of the servers stay to be looked at
        yield factory.mktemp(name)
    else:  # pytest's shared folder is cleaned by other runs on the machine, under a live server's feet
        with tempfile.TemporaryDirectory(prefix=f"deeplens-{name}-", ignore_cleanup_errors=True) as made:
            yield Path(made)


seaweedfs = _session("seaweedfs", seaweedfs_server.running)
juicefs = _session("juicefs", juicefs_server.running)
moto = _session("moto", moto_server.running)
azurite = _session("azurite", azurite_server.running)
oidc = _session("oidc", oidc_server.running)
# In memory it takes objects six times as fast, and nothing starts this one again.
fake_gcs = _session("fake_gcs", partial(fake_gcs_server.running, in_memory=True))
samba = _session("samba", samba_server.running)
sshd = _session("sshd", sshd_server.running)
pyftpd = _session("pyftpd", pyftpd_server.running)
vsftpd = _session("vsftpd", vsftpd_server.running)
webdav = _session("webdav", webdav_server.running)
clamd = _session("clamd", clamd_server.running)
postgres_server = _session("postgres_server", postgres_module.running)
redis_server = _session("redis_server", redis_module.running)


def pytest_report_header() -> list[str]:
    """A line for each server; they are asked at the same time, and only where the header is printed."""
    with ThreadPoolExecutor(len(VERSIONS)) as threads:
        told = threads.map(lambda ask: ask(), VERSIONS.values())
        return [f"server {name}: {version}" for name, version in zip(VERSIONS, told, strict=True)]
