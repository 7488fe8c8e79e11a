"""vsftpd: FTP whose listings are made for people, with minutes instead of seconds, and whose times need MDTM."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.ftp import FtpServer, stores
from tests.servers.issued import issue
from tests.servers.program import Program
from tests.servers.server import HOST, started

PROGRAM = Program("vsftpd", "DEEPLENS_VSFTPD_BIN", ("vsftpd",), "apt-get install vsftpd", ("-v",))
# Its named users are those of the machine, whose passwords nobody knows here; so `anonymous`, with a password that is
# listed, may do what whoever runs the tests may do. `anon_umask` and `anon_world_readable_only` make uploads visible.
_USER = "anonymous"
_CONFIGURATION = """listen=YES
listen_address={host}
listen_port={port}
background=NO
run_as_launching_user=YES
local_enable=NO
anonymous_enable=YES
anon_root={served}
secure_email_list_enable=YES
email_password_file={folder}/passwords
anon_umask=022
anon_world_readable_only=NO
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
write_enable=YES
pasv_address={host}
max_per_ip=0
delay_failed_login=0
seccomp_sandbox=NO
mdtm_write=YES
use_localtime=NO
secure_chroot_dir={folder}/empty
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file={folder}/transfers.log
"""
_ENCRYPTED = """ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
ssl_ciphers=HIGH
rsa_cert_file={certificate.file}
rsa_private_key_file={certificate.key}
"""


@contextmanager
def running(folder: Path, certificate: Certificate | None = None) -> Iterator[FtpServer]:
    """A folder of its own, for one user; with a certificate only where everything is encrypted."""
    vsftpd = PROGRAM.find()
    served, settings = folder / "served", folder / "vsftpd.conf"
    served.mkdir(parents=True)
    (folder / "empty").mkdir()
    password = issue(f"test-password-{secrets.token_hex(12)}@example.org")
    (folder / "passwords").write_text(f"{password}\n")
    # It shows the whole file system, so paths are absolute.
    base = str(served)

    def command(ports: Sequence[int]) -> list[str | Path]:
        lines = _CONFIGURATION.format(host=HOST, port=ports[0], served=served, folder=folder)
        settings.write_text(lines + (_ENCRYPTED.format(certificate=certificate) if certificate else ""))
        return [vsftpd, settings]

    with started(PROGRAM.name, command, folder, stores(base, _USER, password, certificate)) as process:
        yield FtpServer(process, PROGRAM.version(), served, base, _USER, password)
