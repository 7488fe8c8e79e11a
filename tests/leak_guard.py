"""After every test that used a server: none of the servers' credentials stands in what the test left or showed.

What is searched are the files in the test's folder (workspaces with catalog, ledger, cache and reports, whatever was
exported) and all that was printed and logged. Folders of the servers themselves, which know their users, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leaks import forms_of
from tests.servers.issued import issued, server_folders

_LARGEST_BYTES = 64 * 2**20  # a file of a test is never as large


@pytest.fixture(autouse=True)
def _no_credential_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    before = len(issued())
    yield
    used = len(issued()) > before or not _SERVERS.isdisjoint(request.fixturenames)
    folder = request.node.funcargs.get("tmp_path") if isinstance(request.node, pytest.Function) else None
    if used and folder is not None and request.node.get_closest_marker("holds_credentials") is None:
        found = [str(file) for file in _files(folder) if _holds(file.read_bytes())]
        assert not found, f"a server's credential stands in {found}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    # Once everything was shown, and only of what went well: a failure shows values by itself.
    if report.when != "teardown" or not report.passed or not issued():
        return
    if _holds(_shown(item).encode(errors="surrogatepass")):
        report.outcome, report.longrepr = "failed", "a server's credential was shown in a log line or an output"


def _shown(item: pytest.Item) -> str:
    return "".join(text for _, _, text in item._report_sections)


def _files(folder: Path) -> Iterator[Path]:
    servers = server_folders()
    for file in folder.rglob("*"):
        ours = not any(file.is_relative_to(server) for server in servers)
        if ours and file.is_file() and not file.is_symlink() and file.stat().st_size <= _LARGEST_BYTES:
            yield file


def _holds(content: bytes) -> bool:
    return any(form in content for secret in issued() for form in forms_of(secret))


_SERVERS = frozenset(
    {
        *("seaweedfs", "juicefs", "moto", "azurite", "fake_gcs", "samba", "sshd", "pyftpd", "vsftpd", "webdav"),
        *("postgres_server",),
    }
)
