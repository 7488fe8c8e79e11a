"""Where backups lie: pieces of files named by their SHA-256, and a manifest for each backup.

Takes a place that any kind of location can open, gives and keeps bytes; must not change what lies there, and removes
of it only what it is told to.
A piece that is there already is not sent again, so that a backup costs what changed since the last. What was sent is
read back before a manifest speaks of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote_to_bytes

from deeplens_kit.errors import BackupError, LimitExceededError, ObjectExistsError, ObjectGoneError
from deeplens_kit.ledger import refuse_secrets
from deeplens_kit.pipeline.backup_manifest import BackupFile, BackupManifest
from deeplens_kit.storage import Permission, open_location
from deeplens_kit.telemetry import redact

__all__ = ["PIECE_BYTES", "BackupStore"]

PIECE_BYTES = 32 * 2**20
"""Files are cut so: a piece is held in memory, and a large table that grew shares all but its last ones."""

_MANIFESTS, _PIECES, _ENDING = "backups", "pieces", ".json"
_MANIFEST_BYTES = 2**30
_LOCAL = "file://"
_NAME = "backup"


class BackupStore:
    """A place of backups; use it as a context manager.

    Args:
        url: A folder, or a URL as locations have it.
        options: Of its kind of storage, credentials as references.
        create: Whether a backup is to be made there; a local folder is made where missing.
        remove: Whether backups are to be removed there.

    Raises:
        SettingsError: The URL or an option is not allowed, or a credential stands in clear.
        LocationUnavailableError: It cannot be reached.
    """

    def __init__(
        self, url: str, options: Mapping[str, object] | None = None, *, create: bool = False, remove: bool = False
    ) -> None:
        given = dict(options or {})
        refuse_secrets(_NAME, url if "://" in url else "", given)
        if remove:
            given["permissions"] = Permission.CHANGE.value
        elif create:
            # Whoever asks for a backup opens the place for new files by that.
            given.setdefault("permissions", Permission.CREATE.value)
        self._kind = open_location("", _NAME, url, given)
        self.url = redact(self._kind.url)
        if create and self._kind.url.startswith(_LOCAL):
            Path(os.fsdecode(unquote_to_bytes(self._kind.url.removeprefix(_LOCAL)))).mkdir(parents=True, exist_ok=True)
        self._kind.check()
        self._sizes: dict[str, int] = {}
        if create:
            listing = self._kind.list()
            self._sizes = dict(zip(listing.frame["path"], listing.frame["size_bytes"], strict=True))
        self.sent_bytes = 0

    def names(self) -> list[str]:
        """The backups that are there, the latest last."""
        prefix = f"{_MANIFESTS}/"
        paths = [path for path in self._kind.list(exclude=(f"{_PIECES}/**",)).frame["path"] if path.startswith(prefix)]
        names = (path.removeprefix(prefix).removesuffix(_ENDING) for path in paths if path.endswith(_ENDING))
        return sorted(name for name in names if BackupManifest.is_name(name))

    def manifest(self, name: str = "") -> BackupManifest:
        """The manifest of a backup; of the latest by default.

        Raises:
            BackupError: There is none, or it is damaged.
        """
        if not name:
            names = self.names()
            if not names:
                raise BackupError(f"There is no backup at {self.url!r}; `deeplens backup URL` makes one.")
            name = names[-1]
        if not BackupManifest.is_name(name):
            raise BackupError(f"{name!r} names no backup; `deeplens backup list URL` has those that there are.")
        try:
            content = self._kind.read(f"{_MANIFESTS}/{name}{_ENDING}", max_bytes=_MANIFEST_BYTES)
        except ObjectGoneError as error:
            known = ", ".join(self.names()) or "none"
            raise BackupError(f"There is no backup {name} at {self.url!r}; known: {known}.") from error
        return BackupManifest.of_bytes(content, name)

    def keep(self, manifest: BackupManifest) -> None:
        """Store the manifest of a backup whose pieces are there."""
        self._send(f"{_MANIFESTS}/{manifest.name}{_ENDING}", manifest.as_bytes())

    def put(self, file: Path, path: str) -> BackupFile:
        """Store a file.

        Args:
            file: Of this machine.
            path: Under which the backup names it.

        Raises:
            BackupError: What is there under the name of a piece, or came back, is something else.
            StoreFullError: No space there.
        """
        whole, size, pieces = hashlib.sha256(), 0, []
        with file.open("rb") as stream:
            while content := stream.read(PIECE_BYTES):
                whole.update(content)
                size += len(content)
                pieces.append(self._piece(content))
        return BackupFile(path, size, whole.hexdigest(), tuple(pieces))

    def contents(self, file: BackupFile) -> Iterator[bytes]:
        """The pieces of a file in order, each proved by its digest and the file by its own.

        Raises:
            BackupError: One is missing or damaged.
        """
        whole, size = hashlib.sha256(), 0
        for digest in file.pieces:
            content = self._fetch(digest)
            if content is None or hashlib.sha256(content).hexdigest() != digest:
                how = "is missing" if content is None else "is damaged"
                raise BackupError(
                    f"A piece ({digest[:12]}…) of {file.path} {how} in the backup at {self.url!r}; use another backup."
                )
            whole.update(content)
            size += len(content)
            yield content
        if whole.hexdigest() != file.sha256 or size != file.size_bytes:
            raise BackupError(f"{file.path} is not whole in the backup at {self.url!r}; use another backup.")

    def missing_of(self, manifest: BackupManifest) -> list[str]:
        """Pieces of a backup that are not there now."""
        there = set(self._kind.list().frame["path"])
        return sorted({piece for file in manifest.files for piece in file.pieces if _place(piece) not in there})

    def remove(self, manifest: BackupManifest, kept: Collection[str]) -> int:
        """Remove a backup, its manifest last: ended in between, it can be removed again.

        Args:
            manifest: Of the backup.
            kept: Pieces that others need.

        Returns:
            Bytes that were removed.
        """
        freed = 0
        for piece in sorted({piece for file in manifest.files for piece in file.pieces} - set(kept)):
            freed += self._gone(_place(piece))
        return freed + self._gone(f"{_MANIFESTS}/{manifest.name}{_ENDING}")

    def _gone(self, path: str) -> int:
        try:
            state = self._kind.stat(path)
            self._kind.remove(path, expected=state)
        except ObjectGoneError:
            return 0
        return state.size_bytes

    def _piece(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = _place(digest)
        found = self._sizes.get(path)
        if found is None:
            self._send(path, content)
        elif found != len(content):
            raise BackupError(
                f"{path} at {self.url!r} has {found:,} bytes instead of {len(content):,}: it is damaged; remove it "
                "there and run again."
            )
        return digest

    def _send(self, path: str, content: bytes) -> None:
        # Beside us another process may have made the same piece.
        with contextlib.suppress(ObjectExistsError):
            self._kind.create(path, content)
        if self._kind.read(path, max_bytes=len(content)) != content:
            raise BackupError(f"{path} did not come back from {self.url!r} as it was sent; the backup is not made.")
        self._sizes[path] = len(content)
        self.sent_bytes += len(content)

    def _fetch(self, digest: str) -> bytes | None:
        try:
            return self._kind.read(_place(digest), max_bytes=PIECE_BYTES)
        except ObjectGoneError:
            return None
        except LimitExceededError as error:
            raise BackupError(f"{_place(digest)} at {self.url!r} is larger than a piece: it is damaged.") from error

    def close(self) -> None:
        """Give connections back."""
        self._kind.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _place(digest: str) -> str:
    # Two digits are a folder: 256 of them, so that none grows too large for a file system.
    return f"{_PIECES}/{digest[:2]}/{digest}"
