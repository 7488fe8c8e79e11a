"""Pictures that were forgotten and must not come back: what later runs leave out.

Takes a workspace's folder and digests, gives yes or no; writes one file into that folder and nothing else. Of a picture
the file has a keyed hash of its digest alone: who does not have the very picture learns nothing of it from there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deeplens_kit.errors import ObjectKeptOutError, SettingsError
from deeplens_kit.search.cache_files import write_json

__all__ = [
    "KEPT_OUT_FILE",
    "KeptOut",
    "KeptOutEntry",
    "add_kept_out",
    "kept_out_error",
    "load_kept_out",
    "remove_kept_out",
]

KEPT_OUT_FILE = "kept-out.json"
"""Of a workspace; it lies beside `workspace.toml`, is backed up, and is no cache."""

_FORMAT = "deeplens-kept-out/1"
_KEY_BYTES = 32
_ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class KeptOutEntry:
    """One picture that is kept out.

    Attributes:
        mark: HMAC-SHA256 of its digest, 64 hexadecimal digits.
        at: Since when, UTC.
        who: Who asked for it, as user@host.
    """

    mark: str
    at: datetime
    who: str

    @property
    def entry_id(self) -> str:
        """How people name it: it says nothing of the picture."""
        return self.mark[:_ID_DIGITS]


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What is kept out of a workspace.

    Attributes:
        key: Of the hashes; random, and of this workspace alone.
        entries: The oldest first.
    """

    key: bytes = b""
    entries: tuple[KeptOutEntry, ...] = ()
    _marks: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_marks", frozenset(entry.mark for entry in self.entries))

    @property
    def version(self) -> str:
        """Another one whenever another set of pictures is kept out."""
        return hashlib.sha256("\n".join(sorted(self._marks)).encode()).hexdigest()[:16]

    def mark(self, digest: str) -> str:
        """The keyed hash of a digest."""
        return hmac.new(self.key, bytes.fromhex(digest), hashlib.sha256).hexdigest()

    def covers(self, digest: str) -> bool:
        """Whether a picture is kept out."""
        return bool(self._marks) and self.mark(digest) in self._marks


def load_kept_out(directory: Path) -> KeptOut:
    """What is kept out of the workspace of a folder.

    Raises:
        SettingsError: The file cannot be read: then nobody knows what must stay out, so nothing may be taken in.
    """
    file = directory / KEPT_OUT_FILE
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {_FORMAT!r}")
        entries = [
            KeptOutEntry(str(item["mark"]), datetime.fromisoformat(item["at"]), str(item["who"]))
            for item in document["entries"]
        ]
        return KeptOut(bytes.fromhex(document["key"]), tuple(entries))
    except FileNotFoundError:
        return KeptOut()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"Cannot read {str(file)!r}, which says what is kept out: {error}. Restore it from a backup; without it, "
            "what was to stay out would come back."
        ) from error


def add_kept_out(directory: Path, digest: str, who: str) -> KeptOutEntry:
    """Keep a picture out from now on; one that is kept out already stays as it is.

    Raises:
        SettingsError: The file cannot be read or written.
    """
    kept = load_kept_out(directory)
    kept = KeptOut(kept.key or secrets.token_bytes(_KEY_BYTES), kept.entries)
    mark = kept.mark(digest)
    for entry in kept.entries:
        if entry.mark == mark:
            return entry
    made = KeptOutEntry(mark, datetime.now(UTC), who)
    _save(directory, KeptOut(kept.key, (*kept.entries, made)))
    return made


def remove_kept_out(directory: Path, entry: KeptOutEntry) -> None:
    """Keep a picture out no longer.

    Raises:
        SettingsError: The file cannot be read or written.
    """
    kept = load_kept_out(directory)
    _save(directory, KeptOut(kept.key, tuple(item for item in kept.entries if item.mark != entry.mark)))


def kept_out_error() -> ObjectKeptOutError:
    """What is said of a file that holds such a picture."""
    return ObjectKeptOutError(
        "The picture was forgotten and is kept out; `deeplens kept-out withdraw` with the file itself lets it in again."
    )


def _save(directory: Path, kept: KeptOut) -> None:
    entries = [{"mark": item.mark, "at": item.at.isoformat(), "who": item.who} for item in kept.entries]
    file = directory / KEPT_OUT_FILE
    try:
        write_json(file, {"format": _FORMAT, "key": kept.key.hex(), "entries": entries})
    except OSError as error:
        raise SettingsError(f"Cannot write {str(file)!r}: {error.strerror or error}.") from error
