"""Each server starts, is killed, comes back with its data, and leaves nothing behind; what is missing is told."""

from __future__ import annotations

import ftplib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers import azurite, fake_gcs, juicefs, moto, oidc, postgres, program, pyftpd, server, webdav
from tests.servers import redis as redis_module
from tests.servers import samba as samba_server
from tests.servers import sshd as sshd_server
from tests.servers import vsftpd as vsftpd_server
from tests.servers.fixtures import VERSIONS, pytest_report_header
from tests.servers.ftp import FtpServer
from tests.servers.s3 import S3Server, client

RUNNING: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {
    "azurite": azurite.running,
    "fake_gcs": fake_gcs.running,
    "juicefs": juicefs.running,
    "moto": moto.running,
    "oidc": oidc.running,
    "postgres": postgres.running,
    "pyftpd": pyftpd.running,
    "redis": redis_module.running,
    "samba": samba_server.running,
    "sshd": sshd_server.running,
    "vsftpd": vsftpd_server.running,
    "webdav": webdav.running,
}
_END_SECONDS = 20.0


def _connects(port: int) -> bool:
    try:
        socket.create_connection((server.HOST, port), timeout=5).close()
    except ConnectionError:  # refused, or reset by a server that is ending
        return False
    return True


def _in_session(number: int) -> list[int]:
    """Processes of a session that are more than an entry in the table."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return found


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_a_server_is_killed_comes_back_at_its_port_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    with RUNNING[name](tmp_path / name) as running:
        port, first = running.port, running.pid
        assert running.host == server.HOST
        assert _connects(port)
        assert running.log.parent == running.folder == tmp_path / name
        started = running.process.processes()
        running.kill()
        assert not any(map(server.is_alive, started))
        assert not _connects(port)
        running.restart()
        assert (running.port, running.pid != first) == (port, True)
        second = running.pid
        assert _in_session(second)
    assert not _connects(port)
    assert not _in_session(first) + _in_session(second)


def test_seaweedfs_knows_two_users_and_counts_what_it_sends(seaweedfs: S3Server) -> None:
    writer, bucket = seaweedfs.client(), "counted"
    writer.create_bucket(Bucket=bucket)
    writer.put_object(Bucket=bucket, Key="a.jpg", Body=b"x" * 1000, ServerSideEncryption="AES256")
    assert seaweedfs.reader is not None
    reader = client(seaweedfs.port, seaweedfs.reader)
    assert [item["Size"] for item in reader.list_objects_v2(Bucket=bucket)["Contents"]] == [1000]
    assert seaweedfs.sent_bytes(bucket) == 0
    reader.get_object(Bucket=bucket, Key="a.jpg", Range="bytes=0-99")["Body"].read()
    deadline = time.monotonic() + _END_SECONDS
    while seaweedfs.sent_bytes(bucket) != 100:  # it counts when the answer is sent
        assert time.monotonic() < deadline
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.put_object(Bucket=bucket, Key="b.jpg", Body=b"x")


def test_a_share_has_a_user_who_may_only_read(samba: samba_server.SmbServer) -> None:
    import smbclient

    if not samba.reader:
        pytest.skip("Samba has a second user only where root starts it")
    (samba.served / "a.jpg").write_bytes(b"picture")
    connections: dict[str, Any] = {}
    asked = {"username": samba.reader, "password": samba.reader_password, "port": samba.port}
    path = rf"\\{samba.host}\{samba.share}" + "\\"
    try:
        with smbclient.open_file(path + "a.jpg", "rb", connection_cache=connections, **asked) as stream:
            assert stream.read() == b"picture"
        with pytest.raises(OSError, match="STATUS_ACCESS_DENIED"):
            smbclient.open_file(path + "b.jpg", "wb", connection_cache=connections, **asked)
    finally:
        smbclient.reset_connection_cache(connection_cache=connections)


def test_sftp_shows_its_host_key_and_logs_what_is_read(sshd: sshd_server.SftpServer) -> None:
    import paramiko

    (sshd.served / "a.jpg").write_bytes(b"picture")
    known = sshd.folder / "known_hosts"
    known.write_text(sshd.known_hosts)
    with paramiko.SSHClient() as ssh:
        ssh.load_host_keys(str(known))
        ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        ways: dict[str, Any] = {"username": sshd.user, "look_for_keys": False, "allow_agent": False}
        ssh.connect(sshd.host, sshd.port, key_filename=str(sshd.private_key), **ways)
        with ssh.open_sftp() as sftp, sftp.open(str(sshd.served / "a.jpg")) as stream:
            assert stream.read() == b"picture"
    if sshd.transfers.exists():
        deadline = time.monotonic() + _END_SECONDS
        while 'a.jpg" bytes read 7 written 0' not in sshd.transfers.read_text():
            assert time.monotonic() < deadline
    with paramiko.SSHClient() as ssh, pytest.raises(paramiko.AuthenticationException):
        ssh.load_host_keys(str(known))
        ssh.connect(sshd.host, sshd.port, key_filename=str(sshd.other_key), **ways)


def test_vsftpd_shows_minutes_and_tells_seconds_to_those_with_the_password(vsftpd: FtpServer) -> None:
    folder = vsftpd.served / "minutes"  # the server is shared by all tests
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"picture")
    os.utime(folder / "a.jpg", (1_700_000_042, 1_700_000_042))
    with ftplib.FTP() as client:
        client.connect(vsftpd.host, vsftpd.port, timeout=10)
        with pytest.raises(ftplib.error_perm):
            client.login(vsftpd.user, "another")
    with ftplib.FTP() as client:
        client.connect(vsftpd.host, vsftpd.port, timeout=10)
        client.login(vsftpd.user, vsftpd.password)
        client.cwd(f"{vsftpd.base}/minutes")
        lines: list[str] = []
        client.retrlines("LIST", lines.append)
        assert [line.split()[-1] for line in lines] == ["a.jpg"]
        assert client.sendcmd("MDTM a.jpg") == "213 20231114221402"
        with pytest.raises(ftplib.error_perm):
            list(client.mlsd())


_LEFT_ALONE = """
import sys
from pathlib import Path
from tests.servers import pyftpd
with pyftpd.running(Path(sys.argv[1])) as server:
    print(server.pid, server.port, flush=True)
    sys.stdin.read()
