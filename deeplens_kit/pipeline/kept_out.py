"""Pictures that were forgotten and must not come back: what later runs leave out.

Takes a workspace's folder and digests, gives yes or no; writes one file into that folder and nothing else. Of a picture
the file has a keyed hash of its digest alone: who does not have the very picture learns nothing of it from there. A
picture is kept out wherever it lies, or one object alone, for as long as it holds that picture.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deeplens_kit.errors import ObjectKeptOutError, SettingsError
from deeplens_kit.search.cache_files import alone_in, write_json

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
_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class KeptOutEntry:
    """One picture that is kept out.

    Attributes:
        mark: HMAC-SHA256 of its digest, 64 hexadecimal digits; of one object alone of its id as well.
        at: Since when, UTC.
        who: Who asked for it, as user@host.
        location_id: Where the object lies that alone is kept out; empty where the picture is, wherever it lies.
    """

    mark: str
    at: datetime
    who: str
    location_id: str = ""

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
        let_in: How often something was let in again.
    """

    key: bytes = b""
    entries: tuple[KeptOutEntry, ...] = ()
    let_in: int = 0
    _marks: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_marks", frozenset(entry.mark for entry in self.entries))

    @property
    def version(self) -> str:
        """Another one whenever something was let in again: what was kept out until then has to be looked at anew."""
        return hashlib.sha256(self.key + str(self.let_in).encode()).hexdigest()[:16]

    def mark(self, digest: str, object_id: str = "") -> str:
        """The keyed hash of a digest, or of a digest at one object."""
        return hmac.new(self.key, bytes.fromhex(digest) + object_id.encode(), hashlib.sha256).hexdigest()

    def covers(self, digest: str, object_id: str = "") -> bool:
        """Whether a picture is kept out, wherever it lies or at this object."""
        if not self._marks:
            return False
        return self.mark(digest) in self._marks or (bool(object_id) and self.mark(digest, object_id) in self._marks)


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
            KeptOutEntry(
                str(item["mark"]),
                datetime.fromisoformat(item["at"]),
                str(item["who"]),
                str(item.get("location_id", "")),
            )
            for item in document["entries"]
        ]
        return KeptOut(bytes.fromhex(document["key"]), tuple(entries), int(document.get("let_in", 0)))
    except FileNotFoundError:
        return KeptOut()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"Cannot read {str(file)!r}, which says what is kept out: {error}. Restore it from a backup; without it, "
            "what was to stay out would come back."
        ) from error


def add_kept_out(directory: Path, digest: str, who: str, *, object_id: str = "") -> KeptOutEntry:
    """Keep a picture out from now on; one that is kept out already stays as it is.

    Args:
        directory: Of the workspace.
        digest: The picture.
        who: Who asks for it.
        object_id: LOCATION_ID/path: keep out this object alone; empty for the picture wherever it lies.

    Raises:
        SettingsError: The file cannot be read or written.
    """
    with _alone(directory):
        kept = load_kept_out(directory)
        kept = KeptOut(kept.key or secrets.token_bytes(_KEY_BYTES), kept.entries, kept.let_in)
        mark = kept.mark(digest, object_id)
        for entry in kept.entries:
            if entry.mark == mark:
                return entry
        made = KeptOutEntry(mark, datetime.now(UTC), who, object_id.partition("/")[0])
        _save(directory, KeptOut(kept.key, (*kept.entries, made), kept.let_in))
        return made


def remove_kept_out(directory: Path, *entries: KeptOutEntry) -> None:
    """Keep pictures out no longer.

    Raises:
        SettingsError: The file cannot be read or written.
    """
    gone = {entry.mark for entry in entries}
    with _alone(directory):
        kept = load_kept_out(directory)
        left = tuple(item for item in kept.entries if item.mark not in gone)
        _save(directory, KeptOut(kept.key, left, kept.let_in + 1))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Have no other process read and write the file meanwhile."""
    try:
        with alone_in(directory, wait_seconds=_WAIT_SECONDS) as alone:
            if not alone:
                raise SettingsError(
                    f"Another process changes {KEPT_OUT_FILE} of {str(directory)!r} for {_WAIT_SECONDS:g} s already; "
                    "try again."
                )
            yield
    except OSError as error:
        raise SettingsError(f"Cannot write into {str(directory)!r}: {error.strerror or error}.") from error


def kept_out_error() -> ObjectKeptOutError:
    """What is said of a file that holds such a picture."""
    return ObjectKeptOutError(
        "The picture was forgotten and is kept out; `deeplens kept-out withdraw` with the file itself lets it in again."
    )


def _save(directory: Path, kept: KeptOut) -> None:
    entries = [
        {"mark": item.mark, "at": item.at.isoformat(), "who": item.who}
        | ({"location_id": item.location_id} if item.location_id else {})
        for item in kept.entries
    ]
    file = directory / KEPT_OUT_FILE
    try:
        write_json(file, {"format": _FORMAT, "key": kept.key.hex(), "let_in": kept.let_in, "entries": entries})
    except OSError as error:
        raise SettingsError(f"Cannot write {str(file)!r}: {error.strerror or error}.") from error
