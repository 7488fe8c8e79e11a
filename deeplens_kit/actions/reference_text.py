"""A text with the names of files that went replaced by those of the files that stay.

Takes the bytes of a text and redirects, gives new bytes and what changed, line by line; all else is kept byte for byte:
encoding, mark of order, ends of lines. A name that may be part of a longer one, or that fits several files, is left and
told. Must not read or write a file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from deeplens_kit.actions.reference_names import NamedAt, Redirect, ReferenceNames, folder_of, spelt_as_bytes

__all__ = ["LeftReference", "ReferenceChange", "Rewritten", "TextRewriter", "kind_of_text"]

_KINDS = {
    "csv": ("csv", "tsv"),
    "json": ("json", "jsonl", "ndjson", "geojson", "ipynb"),
    "markup": ("html", "htm", "xhtml", "xml", "md", "markdown", "svg"),
}
_KIND_OF = {ending: kind for kind, endings in _KINDS.items() for ending in endings}

# What ends a name, or comes before one; spaces are looked at by themselves, as names hold them.
_AROUND = "\r\n\t\"'`<>|,;=()[]{}"
_START = re.compile(rf"(?<![^ {re.escape(_AROUND)}])(?=[^ {re.escape(_AROUND)}])")
_NOT_AROUND = re.compile(rf"[^{re.escape(_AROUND)}]*")
_CHECKSUM = re.compile(r"\A[0-9A-Fa-f]{32,128} [ *]\Z")
_LIST_MARK = re.compile(r"\A(?:[-*+]|\d+\.)?\s*\Z|:\s+\Z")
_OF_A_NAME = re.compile(r"\.\w{1,5}(?=\s|\Z)")
_NEXT_NAME = re.compile(r"\s*(?:\.{0,2}/|[A-Za-z][A-Za-z0-9+.-]*://)")
_ENTITIES = ("&quot;", "&#34;", "&#39;", "&apos;", "&lt;", "&gt;", "&nbsp;")
_JSON_ENDS = ("\\n", "\\t", "\\r", '\\"')
_SHOWN_CHARACTERS = 300
_LONGEST_BEFORE = 256
"""Characters before a name that are looked at; more than the longest checksum has."""

_UTF_16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class ReferenceChange:
    """A line, or a column of a table, that changes.

    Attributes:
        line: From 1; 0 in a table.
        column: Of a table; else empty.
        before: The line, or the value, as far as it is shown.
        after: The same with its new names.
        references: Names that change in it.
    """

    line: int
    column: str
    before: str
    after: str
    references: int


@dataclass(frozen=True, slots=True)
class LeftReference:
    """A name that is left as it is.

    Attributes:
        line: From 1; 0 in a table.
        column: Of a table; else empty.
        text: The name.
        why: In a sentence.
    """

    line: int
    column: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What becomes of a file.

    Attributes:
        data: What it is to hold; None where it stays as it is.
        changes: Lines that change.
        left: Names that are left.
        used: The redirects that it names, those included that are left: with them alone it comes out the same.
    """

    data: bytes | None
    changes: tuple[ReferenceChange, ...]
    left: tuple[LeftReference, ...]
    used: tuple[Redirect, ...] = ()

    @property
    def references(self) -> int:
        """Names that change."""
        return sum(change.references for change in self.changes)


def kind_of_text(name: str) -> str:
    """How a text of a name writes paths, one of `reference_names.FORMS`."""
    return _KIND_OF.get(PurePosixPath(name).suffix.lstrip(".").lower(), "text")


class TextRewriter:
    """Rewrites texts by redirects; what is known of these is made once for each kind of text.

    Args:
        redirects: Old addresses and new ones.
    """

    def __init__(self, redirects: Collection[Redirect]) -> None:
        self._redirects = redirects
        self._names: dict[tuple[str, bool], ReferenceNames] = {}

    def rewrite(self, data: bytes, address: str) -> Rewritten:
        """Rewrite a text.

        Args:
            data: All of it.
            address: Its own, from whose folder its relative names lead.
        """
        kind, (text, encoding, mark) = kind_of_text(address), _decoded(data)
        names = self.names(kind, as_bytes=encoding == "latin-1")
        found = list(_find(text, names, kind, folder_of(address)))
        changing, left, lines = [], [], _Lines(text)
        for named in found:
            why = _why_left(text, named, encoding)
            if why:
                left.append(LeftReference(lines.number(named.start), "", text[named.start : named.end], why))
            elif named.redirect is not None:
                changing.append(named)
        if not changing:
            return Rewritten(None, (), tuple(left))
        parts, at = [], 0
        for named in changing:
            parts += [text[at : named.start], named.text]
            at = named.end
        new = "".join([*parts, text[at:]])
        used = tuple(dict.fromkeys(named.redirect for named in found if named.redirect is not None))
        return Rewritten(mark + new.encode(encoding), tuple(_changes(text, changing)), tuple(left), used)

    def names(self, kind: str, *, as_bytes: bool = False) -> ReferenceNames:
        """The old places as a kind of text writes them."""
        key = kind, as_bytes
        if key not in self._names:
            spell = spelt_as_bytes if as_bytes else str
            self._names[key] = ReferenceNames(self._redirects, kind, spell)
        return self._names[key]


