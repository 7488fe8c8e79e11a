"""Shares of Windows, Samba and network storage (SMB, CIFS), without a mount or through one.

Takes `smb://[DOMAIN;]USER@SERVER[:PORT]/SHARE/PATH` and options; must not speak the protocol itself (`smb_wire`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.mounted import MountableKind
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.paths import decode_path, encode_path
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.smb_store import SmbStore

__all__ = ["SMB", "ShareAddress", "SmbLocation", "SmbOptions"]

_URL = re.compile(
    r"(?:smb|cifs)://(?:(?:([^;@/]*);)?([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@\[\]]+)(?::(\d{1,5}))?/([^/]+)(?:/(.*))?",
    re.DOTALL | re.IGNORECASE,
)
_PORT = 445
_NOT_IN_A_SHARE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class SmbOptions(RemoteOptions):
    """Options of a share."""

    safer: ClassVar[str] = (
        "A Kerberos ticket of this machine's user is safer than a password: leave user and password empty where "
        "there is one."
    )

    user: str = option("", "Who logs in; by default the user of the URL, or a Kerberos ticket of this machine's user.")
    domain: str = option("", "Domain or workgroup of the user.")
    password: str = option("", "Password of the user.", secret=True)
    encrypt: bool = option(False, "Whether everything is encrypted; it is signed in any case.")
    mount_point: str = option(
        "", "Folder of this machine at which what the URL names is mounted; it is then read there."
    )


@dataclass(frozen=True, slots=True)
class ShareAddress:
    """What a URL names.

    Attributes:
        server: Name or address.
        port: Where it listens.
        share: Name of the share.
        path: Native path within it, '/' between its parts, none at its ends.
        user: Empty where it is not said.
        domain: Likewise.
    """

    server: str
    port: int
    share: str
    path: str
    user: str = ""
    domain: str = ""

    @classmethod
    def of(cls, url: str) -> ShareAddress:
        """Read a URL.

        Raises:
            SettingsError: It names no share, or holds a password.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise SettingsError("The URL names no share; write smb://USER@SERVER/SHARE/PATH, with PATH or without.")
        said = (unquote(part or "", errors="surrogateescape") for part in match.groups())
        domain, user, server, port, share, path = said
        if ":" in (match[2] or ""):
            raise SettingsError("The URL holds a password; give it by reference: --option 'password=${NAME}'.")
        parts = [part for part in path.split("/") if part]
        if any(part in (".", "..") or _NOT_IN_A_SHARE.search(part) for part in [share, *parts]):
            raise SettingsError(f'{share}/{path} is no path of a share: no part may hold any of \\ : * ? " < > |.')
        number = int(port or _PORT)
        if not 0 < number < 2**16:
            raise SettingsError(f"Port {number} is not allowed; it must be 1 to 65535.")
        return cls(server.strip("[]").lower(), number, share, "/".join(parts), user, domain)

    @property
    def url(self) -> str:
        """The normal URL."""
        who = f"{quote(self.domain, safe='')};" if self.domain else ""
        who = f"{who}{quote(self.user, safe='')}@" if self.user else ""
        path = f"/{quote(self.path, errors='surrogateescape')}" if self.path else ""
        return f"smb://{who}{self._host}/{quote(self.share, safe='')}{path}"

    def place(self, base_path: str) -> str:
        """What names the root; a share is the same for every user and however its name is written."""
        parts = [part.strip("/") for part in (encode_path(self.path), base_path) if part.strip("/")]
        return "/".join([f"smb://{self._host}", encode_path(self.share.lower()), *parts, ""])

    @property
    def _host(self) -> str:
        server = f"[{self.server}]" if ":" in self.server else quote(self.server)
        return server if self.port == _PORT else f"{server}:{self.port}"


class SmbLocation(RemoteLocation):
    """A share, or a folder of one, by the protocol.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: As `ShareAddress` reads it.
        options: Fields of `SmbOptions`.
    """

    options_class = SmbOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed, address = SmbOptions.of(options), ShareAddress.of(url)
        for field, given, said in (("user", parsed.user, address.user), ("domain", parsed.domain, address.domain)):
            if given and said and given != said:
                raise SettingsError(
                    f"Location option {field!r} is {given!r}, and the URL says {said!r}; give one of them."
                )
        user, domain = parsed.user or address.user, parsed.domain or address.domain
        if parsed.password and not user:
            raise SettingsError("Location option 'password' needs a user: write smb://USER@SERVER/SHARE.")
        path = "/".join(part for part in (address.path, decode_path(parsed.base_path).strip("/")) if part)
        super().__init__(
            location_id,
            name,
            address.url,
            address.place(parsed.base_path),
            parsed,
            SmbStore(
                address.server,
                address.port,
                address.share,
                path,
                f"{domain}\\{user}" if domain else user,
                parsed.password,
                encrypt=parsed.encrypt,
                timeout_seconds=parsed.timeout_seconds,
            ),
        )


def _names(url: str, base_path: str) -> tuple[str, str]:
    address = ShareAddress.of(url)
    return address.url, address.place(base_path)


SMB = MountableKind(SmbOptions, _names, SmbLocation)
"""The kind: by the protocol, or through `mount_point` where that is given."""
