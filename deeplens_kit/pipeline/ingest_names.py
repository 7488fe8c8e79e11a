"""Where an ingested picture goes: a path made of a template and of what is known of the picture.

Takes a template and facts, gives a path that is safe whatever the facts hold: relative, no part hidden, empty, '..' or
too long, in one spelling (NFC), without letters that some storage refuses. Must not look at a storage.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.storage.globs import path_matcher

__all__ = ["FIELDS", "TEMPLATE", "PathFacts", "PathTemplate", "is_left_out", "numbered"]

TEMPLATE = "{collection}/{yyyy}/{mm}/{digest}.{ext}"
"""Without a collection its part falls away."""

FIELDS = ("collection", "yyyy", "mm", "dd", "digest", "digest2", "name", "ext")

_LONGEST_PART_BYTES = 200  # file systems take 255; some room for "-99" and for how others count
_LONGEST_PATH_BYTES = 1000  # object stores take 1,024
_DIGEST2 = 2
# No storage that we know of takes them all: SMB and Windows refuse most of these.
_NOT_TAKEN = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]')
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cn", "Co", "Zl", "Zp"})
# Of DOS, and still no names of files on Windows, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)", re.IGNORECASE)
_EXTENSIONS = {"JPEG": "jpg", "JPEG2000": "jp2", "HEIF": "heic", "PNM": "pnm", "TIFF": "tif"}
# A camera's files say by their ending whose they are, and programs go by it.
_RAW_ENDING = re.compile(
    r"\.(3fr|arw|cr2|cr3|crw|dcr|dng|erf|iiq|kdc|mef|mos|mrw|nef|nrw|orf|pef|raf|raw|rw2|rwl|sr2|srf|srw|x3f)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What a path can be made of.

    Attributes:
        collection: Name of the collection; empty for none.
        at: When it was ingested, UTC.
        digest: SHA-256, hexadecimal.
        name: The name that it came with.
        format: As sniffed, for example "JPEG".
    """

    collection: str
    at: datetime
    digest: str
    name: str
    format: str

    @property
    def extension(self) -> str:
        """The usual ending of the format, whatever the name said."""
        ending = _RAW_ENDING.search(self.name) if self.format == "RAW" else None
        return ending[1].lower() if ending else _EXTENSIONS.get(self.format, self.format.lower())

    def value(self, field: str) -> str:
        """What stands for a field."""
        if field in ("yyyy", "mm", "dd"):
            return self.at.strftime({"yyyy": "%Y", "mm": "%m", "dd": "%d"}[field])
        if field == "name":
            # A name that is given by hand, or comes with a link, may hold folders.
            name = self.name.replace("\\", "/").rpartition("/")[2]
            stem, dot, _ = name.rpartition(".")
            return stem if dot and _trimmed(stem) else name
        return {
            "collection": self.collection,
            "digest": self.digest,
            "digest2": self.digest[:_DIGEST2],
            "ext": self.extension,
        }[field]


class PathTemplate:
    """A template that was checked.

    Args:
        text: Literals and fields in braces, '/' between folders.

    Raises:
        UnknownNameError: A field that does not exist.
        SettingsError: It is no template, is absolute, leads upwards, or gives all pictures one name.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._pieces = [list(_pieces(part, text)) for part in text.split("/")]
        used = {field for part in self._pieces for _, field in part}
        if text.startswith("/") or any(part in (".", "..") for part in text.split("/")):
            raise SettingsError(f"The template {text!r} must lead down from the location: no '/' first, no '..' parts.")
        last = {field for _, field in self._pieces[-1]}
        if not used & {"digest", "name"} or not last - {""}:
            raise SettingsError(
                f"The template {text!r} gives many pictures one name; use {{digest}} or {{name}}, as in {TEMPLATE!r}."
            )

    def path(self, facts: PathFacts) -> str:
        """The path of a picture.

        Raises:
            SettingsError: It would be longer than storages take.
        """
        parts = [_part(pieces, facts) for pieces in self._pieces]
        # The last part names the file: where nothing of it is left the digest does.
        parts[-1] = parts[-1] or facts.digest
        path = "/".join(part for part in parts if part)
        # Whatever came before: nothing is ever stored under a name that leads upwards or is hidden.
        if any(part.startswith(".") for part in path.split("/")):
            raise SettingsError(f"The template {self.text!r} makes the path {path!r}, which is hidden; use {{digest}}.")
        if len(path.encode()) > _LONGEST_PATH_BYTES:
            raise SettingsError(
                f"The template {self.text!r} makes a path of {len(path.encode()):,} bytes; storages take "
                f"{_LONGEST_PATH_BYTES:,}. Use fewer fields."
            )
        return path


def numbered(path: str, number: int) -> str:
    """The same path with a number before its ending: "a/b-2.jpg"; 1 is the path itself."""
    if number == 1:
        return path
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    return f"{folder}{slash}{stem}-{number}.{ending}" if dot else f"{folder}{slash}{name}-{number}"


def is_left_out(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether an index run would pass over this path, so that what is stored there would never be seen."""
    included, excluded = path_matcher("include", include), path_matcher("exclude", exclude)
    parts = path.split("/")
    folders = ["/".join(parts[:depth]) + "/" for depth in range(1, len(parts))]
    if excluded is not None and any(excluded(item) for item in (*folders, path)):
        return True
    return included is not None and not included(path)


def _pieces(part: str, text: str) -> Iterator[tuple[str, str]]:
    """Literals, each with the field that follows it; the last may have none."""
    try:
        parsed = list(string.Formatter().parse(part))
    except ValueError as error:
        raise SettingsError(f"The template {text!r} cannot be read: {error}; write fields as {{digest}}.") from error
    for literal, field, form, conversion in parsed:
        if field is None:
            yield literal, ""
            continue
        if field not in FIELDS:
            raise UnknownNameError("field of a template", field, FIELDS)
        if form or conversion:
            raise SettingsError(f"The template {text!r} gives {field!r} a form; fields stand alone, as in {{{field}}}.")
        yield literal, field


def _part(pieces: Sequence[tuple[str, str]], facts: PathFacts) -> str:
    text = "".join(literal + (_safe(facts.value(field)) if field else "") for literal, field in pieces)
    return _named(_safe(text))


def _safe(text: str) -> str:
    """A text without what does not belong into a name."""
    text = unicodedata.normalize("NFC", _NOT_TAKEN.sub("_", text))
    return "".join("_" if unicodedata.category(letter) in _NOT_SHOWN else letter for letter in text)


def _named(text: str) -> str:
    """A part of a path: not hidden, not '..', no blanks or dots at its ends, not too long, no device of Windows."""
    text = _trimmed(text)
    if len(text.encode()) > _LONGEST_PART_BYTES:
        stem, dot, ending = text.rpartition(".")
        if not dot or len(ending) > 8:
            stem, ending = text, ""
        room = _LONGEST_PART_BYTES - len((dot + ending).encode()) if ending else _LONGEST_PART_BYTES
        cut = _trimmed(unicodedata.normalize("NFC", stem.encode()[:room].decode(errors="ignore")))
        text = f"{cut}.{ending}" if ending else cut
    return f"_{text}" if _RESERVED.match(text) else text


def _trimmed(text: str) -> str:
    """Without blanks of any kind and dots at its ends, in whatever order they stand there."""
    first, last = 0, len(text)
    while first < last and (text[first] == "." or text[first].isspace()):
        first += 1
    while first < last and (text[last - 1] == "." or text[last - 1].isspace()):
        last -= 1
    return text[first:last]