def _decoded(data: bytes) -> tuple[str, str, bytes]:
    """A text, the encoding that gives its bytes back, and the mark before it; "latin-1" stands for bytes."""
    for mark, encoding in _UTF_16:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), encoding, mark
            except UnicodeDecodeError:
                return data.decode("latin-1"), "latin-1", b""
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        return data[len(mark) :].decode("utf-8"), "utf-8", mark
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1", b""


def _find(text: str, names: ReferenceNames, kind: str, folder: str) -> Iterable[NamedAt]:
    done = 0
    for match in _START.finditer(text):
        start = match.start()
        # "sha256sum" writes an asterisk before the name of a file that was read as bytes.
        if text[start] == "*" and _CHECKSUM.match(
            text[max(0, start - _LONGEST_BEFORE) : start + 1].rpartition("\n")[2]
        ):
            start += 1
        if start < done:
            continue
        named = names.at(text, start, folder, lambda end: _may_end(text, end, kind))
        if named is not None:
            # One that leads nowhere must not hide another that does.
            done = named.end if named.redirect is not None else done
            yield named


def _may_end(text: str, end: int, kind: str) -> bool:
    if end == len(text) or text[end] in _AROUND or text[end] == " ":
        return True
    after = text[end + 1 : end + 2]
    if text[end] in ".:!?" and (not after or after.isspace()):
        return True
    if kind == "markup":
        return text[end] in "?#" or text.startswith(_ENTITIES, end)
    return kind == "json" and text.startswith(_JSON_ENDS, end)


def _why_left(text: str, named: NamedAt, encoding: str) -> str:
    """Why a name is left as it is; empty where it is not."""
    if named.redirect is None:
        if named.fits > 1:
            return f"it fits {named.fits:,} files that went, and leads to none of them from where it stands"
        return "it fits a file that went, but does not lead to it from where it stands"
    if named.relative and not _begins(text, named.start):
        return "it may be the end of a longer name with a space in it"
    if text[named.end : named.end + 1] == " " and not _ends(text, named.end):
        return "it may be the beginning of a longer name with a space in it"
    if not named.text:
        return "the new name has characters that may be written in several ways there"
    try:
        named.text.encode(encoding)
    except UnicodeEncodeError:
        return "the new name cannot be written in the encoding of the file"
    return ""


def _begins(text: str, start: int) -> bool:
    """Whether a name begins there, and not in the middle of one with a space."""
    if start == 0 or text[start - 1] in _AROUND:
        return True
    near = text[max(0, start - _LONGEST_BEFORE) : start]
    before = near[max(near.rfind(around) for around in _AROUND) + 1 :]
    return bool(_CHECKSUM.match(before) or _LIST_MARK.search(before))


def _ends(text: str, end: int) -> bool:
    """Whether a name ends there, and does not go on behind a space."""
    rest = _NOT_AROUND.match(text, end)
    assert rest is not None, "it matches nothing, too"
    return bool(_NEXT_NAME.match(rest[0])) or _OF_A_NAME.search(rest[0]) is None


def _changes(text: str, changing: Iterable[NamedAt]) -> Iterable[ReferenceChange]:
    by_line: dict[int, list[NamedAt]] = {}
    begin, looked = 0, 0
    for named in changing:
        begin, looked = max(begin, text.rfind("\n", looked, named.start) + 1), named.start
        by_line.setdefault(begin, []).append(named)
    lines = _Lines(text)
    for begin, found in by_line.items():
        end = text.find("\n", found[-1].end)
        before = text[begin : len(text) if end < 0 else end].rstrip("\r")
        # A long line is shown around its first name.
        shown = max(0, found[0].start - begin - _SHOWN_CHARACTERS // 2) if len(before) > _SHOWN_CHARACTERS else 0
        parts, taken = [], 0
        for named in found:
            parts += [before[taken : named.start - begin], named.text]
            taken = named.end - begin
        cut = slice(shown, shown + _SHOWN_CHARACTERS)
        yield ReferenceChange(lines.number(begin), "", before[cut], "".join([*parts, before[taken:]])[cut], len(found))


class _Lines:
    """Numbers of lines, asked for in the order of the text."""

    def __init__(self, text: str) -> None:
        self._text, self._line, self._at = text, 1, 0

    def number(self, at: int) -> int:
        self._line, self._at = self._line + self._text.count("\n", self._at, at), at
        return self._line
