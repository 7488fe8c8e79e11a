"""OpenSSH: SFTP for whoever runs the tests, by a key, at a host key of its own."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import Program
from tests.servers.server import HOST, Server, started

_INSTALL = "apt-get install openssh-server"
PROGRAM = Program("OpenSSH", "DEEPLENS_SSHD_BIN", ("sshd",), _INSTALL, ("-V",))
KEYGEN = Program("ssh-keygen", "DEEPLENS_SSH_KEYGEN_BIN", ("ssh-keygen",), _INSTALL)
# The program of its own writes what it does, with the bytes that are read and written, where it is told; the one inside
# sshd would write it to the log of the machine.
_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server")
# Debian's sshd, started by root, refuses to run without this folder, which its service makes.
_SEPARATION = Path("/run/sshd")
_CONFIGURATION = """ListenAddress {host}
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
MaxStartups 100:30:200
MaxSessions 100
LogLevel VERBOSE
Subsystem sftp {sftp}
"""


@dataclass(frozen=True)
class SftpServer(Server):
    """A server of SFTP.

    Attributes:
        served: A folder that is there and empty; the server shows the whole file system, so paths are absolute.
        user: Whoever runs the tests.
        private_key: File with the key that opens it, without a passphrase.
        host_key: Public key of the host, as `ssh-ed25519 AAAA...`.
        host_fingerprint: SHA-256 of the host key, as `SHA256:...`.
        other_key: File with a key that opens nothing.
        transfers: Log of the files that were opened, with the bytes read and written.
    """

    served: Path
    user: str
    private_key: Path
    host_key: str
    host_fingerprint: str
    other_key: Path
    transfers: Path

    @property
    def known_hosts(self) -> str:
        """The line that makes the host known, as `known_hosts` files have it."""
        return f"[{self.host}]:{self.port} {self.host_key}\n"


@contextmanager
def running(folder: Path) -> Iterator[SftpServer]:
    """SFTP for the current user."""
    sshd, keygen = PROGRAM.find(), KEYGEN.find()
    if os.geteuid() == 0:
        _SEPARATION.mkdir(mode=0o755, exist_ok=True)
    served, settings, user = folder / "served", folder / "sshd_config", getpass.getuser()
    served.mkdir(parents=True)
    for name in ("host_key", "user_key", "other_key"):
        made = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "deeplens-test", "-f", folder / name]
        subprocess.run(made, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())
    transfers = folder / "transfers.log"
    outside = next((path for path in _SFTP_SERVERS if Path(path).exists()), None)
    sftp = f"{outside} -e -l INFO 2>>{transfers}" if outside else "internal-sftp"
    shown = subprocess.run([keygen, "-lf", folder / "host_key.pub"], check=True, capture_output=True, text=True).stdout

    def command(ports: Sequence[int]) -> list[str | Path]:
        settings.write_text(_CONFIGURATION.format(host=HOST, port=ports[0], folder=folder, user=user, sftp=sftp))
        return [sshd, "-D", "-e", "-f", settings]

    with started(PROGRAM.name, command, folder, _logs_in(user, folder / "user_key")) as process:
        yield SftpServer(
            process,
            PROGRAM.version(),
            served,
            user,
            folder / "user_key",
            " ".join((folder / "host_key.pub").read_text().split()[:2]),
            shown.split()[1],
            folder / "other_key",
            transfers,
        )


def _logs_in(user: str, key: Path) -> Callable[[int], None]:
    def ready(port: int) -> None:
        import paramiko

        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.MissingHostKeyPolicy())
            client.connect(HOST, port, user, key_filename=str(key), look_for_keys=False, allow_agent=False, timeout=10)
            client.open_sftp().listdir(".")

    return ready
