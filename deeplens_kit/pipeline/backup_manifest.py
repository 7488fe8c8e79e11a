"""What a backup holds: each file with its SHA-256 and the pieces that it lies in, and the digest of all that.

Takes and gives the bytes of a manifest; must not open a store. A manifest is the last file of a backup that is
written: without it there is none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from deeplens_kit.errors import BackupError

__all__ = ["CATALOG", "LEDGER", "BackupFile", "BackupManifest"]

LEDGER, CATALOG = "ledger", "catalog"
"""Folders of a backup, beside the files of the workspace's own folder."""

_FORMAT = "deeplens-backup"
_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup.

    Attributes:
        path: Where it goes, relative to the workspace's folder, with '/'.
        size_bytes: Bytes.
        sha256: Of the file.
        pieces: SHA-256 of each of its pieces, in order; a file without bytes has none.
    """

    path: str
    size_bytes: int
    sha256: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """One backup.

    Attributes:
        name: When it was begun, in UTC, and 8 random digits.
        made_at: When its content was taken, UTC.
        made_by: As user@host.
        made_with: Version of DeepLens.
        ledger_revision: Schema revision of the ledger.
        catalog_version: Schema version of the catalog.
        objects: How many objects the catalog held.
        files: What it holds.
    """

    name: str
    made_at: datetime
    made_by: str
    made_with: str
    ledger_revision: str
    catalog_version: str
    objects: int
    files: tuple[BackupFile, ...]

    def as_bytes(self) -> bytes:
        """The manifest as it is stored."""
        said = {"format": _FORMAT, "format_version": _VERSION, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps({**said, "digest": _digest(said)}, indent=1, sort_keys=True).encode()

    @staticmethod
    def of_bytes(content: bytes, name: str) -> BackupManifest:
        """Read a stored manifest.

        Raises:
            BackupError: It is damaged, of another format, or names a place outside of a workspace.
        """
        try:
            said: dict[str, Any] = json.loads(content)
            digest = said.pop("digest")
            version = said.get("format_version")
            if said["format"] == _FORMAT and isinstance(version, int) and version > _VERSION:
                raise BackupError(f"Backup {name} was made by a newer DeepLens; install that version to read it.")
            if digest != _digest(said) or said["format"] != _FORMAT or said["name"] != name:
                raise BackupError(f"The manifest of backup {name} is damaged; use another backup.")
            files = tuple(_file(item) for item in said["files"])
            return BackupManifest(
                name=said["name"],
                made_at=datetime.fromisoformat(said["made_at"]),
                made_by=said["made_by"],
                made_with=said["made_with"],
                ledger_revision=said["ledger_revision"],
                catalog_version=said["catalog_version"],
                objects=said["objects"],
                files=files,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupError(f"The manifest of backup {name} cannot be read: {error}; use another backup.") from error

    @staticmethod
    def is_name(name: str) -> bool:
        """Whether a text can name a backup."""
        return _NAME.fullmatch(name) is not None


def _file(item: Mapping[str, Any]) -> BackupFile:
    path = str(item["path"])
    parts = path.split("/")
    # A backup that somebody made up must not write elsewhere.
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise BackupError(
            f"The backup holds a file named {path!r}, which leads out of a workspace; use another backup."
        )
    pieces = tuple(str(piece) for piece in item["pieces"])
    if any(_DIGEST.fullmatch(piece) is None for piece in (*pieces, str(item["sha256"]))):
        raise ValueError(f"a digest of {path!r} is none")
    return BackupFile(path, int(item["size_bytes"]), str(item["sha256"]), pieces)


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
