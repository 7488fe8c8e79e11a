"""Addresses of folders on servers: SCHEME://USER@HOST:PORT/PATH.

Takes a URL as people write it, gives its parts and the one spelling that is kept; must not resolve a name or connect. A
password has no place in it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from deeplens_kit.errors import SettingsError

__all__ = ["Address", "escaped", "inside", "parse_address", "unescaped"]

_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/@]*)@)?(\[[0-9A-Fa-f:.%]+\]|[^/@:\[\]]+)(?::(\d+))?(/.*)?", re.DOTALL
)
_MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A folder on a server.

    Attributes:
        scheme: In lower case.
        user: Empty where none was given.
        host: In lower case; an IPv6 address in brackets.
        port: As given, or the scheme's own.
        folder: Native path from the server's root, with '/' at both ends.
        own_port: Whether `port` is the scheme's own.
    """

    scheme: str
    user: str
    host: str
    port: int
    folder: str
    own_port: bool

    @property
    def name(self) -> str:
        """The host for a socket."""
        return self.host.strip("[]")

    @property
    def server(self) -> str:
        """Host, and port where it is not the scheme's own."""
        return self.host if self.own_port else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The one spelling."""
        user = f"{escaped(self.user)}@" if self.user else ""
        return f"{self.scheme}://{user}{self.server}{escaped(self.folder.rstrip('/'))}"

    def root(self, base_path: str) -> str:
        """The folder beneath, by the option `base_path`, with '/' at both ends."""
        return _folder(f"{self.folder}/{base_path}")


def parse_address(url: str, example: str, port: int) -> Address:
    """Take a URL apart.

    Args:
        url: As people write it.
        example: What it should look like, for the message.
        port: The scheme's own.

    Raises:
        SettingsError: It is none, or holds a password.
    """
    match = _URL.fullmatch(url)
    if match is None or int(match[4] or 1) not in range(1, _MOST_PORT + 1):
        # It may hold a password, so it is not repeated.
        raise SettingsError(f"The address of the location cannot be read; write {example}.")
    scheme, user, host, given, path = match.groups()
    if ":" in (user or ""):
        raise SettingsError(
            f"The address of the location holds a password; write {example} and give it by reference, for example "
            "--option 'password=${NAME}'."
        )
    chosen = int(given or port)
    folder = _folder(unescaped(path or "/"))
    if "/../" in folder or "/./" in folder:
        raise SettingsError(f"The address of the location holds '.' or '..' in its path; write {example}.")
    return Address(scheme.lower(), unescaped(user or ""), host.lower(), chosen, folder, chosen == port)


def inside(root: str, path: str) -> str | None:
    """The path of an object beneath a root; None for one that leads out of it or that no server can be asked for.

    Args:
        root: With '/' at both ends.
        path: Native, relative; a folder's may end in '/'.
    """
    parts = path.removesuffix("/").split("/") if path else []
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        return None
    return root + path


def escaped(native: str) -> str:
    """A native path as it stands in a URL."""
    return quote(native.encode("utf-8", "surrogateescape"), safe="/")


def unescaped(path: str) -> str:
    """The native path of what stands in a URL; bytes that are not UTF-8 become surrogates (PEP 383)."""
    return unquote(path, errors="surrogateescape")


def _folder(path: str) -> str:
    parts = posixpath.join("/", path).strip("/")
    return re.sub("/{2,}", "/", f"/{parts}/")
