"""A certificate for a server of this machine, by openssl: its clients must be told to trust it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import find
from tests.servers.server import HOST


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself.

    Attributes:
        file: For clients that trust it.
        key: Its private key.
    """

    file: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make one for this machine, valid for two days."""
    openssl = find("DEEPLENS_OPENSSL_BIN", "openssl", install="apt-get install openssl")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    files = ["-keyout", made.key, "-out", made.file]
    subprocess.run([openssl, "req", "-x509", *curve, *names, *files], check=True, capture_output=True)
    return made
