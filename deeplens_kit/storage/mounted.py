"""A share or export that this machine has mounted, read as a folder.

Takes the URL of what is mounted and the option `mount_point`; gives a local location that knows itself by the URL. Must
not take the empty folder that an unmounted share leaves behind for the share: then all of its files would be gone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, unquote

from deeplens_kit.errors import LocationUnavailableError, SettingsError
from deeplens_kit.storage.base import LocationKind
from deeplens_kit.storage.local import LocalLocation
from deeplens_kit.storage.mount_table import Mount, is_another, mount_at
from deeplens_kit.storage.options import LocationOptions, option
from deeplens_kit.storage.paths import display_path, encode_path

__all__ = ["NFS", "MountableKind", "MountedLocation", "NfsOptions"]

_NFS_URL = re.compile(r"nfs://(\[[0-9A-Fa-f:.]+\]|[^/@\[\]]+)(/.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NfsOptions(LocationOptions):
    """Options of an NFS export; the kernel speaks the protocol."""

    mount_point: str = option("", "Folder of this machine at which the export of the URL is mounted; needed.")


class MountedLocation(LocalLocation):
    """What is mounted at a folder of this machine; implements `storage.base.LocationKind`.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: Normal URL of what is mounted.
        place: What names it, as if it were read without the mount; ends in '/'.
        mount_point: Absolute path of the folder.
        options: Of the kind, with `base_path` beneath the folder.
        options_class: The kind's.
        is_mounted: Whether something is mounted at a folder.
        mount_of: What that is; None where nobody tells.
    """

    def __init__(
        self,
        location_id: str,
        name: str,
        url: str,
        place: str,
        mount_point: str,
        options: Mapping[str, object],
        options_class: type[LocationOptions],
        *,
        is_mounted: Callable[[str], bool] = os.path.ismount,
        mount_of: Callable[[str], Mount | None] = mount_at,
    ) -> None:
        self.options_class = options_class
        super().__init__(location_id, name, mount_point, options)
        self._url, self._place, self._mount_point = url, place, mount_point
        self._is_mounted, self._mount_of = is_mounted, mount_of

    @property
    def url(self) -> str:
        """That of what is mounted."""
        return self._url

    @property
    def place(self) -> str:
        """That of what is mounted."""
        return self._place

    @contextmanager
    def _opened_root(self) -> Iterator[int]:
        folder = display_path(encode_path(self._mount_point))
        if not self._is_mounted(self._mount_point):
            raise LocationUnavailableError(
                self.name,
                f"Location {self.name!r} ({self._url}) is not mounted at '{folder}'; "
                "mount it and run again. Nothing was marked as gone.",
            )
        first = self._identity is None  # later it is the same folder, or refused
        with super()._opened_root() as root:
            # Only now: what is mounted by itself (autofs) is mounted when it is opened.
            mount = self._mount_of(self._mount_point) if first else None
            if mount is not None and is_another(self._url, mount):
                self._identity = None
                raise LocationUnavailableError(
                    self.name,
                    f"At '{folder}' {display_path(encode_path(mount.source))} is mounted, which is not {self._url} of "
                    f"location {self.name!r}; mount that there, or open the location by the address of what is "
                    "mounted. Nothing was marked as gone.",
                )
            yield root


@dataclass(frozen=True)
class MountableKind:
    """A kind of location that is read where it is mounted, or by its own protocol where there is one.

    Attributes:
        options_class: Its options, `mount_point` among them.
        names: Gives the normal URL and the place of a URL and a base path.
        by_protocol: Opens it without a mount; None where that cannot be done.
    """

    options_class: type[LocationOptions]
    names: Callable[[str, str], tuple[str, str]]
    by_protocol: Callable[[str, str, str, Mapping[str, object]], LocationKind] | None = None

    def __call__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> LocationKind:
        """Open a location; see `registry.open_location`.

        Raises:
            SettingsError: A URL or an option that is not allowed, or no mount point where one is needed.
        """
        parsed = self.options_class.of(options)
        mount_point: str = getattr(parsed, "mount_point")  # noqa: B009 - each kind's class has it, their base has not
        if not mount_point and self.by_protocol is not None:
            return self.by_protocol(location_id, name, url, options)
        normal, place = self.names(url, parsed.base_path)
        if not os.path.isabs(mount_point):  # noqa: PTH117 - it may hold bytes that are not UTF-8
            raise SettingsError(
                f"Location option 'mount_point' is {mount_point!r}; it must be the absolute path of the folder at "
                f"which {normal} is mounted, for example --option mount_point=/mnt/pictures."
            )
        return MountedLocation(
            location_id, name, normal, place, os.path.normpath(mount_point), options, self.options_class
        )


def _nfs_names(url: str, base_path: str) -> tuple[str, str]:
    match = _NFS_URL.fullmatch(url)
    if match is None:
        raise SettingsError(f"{url!r} names no export; write nfs://SERVER/EXPORT or nfs://SERVER/EXPORT/PATH.")
    server, path = match[1].lower(), unquote(match[2], errors="surrogateescape")
    parts = [part for part in path.split("/") if part]
    if not parts or any(part in (".", "..") for part in parts) or "\0" in path:
        raise SettingsError(f"{url!r} names no export; its path may hold no '.' or '..' parts.")
    export = "/".join(parts)
    below = [part for part in [base_path.strip("/")] if part]
    place = "/".join([f"nfs://{server}", encode_path(export), *below, ""])
    return f"nfs://{server}/{quote(export, errors='surrogateescape')}", place


NFS = MountableKind(NfsOptions, _nfs_names)
"""The kind: through `mount_point` only."""
