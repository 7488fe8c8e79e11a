"""The kinds of location by the scheme of their URL.

Takes a location as the ledger keeps it and gives it opened; must not import a kind before it is asked for. A path
without a scheme is a local folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.storage.base import LocationKind
from deeplens_kit.storage.options import LocationOptions, OptionDescription

__all__ = [
    "KindDescription",
    "describe_kinds",
    "given_options",
    "kind_of_url",
    "kinds",
    "normalise_url",
    "open_location",
    "option_names",
]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where a kind is, and how people write and know it."""

    home: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class KindDescription:
    """A kind of location, for people.

    Attributes:
        scheme: Of its URLs.
        title: What it is.
        url: What a URL looks like.
        options: All of its options, its own first.
        safer: How to come in without a key or password that somebody could copy; empty where it takes none.
    """

    scheme: str
    title: str
    url: str
    options: tuple[OptionDescription, ...]
    safer: str = ""


_KINDS = {
    "az": _Kind("azure:AzureLocation", "a container of Azure Blob Storage", "az://ACCOUNT/CONTAINER/PREFIX"),
    "file": _Kind("local:LocalLocation", "a folder of this machine or of a mounted share", "PATH or file:///PATH"),
    "ftp": _Kind("ftp:FtpLocation", "a folder on a server of FTP, unencrypted", "ftp://USER@HOST:PORT/PATH"),
    "ftps": _Kind("ftp:FtpLocation", "a folder on a server of FTP with TLS", "ftps://USER@HOST:PORT/PATH"),
    "gs": _Kind("gcs:GcsLocation", "a bucket of Google Cloud Storage", "gs://BUCKET/PREFIX"),
    "nfs": _Kind("mounted:NFS", "an NFS export that this machine has mounted", "nfs://SERVER/EXPORT/PATH"),
    "postgresql": _Kind(
        "database.postgres:PostgresLocation",
        "files in a table of PostgreSQL (bytea)",
        "postgresql://USER@HOST:PORT/DATABASE",
    ),
    "s3": _Kind("s3:S3Location", "a bucket of Amazon S3, or of what speaks its protocol", "s3://BUCKET/PREFIX"),
    "sftp": _Kind("sftp:SftpLocation", "a folder of a machine that is reached by SSH", "sftp://USER@SERVER/PATH"),
    "smb": _Kind(
        "smb:SMB", "a share of Windows, Samba or network storage, mounted or not", "smb://USER@SERVER/SHARE/PATH"
    ),
    "sqlite": _Kind("database.sqlite:SqliteLocation", "files in a table of an SQLite file", "sqlite:///PATH/FILE.db"),
    "tar": _Kind("archive.tar:TarLocation", "a tar archive: .tar, .tar.gz, .tar.bz2, .tar.xz", "tar:///PATH/FILE.tar"),
    "webdav": _Kind("webdav:WebdavLocation", "a folder on a server of WebDAV, unencrypted", "webdav://USER@HOST/PATH"),
    "webdavs": _Kind("webdav:WebdavLocation", "a folder on a server of WebDAV with TLS", "webdavs://USER@HOST/PATH"),
    "zip": _Kind("archive.zip:ZipLocation", "a ZIP archive", "zip:///PATH/FILE.zip"),
}
# Other names of a scheme.
_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("abfs", "abfss", "azure", "wasb", "wasbs"), "az"),
    "cifs": "smb",
    "dav": "webdav",
    "davs": "webdavs",
    "gcs": "gs",
    "postgres": "postgresql",
    "ssh": "sftp",
}
# A scheme, or a chain of them as in fsspec ("simplecache::s3://...").
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?:::[A-Za-z0-9+.:-]+)?://")


def kinds() -> tuple[str, ...]:
    """The schemes that can be opened, sorted."""
    return tuple(sorted(_KINDS))


def describe_kinds() -> tuple[KindDescription, ...]:
    """Every kind with its options, in order of scheme."""
    return tuple(_described(scheme) for scheme in kinds())


def kind_of_url(url: str) -> str:
    """The scheme under which the kind of a URL is described; "file" for a path.

    Raises:
        UnknownNameError: A kind that does not exist.
    """
    return _scheme(url)


def given_options(url: str, items: Iterable[str]) -> dict[str, object]:
    """Options as people write them, `KEY=VALUE`, for the kind of a URL.

    Raises:
        SettingsError: An item without '=', or a value that is not allowed.
        UnknownNameError: An option or a kind that does not exist.
    """
    return _options_class(_scheme(url)).given(items)


def option_names(url: str) -> frozenset[str]:
    """Names of the options of the kind of a URL.

    Raises:
        UnknownNameError: A kind that does not exist.
    """
    return frozenset(item.name for item in _options_class(_scheme(url)).described())


def open_location(location_id: str, name: str, url: str, options: Mapping[str, object]) -> LocationKind:
    """Open a location; nothing is asked of the storage yet (see `LocationKind.check`).

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: URL or local path, as the user or the ledger has it.
        options: Options of its kind.

    Raises:
        SettingsError: A URL or option value that is not allowed.
        UnknownNameError: A kind, or an option of it, that does not exist.
    """
    location: LocationKind = _class(_scheme(url))(location_id, name, url, options)
    return location


def normalise_url(url: str, options: Mapping[str, object] | None = None) -> str:
    """Give the one spelling of a URL or path that is kept: absolute, %-escaped ASCII, without credentials.

    Raises:
        SettingsError: As `open_location`.
    """
    return open_location("", "", url, options or {}).url


def _described(scheme: str) -> KindDescription:
    kind, options = _KINDS[scheme], _options_class(scheme)
    return KindDescription(scheme, kind.title, kind.url, options.described(), options.safer)


def _options_class(scheme: str) -> type[LocationOptions]:
    found: type[LocationOptions] = _class(scheme).options_class
    return found


def _class(scheme: str) -> Any:
    module, _, name = _KINDS[scheme].home.partition(":")
    return getattr(import_module(f"deeplens_kit.storage.{module}"), name)


def _scheme(url: str) -> str:
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else "file"
    scheme = _ALIASES.get(scheme, scheme)
    if scheme in ("http", "https"):
        raise SettingsError(
            f"Locations are not read over plain {scheme}; write a folder on a server of WebDAV as webdav://HOST/PATH, "
            "with TLS as webdavs://HOST/PATH."
        )
    if scheme not in _KINDS:
        # The URL itself may hold a password: only the scheme is repeated.
        raise UnknownNameError("kind of location", scheme, kinds())
    return scheme
