"""Where a server listens, and by which names it may be asked.

Takes settings, gives a socket and the hosts and origins that go with it; must not answer anything.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from deeplens_kit.errors import SettingsError
from deeplens_kit.settings import LOOPBACK, ServiceSettings

__all__ = ["BACKLOG", "address_of", "check_certificate", "listening", "names_of"]

BACKLOG = 512
"""Connections that wait until they are taken."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ANY = ("0.0.0.0", "::")


@contextmanager
def listening(address: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; who connects before it is served waits.

    Raises:
        SettingsError: The port is taken, or only the system's administrator may use it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        # A port that a server left a moment ago is free.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((address, port))
            taken.listen(BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _port_taken(port) from error
            why = error.strerror or str(error)
            raise SettingsError(
                f"Port {port} of {address} cannot be used: {why}; choose another one with --port."
            ) from error
        yield taken


def check_certificate(settings: ServiceSettings) -> None:
    """Whether the certificate and its key can be served with; nothing to check where there is none.

    Raises:
        SettingsError: A file is missing or cannot be read, or is no PEM, or the two do not belong together.
    """
    if not settings.has_tls:
        return
    for option, name in (("--tls-cert", settings.tls_cert), ("--tls-key", settings.tls_key)):
        try:
            Path(name).read_bytes()
        except OSError as error:
            raise SettingsError(f"{option} {name!r} cannot be read: {error.strerror}.") from error
    try:
        # A key with a password must not ask for it where nobody may be: it is refused instead.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = "the key is not that of the certificate"
        else:
            why = "both have to be PEM, the certificate before those that signed it, the key without a password"
        raise SettingsError(
            f"--tls-cert {settings.tls_cert!r} and --tls-key {settings.tls_key!r} cannot be used: {why}."
        ) from error


def names_of(settings: ServiceSettings, port: int) -> tuple[frozenset[str], frozenset[str]]:
    """The hosts and the origins by which a server may be asked.

    Raises:
        SettingsError: It listens on all addresses of this machine, and nobody said by which name it is known.
    """
    scheme = "https" if settings.has_tls else "http"
    origins = set(settings.origins)
    if settings.address == LOOPBACK and not settings.behind_proxy:
        origins |= {f"{scheme}://{LOOPBACK}:{port}", f"{scheme}://localhost:{port}"}
    elif settings.address not in _ANY:
        shown = f"[{settings.address}]" if ":" in settings.address else settings.address
        origins.add(f"{scheme}://{shown}:{port}")
    if not settings.origins and (settings.behind_proxy or settings.address in _ANY):
        raise SettingsError(
            "By which address do browsers reach this server? Name it with --origin, as https://pictures.example.org."
        )
    hosts: set[str] = set()
    written: set[str] = set()
    for origin in origins:
        parts = urlsplit(origin.lower())
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
        default = _DEFAULT_PORTS[parts.scheme]
        if parts.port in (None, default):
            hosts |= {name, f"{name}:{default}"}
            written.add(f"{parts.scheme}://{name}")
        else:
            hosts.add(f"{name}:{parts.port}")
            written.add(f"{parts.scheme}://{name}:{parts.port}")
    return frozenset(hosts), frozenset(written)


def address_of(settings: ServiceSettings, port: int) -> str:
    """The address to tell people."""
    if settings.origins:
        return f"{settings.origins[0].rstrip('/')}/"
    shown = f"[{settings.address}]" if ":" in settings.address else settings.address
    return f"{'https' if settings.has_tls else 'http'}://{shown}:{port}/"


def _port_taken(port: int) -> SettingsError:
    return SettingsError(
        f"Port {port} is taken, perhaps by another `deeplens serve`; stop that one, or choose another port: --port 0 "
        "takes any that is free."
    )
