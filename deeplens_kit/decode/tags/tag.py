"""One tag, and all tags of a picture: frozen, bounded, and silent about what is private where they are printed.

Takes names and texts out of untrusted blocks, gives values that travel as JSON; must not interpret them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from deeplens_kit.decode.tags.sensitive import SENSITIVE_KINDS, SensitiveKind, kind_of, shown_value

__all__ = [
    "MAX_MAKER_NOTE_BYTES",
    "MAX_NAME_CHARACTERS",
    "MAX_TAGS",
    "MAX_TEXT_CHARACTERS",
    "MAX_VALUE_CHARACTERS",
    "PictureTags",
    "Tag",
    "TagList",
    "clean_text",
]

# Own bounds, inclusive: a picture with some dozen blocks of metadata stays far below them.
MAX_TAGS = 2_000
MAX_NAME_CHARACTERS = 120
MAX_VALUE_CHARACTERS = 2_000
MAX_TEXT_CHARACTERS = 128 * 1024
MAX_MAKER_NOTE_BYTES = 64 * 1024
_MAX_PROBLEMS = 20
_MAKER_NOTE = "MakerNote"


@dataclass(frozen=True, slots=True, repr=False)
class Tag:
    """One thing that a file says about itself.

    Attributes:
        group: The block: "EXIF", "GPS", "XMP", "IPTC", "ICC", or a format for its own texts ("PNG", "JPEG").
        name: As its standard names it; in XMP with prefixes, structures as "outer/inner".
        value: As text; values of a list are joined by "; ".
        sensitive: What it tells of a person, place or device; "" where nothing.
    """

    group: str
    name: str
    value: str
    sensitive: SensitiveKind = ""

    def __repr__(self) -> str:
        # A tag that ends up in a log line or a traceback must not tell what is private.
        return f"Tag({self.group}, {self.name}, {shown_value(self)!r})"


@dataclass(frozen=True, slots=True)
class PictureTags:
    """Everything that a file says about itself.

    Attributes:
        rows: Group, name, value and kind of what is private, of each tag in the order of the file: what `tags` is made
            of when somebody looks at it, because most pictures of a run are only written down.
        problems: What could not be read, in short words, for example "XMP is no XML".
        maker_note: The camera maker's own block as it is stored, up to `MAX_MAKER_NOTE_BYTES`; None where there is
            none, or a longer one, of which a tag keeps length and SHA-256. It holds what its maker likes, also serial
            numbers and places: private as a whole.
    """

    rows: tuple[tuple[str, str, str, SensitiveKind], ...] = field(default=(), repr=False)
    problems: tuple[str, ...] = ()
    maker_note: bytes | None = field(default=None, repr=False)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags, in the order of the file."""
        return tuple(Tag(*row) for row in self.rows)

    def value(self, group: str, name: str) -> str:
        """The value of a tag, private or not; "" where it is missing."""
        return next((row[2] for row in self.rows if row[1] == name and row[0] == group), "")

    def tags_json(self) -> str:
        """The tags as one JSON text: a list of [group, name, value, kind of what is private]."""
        return json.dumps(self.rows, ensure_ascii=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; the bytes of `maker_note` travel beside them."""
        return {"tags": self.tags_json(), "problems": list(self.problems)}

    @classmethod
    def from_json(cls, values: dict[str, Any], maker_note: bytes | None = None) -> PictureTags:
        """What `to_json` gave.

        Raises:
            ValueError: It is none.
        """
        try:
            rows = json.loads(values["tags"])
            judged = tuple(_judged_again(*map(str, row)) for row in rows)
            return cls(judged, tuple(map(str, values["problems"])), maker_note)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no tags of a picture: {error}") from error


def _judged_again(group: str, name: str, value: str, kept: str) -> tuple[str, str, str, SensitiveKind]:
    # What a later release knows to be private is private in what an earlier one stored, and the other way round.
    known: SensitiveKind = next((kind for kind in SENSITIVE_KINDS if kind == kept), "")
    return group, name, value, kind_of(group, name, value) or known


class TagList:
    """Collects tags within the bounds; what is too much is left out and noted."""

    def __init__(self) -> None:
        # A tag that comes twice, as IPTC does in TIFF and in Photoshop's resources, is one.
        self._kinds: dict[tuple[str, str, str], SensitiveKind] = {}
        self._characters = 0
        self._problems: dict[str, None] = {}
        self._maker_note: bytes | None = None

    def add(self, group: str, name: str, value: str) -> None:
        """Take a tag, on one line and cut where it is too long; one without a value is passed over."""
        # More than is kept, so that an address that the cut goes through is known for one.
        value = value[: 2 * MAX_VALUE_CHARACTERS]
        if not value.isascii() or not value.isprintable() or "  " in value:
            value = clean_text(value)
        value = value.strip()
        if not value:
            return
        kind = kind_of(group, name, value)
        if len(value) > MAX_VALUE_CHARACTERS:
            value = value[: MAX_VALUE_CHARACTERS - 1] + "…"
            self.note(f"{group} has a value that was cut")
        self._characters += len(name) + len(value)
        if self._characters > MAX_TEXT_CHARACTERS or len(self._kinds) >= MAX_TAGS:
            self.note("more tags than are kept")
            return
        self._kinds[group, name, value] = kind

    def add_named(self, group: str, name: str, value: str) -> None:
        """As `add`, of a tag whose name comes from the file too."""
        name = clean_text(name[: 2 * MAX_NAME_CHARACTERS]) or "?"
        if len(name) > MAX_NAME_CHARACTERS:
            name = name[: MAX_NAME_CHARACTERS - 1] + "…"
        self.add(group, name, value)

    def note(self, problem: str) -> None:
        """Note what could not be read, once."""
        if len(self._problems) < _MAX_PROBLEMS:
            self._problems[problem] = None

    def keep_maker_note(self, raw: bytes, size_bytes: int) -> None:
        """Keep the maker's block raw, or length and SHA-256 of one that is too long.

        Args:
            raw: The block.
            size_bytes: Its length.
        """
        said = f"{size_bytes} bytes"
        if size_bytes <= MAX_MAKER_NOTE_BYTES:
            self._maker_note = raw
        else:
            said = f"{said}, not kept, SHA-256 {hashlib.sha256(raw).hexdigest()}"
            self.note("the maker note is too long to be kept")
        self.add("EXIF", _MAKER_NOTE, said)

    def found(self) -> PictureTags:
        """Everything that was taken."""
        rows = tuple((*key, kind) for key, kind in self._kinds.items())
        return PictureTags(rows, tuple(self._problems), self._maker_note)


def clean_text(text: str) -> str:
    """A text on one line: no control characters, surrogates or runs of blanks."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join("".join(c if c.isprintable() and c != "\ufffd" else " " for c in text).split())
