"""Samba: a share of Windows' kind, with a user who may write and, where root starts it, one who may only read."""

from __future__ import annotations

import getpass
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.issued import issue
from tests.servers.program import Program
from tests.servers.server import HOST, Server, ServerError, started

SHARE = "pictures"
_READER = "nobody"
_INSTALL = "apt-get install samba"
PROGRAM = Program("Samba", "DEEPLENS_SMBD_BIN", ("smbd",), _INSTALL, ("--version",))
# smbpasswd adds users for root alone.
PDBEDIT = Program("pdbedit", "DEEPLENS_PDBEDIT_BIN", ("pdbedit",), _INSTALL)
# Signing is not offered but demanded: a client that does not sign is refused. All that Samba keeps lies in the folder.
# At this level its log tells each file that is opened.
_CONFIGURATION = """[global]
server role = standalone server
workgroup = DEEPLENSTEST
netbios name = DEEPLENSTEST
disable netbios = yes
smb ports = {port}
bind interfaces only = yes
interfaces = {host}/8
security = user
map to guest = never
passdb backend = tdbsam:{state}/passdb.tdb
server min protocol = SMB2_10
server signing = mandatory
load printers = no
printcap name = /dev/null
disable spoolss = yes
log level = 2
max log size = 0
private dir = {state}
lock directory = {state}
state directory = {state}
cache directory = {state}
pid directory = {state}
ncalrpc dir = {state}/ncalrpc
usershare path =
unix extensions = no
[{share}]
path = {served}
read only = no
valid users = {user} {reader}
# The reader may read what the other wrote, in a temporary folder that nobody else could enter.
force user = {user}
read list = {reader}
store dos attributes = no
"""


@dataclass(frozen=True)
class SmbServer(Server):
    """A server of SMB.

    Attributes:
        share: Name of the share.
        served: The folder that it serves.
        user: Who may read and write.
        password: Made for this start.
        reader: Who may only read; empty where an ordinary user started the server.
        reader_password: Made for this start.
    """

    share: str
    served: Path
    user: str
    password: str = field(repr=False)
    reader: str
    reader_password: str = field(repr=False)


@contextmanager
def running(folder: Path) -> Iterator[SmbServer]:
    """A share of a folder of its own."""
    smbd, pdbedit = PROGRAM.find(), PDBEDIT.find()
    user, reader = getpass.getuser(), _READER if os.geteuid() == 0 else ""
    passwords = {name: issue(f"test-password-{secrets.token_hex(12)}") for name in (user, reader) if name}
    served, state, settings = folder / "served", folder / "state", folder / "smb.conf"
    served.mkdir(parents=True)
    (state / "ncalrpc").mkdir(parents=True)

    def command(ports: Sequence[int]) -> list[str | Path]:
        settings.write_text(
            _CONFIGURATION.format(
                port=ports[0], host=HOST, state=state, share=SHARE, served=served, user=user, reader=reader
            )
        )
        for name, password in passwords.items():
            _add_user(pdbedit, settings, name, password)
        return [smbd, "--foreground", "--no-process-group", "-s", settings, "--debug-stdout"]

    with started(PROGRAM.name, command, folder, _lists(user, passwords[user])) as process:
        yield SmbServer(
            process, PROGRAM.version(), SHARE, served, user, passwords[user], reader, passwords.get(reader, "")
        )


def _add_user(pdbedit: Path, settings: Path, name: str, password: str) -> None:
    added = subprocess.run(
        [pdbedit, "-s", settings, "--create", "--password-from-stdin", "--user", name],
        input=f"{password}\n{password}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if added.returncode:
        raise ServerError(f"pdbedit did not add {name}:\n{added.stdout}{added.stderr}")


def _lists(user: str, password: str) -> Callable[[int], None]:
    def ready(port: int) -> None:
        import smbclient

        connections: dict[str, object] = {}
        asked = {"username": user, "password": password, "port": port, "connection_cache": connections}
        try:
            smbclient.listdir(rf"\\{HOST}\{SHARE}", **asked)
        finally:
            smbclient.reset_connection_cache(connection_cache=connections, fail_on_error=False)

    return ready
