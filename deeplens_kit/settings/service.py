"""Frozen settings of the server: where it listens, whom it trusts, and how much it takes on at once.

Takes values, refuses those out of range; must not read a file, open a socket or know who may do what.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from deeplens_kit.errors import SettingsError

__all__ = ["LOOPBACK", "ServiceSettings"]

LOOPBACK = "127.0.0.1"
"""The one address at which nobody has to sign in."""

_ACCESS = ("auto", "on", "off")
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a workspace is served.

    Attributes:
        address: To listen on, in numbers; `0.0.0.0` for all that this machine has.
        port: Of the dashboards, and of the API beside them; 0 for one that is free.
        workers: Processes that answer the API alone, at a port of their own; 0 for none.
        api_port: Of those processes; 0 for the one after `port`.
        job_workers: Processes that do jobs; 0 for none here.
        access: Whether one has to sign in: "auto" unless only 127.0.0.1 is served, "on" always, "off" never, which is
            refused elsewhere than on 127.0.0.1.
        origins: The addresses by which browsers know this server, as "https://pictures.example.org".
        tls_cert: File of the certificate, with those between it and its root; empty for plain HTTP.
        tls_key: File of its private key.
        behind_proxy: Addresses or networks of the proxies whose `X-Forwarded-*` is believed; empty for none.
        max_body_bytes: Of a request, inclusive.
        max_upload_bytes: Of a request that brings pictures to keep, inclusive.
        costly_at_once: Searches and uploads worked on at the same time by a process; 0 for its share of twice the
            cores.
        costly_waiting: More of them that may wait; who comes then is told to come back.
        costly_wait_seconds: How long one waits for its turn.
        pages_per_user: Pages that one user may have open, in one process; 0 for as many as they like.
        streams_per_user: Streams of jobs that one user may read at the same time, in one process; 0 likewise.
        stop_seconds: How long answers under way have to end when the server is stopped.
        thumbnail_base: Where thumbnails are fetched from when not from this server, for example a cache in front of it.
    """

    address: str = LOOPBACK
    port: int = 5006
    workers: int = 0
    api_port: int = 0
    job_workers: int = 1
    access: str = "auto"
    origins: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    behind_proxy: tuple[str, ...] = ()
    max_body_bytes: int = 112 * 2**20
    max_upload_bytes: int = 512 * 2**20
    costly_at_once: int = 0
    costly_waiting: int = 64
    costly_wait_seconds: float = 20.0
    pages_per_user: int = 50
    streams_per_user: int = 20
    stop_seconds: float = 20.0
    thumbnail_base: str = ""

    def __post_init__(self) -> None:
        floors: dict[str, float] = {
            "workers": 0,
            "job_workers": 0,
            "max_body_bytes": 1024,
            "max_upload_bytes": 1024,
            "costly_at_once": 0,
            "costly_waiting": 0,
            "costly_wait_seconds": 0.1,
            "pages_per_user": 0,
            "streams_per_user": 0,
            "stop_seconds": 0,
        }
        for name, floor in floors.items():
            if (value := getattr(self, name)) < floor:
                raise SettingsError(f"Setting 'service.{name}' is {value}; it must be at least {floor:g}.")
        for port in (self.port, self.api_port):
            if not 0 <= port <= _HIGHEST_PORT:
                raise SettingsError(
                    f"Port {port} does not exist; choose one from 1024 to 65535, or 0 for any that is free."
                )
        if self.access not in _ACCESS:
            raise SettingsError(f"Setting 'service.access' is {self.access!r}; allowed are {', '.join(_ACCESS)}.")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise SettingsError("TLS needs both a certificate and its key: give --tls-cert and --tls-key.")
        for origin in self.origins:
            _check_origin("service.origins", origin)
        if self.thumbnail_base:
            _check_origin("service.thumbnail_base", self.thumbnail_base, with_path=True)
        self._check_address()

    @property
    def is_local(self) -> bool:
        """Whether only this machine is served, and by no proxy that would let others in."""
        return self.address == LOOPBACK and not self.behind_proxy

    @property
    def needs_sign_in(self) -> bool:
        """Whether somebody has to say who they are."""
        return self.access == "on" or (self.access == "auto" and not self.is_local)

    @property
    def has_tls(self) -> bool:
        """Whether this server speaks HTTPS itself."""
        return bool(self.tls_cert)

    def _check_address(self) -> None:
        for proxy in self.behind_proxy:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                raise SettingsError(
                    f"{proxy!r} is no address of a proxy; give numbers, as 10.0.0.5 or 10.0.0.0/24."
                ) from error
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError as error:
            raise SettingsError(
                f"{self.address!r} is no address to listen on; give numbers, as {LOOPBACK} or 0.0.0.0."
            ) from error
        if self.access == "off" and not self.is_local:
            raise SettingsError(
                f"{self.address!r} is not served without a sign-in: `access` may be off on {LOOPBACK} alone, with no "
                "proxy before it."
            )
        if address.is_loopback or self.has_tls or self.behind_proxy:
            return
        raise SettingsError(
            f"{self.address!r} is not served in clear: give --tls-cert and --tls-key, or name the proxy that speaks "
            "HTTPS for it with --behind-proxy. Or stay on 127.0.0.1 and use a tunnel, for example "
            "`ssh -L 5006:127.0.0.1:5006 HOST`."
        )


def _check_origin(name: str, origin: str, *, with_path: bool = False) -> None:
    parts = urlsplit(origin)
    whole = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not whole or "@" in parts.netloc or (parts.path not in ("", "/") and not with_path):
        raise SettingsError(f"Setting '{name}' holds {origin!r}; give an address as https://pictures.example.org.")
