"""Folders of machines that are reached by SSH (SFTP), by paramiko.

Takes `sftp://USER@HOST[:PORT]/PATH` and options; must not log in or speak the protocol itself (`sftp_login`,
`sftp_wire`). A path is absolute; one that starts with `/~/` lies beneath the folder in which the user is logged in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.paths import decode_path, encode_path
from deeplens_kit.storage.remote import RemoteLocation

__all__ = ["SftpAddress", "SftpLocation", "SftpOptions"]

_URL = re.compile(
    r"(?:sftp|ssh)://(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@\[\]]+)(?::(\d{1,5}))?(/.*)?", re.DOTALL | re.IGNORECASE
)
_PORT = 22
_HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class SftpOptions(RemoteOptions):
    """Options of a folder that is reached by SSH."""

    safer: ClassVar[str] = (
        "A key in the SSH agent is safer than a password: leave password empty and load the key with ssh-add. Give "
        "host_key or a file of known hosts, so that no other machine can stand in for the server."
    )

    user: str = option("", "Who logs in; by default the user of the URL, or whoever runs DeepLens.")
    port: int = option(0, "Where the server listens; 0 for the port of the URL, or 22.")
    password: str = option("", "Password of the user.", secret=True)
    private_key_file: str = option("", "File with the user's private key.")
    passphrase: str = option("", "Passphrase of that file.", secret=True)
    agent: bool = option(True, "Whether the SSH agent and the keys of ~/.ssh are tried where nothing else is given.")
    host_key: str = option("", "Key of the server, as 'ssh-ed25519 AAAA...' or as its fingerprint 'SHA256:...'.")
    known_hosts_file: str = option("", "File of known host keys; by default ~/.ssh/known_hosts.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        if self.passphrase and not self.private_key_file:
            raise SettingsError("Location option 'passphrase' needs 'private_key_file', the file that it opens.")
        if self.host_key and not _HOST_KEY.fullmatch(self.host_key):
            raise SettingsError(
                "Location option 'host_key' is no key; write it as 'ssh-ed25519 AAAA...', or the fingerprint as "
                "'SHA256:...'."
            )
        if not 0 <= self.port < 2**16:
            raise SettingsError(f"Location option 'port' is {self.port}; it must be 0 to 65535.")


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """What a URL names.

    Attributes:
        host: Name or address.
        port: Where it listens.
        user: Empty where it is not said.
        path: Native; '~' or '~/PATH' beneath the folder of the user, absolute otherwise; no '/' at its end.
    """

    host: str
    port: int
    user: str
    path: str

    @classmethod
    def of(cls, url: str, port: int = 0, user: str = "") -> SftpAddress:
        """Read a URL.

        Args:
            url: The URL.
            port: Of the options; 0 where they say none.
            user: Likewise.

        Raises:
            SettingsError: It names no folder, holds a password, or says something else than the options.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise SettingsError("The URL names no folder; write sftp://USER@HOST/PATH, or sftp://USER@HOST/~/PATH.")
        if ":" in (match[1] or ""):
            raise SettingsError("The URL holds a password; give it by reference: --option 'password=${NAME}'.")
        said, host = unquote(match[1] or ""), match[2].strip("[]").lower()
        number = int(match[3] or port or _PORT)
        if (user and said and user != said) or (port and number != port):
            raise SettingsError("The URL and the location options 'user' and 'port' differ; say each once.")
        if not 0 < number < 2**16:
            raise SettingsError(f"Port {number} is not allowed; it must be 1 to 65535.")
        parts = [part for part in unquote(match[4] or "", errors="surrogateescape").split("/") if part]
        if any(part in (".", "..") or "\0" in part for part in parts):
            raise SettingsError("The URL names no folder: its path may hold no '.' or '..' parts.")
        return cls(host, number, said or user, "/".join(parts if parts[:1] == ["~"] else ["", *parts]))

    @property
    def url(self) -> str:
        """The normal URL."""
        who = f"{quote(self.user, safe='')}@" if self.user else ""
        path = self.path if self.path.startswith("/") or not self.path else f"/{self.path}"
        return f"sftp://{who}{self._host}{quote(path, safe='/~', errors='surrogateescape')}"

    def place(self, base_path: str) -> str:
        """What names the root: an absolute path is the same for every user, a home is not."""
        path = self.path.replace("~", f"~{self.user}", 1) if self.path[:1] == "~" else self.path
        parts = [part.strip("/") for part in (encode_path(path), base_path) if part.strip("/")]
        return "/".join([f"sftp://{self._host}", *parts, ""])

    def root(self, base_path: str) -> bytes:
        """The folder as the server is asked for it."""
        parts = [part for part in (self.path, decode_path(base_path).strip("/")) if part]
        native = "/".join(parts)
        if native[:1] == "~":
            native = native[1:].lstrip("/") or "."
        return (native or "/").encode("utf-8", "surrogateescape")

    @property
    def _host(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else quote(self.host)
        return host if self.port == _PORT else f"{host}:{self.port}"


class SftpLocation(RemoteLocation):
    """A folder of a machine that is reached by SSH.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: As `SftpAddress` reads it.
        options: Fields of `SftpOptions`.
    """

    options_class = SftpOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        from deeplens_kit.storage.sftp_store import SftpStore

        parsed = SftpOptions.of(options)
        address = SftpAddress.of(url, parsed.port, parsed.user)
        super().__init__(
            location_id,
            name,
            address.url,
            address.place(parsed.base_path),
            parsed,
            SftpStore(address, address.root(parsed.base_path), parsed),
        )