"""


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path, repository: Path) -> None:
    """Also where that is killed: what stays would answer the next run."""
    command = [sys.executable, "-c", _LEFT_ALONE, str(tmp_path / "pyftpd")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repository) as starter:
        assert starter.stdout is not None
        pid, port = map(int, starter.stdout.readline().split())
        assert _connects(port)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    while _connects(port) or _in_session(pid):
        assert time.monotonic() < deadline


def _web_server(ports: Any) -> list[str | Path]:
    return [sys.executable, "-m", "http.server", "--bind", server.HOST, str(ports[0])]


def _answers(port: int) -> None:
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://{server.HOST}:{port}/", timeout=5
    ).close()


def test_a_port_that_was_taken_meanwhile_is_changed_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.started("other", _web_server, tmp_path / "other", _answers) as other:
        offered = [other.ports, server.free_ports(1)]
        monkeypatch.setattr(server, "free_ports", lambda number: offered.pop(0))
        with server.started("web", _web_server, tmp_path / "web", _answers) as web:
            assert web.ports != other.ports
            _answers(web.ports[0])


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(server.ServerError, match=r"(?s)odd ended while it started.*no such option: --odd"),
        server.started("odd", _odd, tmp_path, _answers),
    ):
        pytest.fail("it cannot have started")


def _odd(ports: Any) -> list[str | Path]:
    return [sys.executable, "-c", "import sys; sys.exit('no such option: --odd')"]


def test_a_program_that_is_missing_is_a_skip_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(program.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no-such-server is not installed.*apt-get install it"):
        program.find("DEEPLENS_NO_SUCH_BIN", "no-such-server", install="apt-get install it")
    monkeypatch.setenv(program.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match=r"no-such-server is not installed.*apt-get install it"):
        program.find("DEEPLENS_NO_SUCH_BIN", "no-such-server", install="apt-get install it")


def test_a_variable_names_a_program_before_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLENS_ODD_BIN", sys.executable)
    assert program.find("DEEPLENS_ODD_BIN", "sh", install="") == Path(sys.executable)
    monkeypatch.setenv("DEEPLENS_ODD_BIN", "/no/such/program")
    assert program.locate("DEEPLENS_ODD_BIN", "sh") is None


def test_a_program_in_a_package_is_run_from_a_copy_where_it_may_not_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packed_server"
    package.mkdir()
    (package / "__init__.py").touch()
    packed = package / "serve"
    packed.write_text("#!/bin/sh\necho serve 1.5.2\n")
    packed.chmod(0o644)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(program, "_COPIES", tmp_path / "copies")
    packaged = program.Program("Served", "DEEPLENS_ODD_BIN", ("no-such", "packed_server:serve"), "", ("--version",))
    assert packaged.find() == tmp_path / "copies" / "serve"
    assert packaged.version() == "Served 1.5.2"
    assert stat.S_IMODE(packed.stat().st_mode) == 0o644


def test_the_header_tells_the_version_of_each_server_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, "odd", program.Program("Odd", "DEEPLENS_ODD_BIN", ("no-such-server",), "").version)
    lines = pytest_report_header()
    assert [line.split(":")[0] for line in lines] == [f"server {name}" for name in VERSIONS]
    assert lines[-1] == "server odd: missing"
