"""The forms in which a text names a file that went: its address, as it is or as URLs, pages and JSON write it.

Takes redirects, gives where a text names one of them and what stands there instead; must not read or write a file. A
name counts as a whole token alone, and from a folder only where it leads from there to exactly that file.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["FORMS", "NamedAt", "Redirect", "ReferenceNames", "folder_of", "spelt_as_bytes"]

_FILE = "file://"
_LONGEST_PART = 1024
"""Characters of one part of a path, escaped, that are looked at; file systems take 255 bytes."""

# What makes a cell of a CSV file need quotes.
_CELL = str.maketrans("", "", '",;\t\r\n')

# What comes before the target of a link in HTML and Markdown, which is a URL.
_LINK = re.compile(r"""(?:\]\(|\b(?:src|href|poster)\s*=\s*["']?)\Z""", re.IGNORECASE)
_LINK_CHARACTERS = 16

# What RFC 3986 leaves as it is in a path; some programs escape more.
_PATH_SAFE = "/!$&'()*+,;=:@~"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a file was, and where the one that stays is.

    Attributes:
        old: Its address: an absolute path, or a URL without escapes.
        new: That of the other.
    """

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NamedAt:
    """A place in a text that names a file.

    Attributes:
        start: First character.
        end: Behind the last.
        redirect: Which file; None where the name alone fits, from nowhere that is known.
        text: What is to stand there; empty where that cannot be told.
        fits: How many old places the name fits.
        relative: Whether it is named from a folder, with nothing before it that says so.
    """

    start: int
    end: int
    redirect: Redirect | None
    text: str
    fits: int = 1
    relative: bool = False


def _plain(text: str) -> str:
    return text


def _percent(text: str) -> str:
    return quote(text, safe="/", errors="surrogateescape")


def _percent_path(text: str) -> str:
    return quote(text, safe=_PATH_SAFE, errors="surrogateescape")


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json_ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _markup(text: str) -> str:
    return escape(text, {'"': "&quot;", "'": "&#39;"})


def _markup_text(text: str) -> str:
    return escape(text)


def _doubled(text: str) -> str:
    return text.replace('"', '""')


FORMS: Mapping[str, tuple[Callable[[str], str], ...]] = {
    "text": (_plain,),
    "csv": (_plain, _doubled),
    "json": (_json, _json_ascii),
    "markup": (_plain, _percent, _percent_path, _markup, _markup_text),
}
"""How each kind of text may write a path, the plainest first."""


def folder_of(address: str) -> str:
    """The address of the folder of a file, without '/' at its end."""
    return address.rpartition("/")[0]


@dataclass(slots=True)
class _Index:
    """Old places in one form, found part by part."""

    write: Callable[[str], str]
    known: set[str] = field(default_factory=set)
    leaves: dict[str, dict[str, int]] = field(default_factory=dict)
    lengths: dict[str, Sequence[int]] = field(default_factory=dict)

    def add(self, name: str, number: int) -> None:
        at = name.find("/")
        while at >= 0:
            self.known.add(name[: at + 1])
            at = name.find("/", at + 1)
        folder, _, leaf = name.rpartition("/")
        self.leaves.setdefault(f"{folder}/" if _ else "", {})[leaf] = number

    def close(self) -> None:
        for folder, leaves in self.leaves.items():
            self.lengths[folder] = sorted({len(leaf) for leaf in leaves}, reverse=True)

    def longest(self, text: str, at: int, base: str, ends: Callable[[int], bool]) -> tuple[int, int] | None:
        """Where the longest name ends that begins at `at`, after `base`, and which it is."""
        found, prefix = [], base
        while True:
            if prefix in self.leaves:
                found.append((at, prefix))
            slash = text.find("/", at, at + _LONGEST_PART)
            if slash < 0 or prefix + text[at : slash + 1] not in self.known:
                break
            prefix, at = prefix + text[at : slash + 1], slash + 1
        for begins, folder in reversed(found):
            leaves = self.leaves[folder]
            for length in self.lengths[folder]:
                end = begins + length
                number = leaves.get(text[begins:end]) if end <= len(text) else None
                if number is not None and ends(end):
                    return end, number
        return None


class ReferenceNames:
    """The old places of redirects, in the forms of one kind of text.

    Args:
        redirects: The first of one old place counts.
        kind: One of `FORMS`.
        spell: How the text's decoding shows a path; for one that is no UTF-8, its bytes.
    """

    def __init__(self, redirects: Collection[Redirect], kind: str, spell: Callable[[str], str] = _plain) -> None:
        self._redirects = list({redirect.old: redirect for redirect in reversed(list(redirects))}.values())
        self._kind, self._spell = kind, spell
        self._indices = [_Index(form) for form in FORMS[kind]]
        self._urls, self._suffixes, self._fits = _Index(_plain), _Index(_plain), dict[str, int]()
        for number, redirect in enumerate(self._redirects):
            names: set[str] = set()
            for index in self._indices:
                name = spell(index.write(redirect.old))
                if name not in names:
                    index.add(name, number)
                names.add(name)
            for name in _urls(redirect.old):
                self._urls.add(spell(name), number)
            self._add_suffixes(redirect.old, number)
        for index in (*self._indices, self._urls, self._suffixes):
            index.close()
        # A form that writes every name as a plainer one does has none of its own.
        self._used = [index for index in self._indices if index.leaves]
        self._bases: dict[str, list[str]] = {}

    def at(self, text: str, start: int, folder: str, ends: Callable[[int], bool]) -> NamedAt | None:
        """The longest name that begins at a place of a text.

        Args:
            text: The text.
            start: Where.
            folder: The address of the folder that its relative names begin from.
            ends: Whether a name may end there.
        """
        found = [*self._whole(text, start, ends), *self._from(text, start, folder, ends)]
        if not found:
            begin, _ = _climbed(text, start, "/")
            hit = self._suffixes.longest(text, begin, "", ends)
            return hit and NamedAt(start, hit[0], None, "", self._fits[text[begin : hit[0]]], relative=True)
        end = max(named.end for named in found)
        longest = [named for named in found if named.end == end]
        texts = list(dict.fromkeys(named.text for named in longest))
        if self._kind == "csv":
            quoted = text[start - 1 : start] == '"'
            fits = [
                said for said in texts
                if ('"' not in said.replace('""', "") if quoted else said.translate(_CELL) == said)
            ]  # fmt: skip
            return replace(longest[0], text=fits[0] if len(fits) == 1 else "")
        if len(texts) == 1 or self._kind == "json":
            return longest[0]
        if self._kind == "markup" and _LINK.search(text, max(0, start - _LINK_CHARACTERS), start):
            percent = next((named for named in longest if "%" in named.text), None)
            return percent or replace(longest[0], text="")
        return replace(longest[0], text="")

    def _whole(self, text: str, start: int, ends: Callable[[int], bool]) -> Iterable[NamedAt]:
        """Names that say the whole address."""
        for index in self._used:
            if (hit := index.longest(text, start, "", ends)) is not None:
                redirect = self._redirects[hit[1]]
                for written in self._written(index.write, redirect.old, redirect.new):
                    yield NamedAt(start, hit[0], redirect, written)
        if (hit := self._urls.longest(text, start, "", ends)) is not None:
            redirect = self._redirects[hit[1]]
            yield NamedAt(start, hit[0], redirect, self._spell(_url_like(text[start : hit[0]], redirect)))

    def _from(self, text: str, start: int, folder: str, ends: Callable[[int], bool]) -> Iterable[NamedAt]:
        """Names that lead on from a folder."""
        if folder not in self._bases:
            self._bases[folder] = [self._spell(index.write(folder)) for index in self._used]
        for index, spelt in zip(self._used, self._bases[folder], strict=True):
            begin, base = _climbed(text, start, spelt)
            hit = index.longest(text, begin, f"{base}/", ends)
            if hit is None or hit[0] == start:
                continue
            redirect = self._redirects[hit[1]]
            new = _from_folder(redirect.new, folder)
            if text.startswith("./", start) and not new.startswith(("/", "../")) and "://" not in new:
                new = f"./{new}"
            for written in self._written(index.write, redirect.old, new):
                yield NamedAt(start, hit[0], redirect, written, relative=begin == start)

    def _written(self, form: Callable[[str], str], old: str, new: str) -> list[str]:
        """The new name in each form that the old one may be of."""
        return [self._spell(other(new)) for other in FORMS[self._kind] if other(old) == form(old)]

    def _add_suffixes(self, old: str, number: int) -> None:
        parts = self._spell(urlsplit(old).path if "://" in old else old).strip("/").split("/")
        for count in range(1, len(parts)):
            name = "/".join(parts[-count:])
            self._fits[name] = self._fits.get(name, 0) + 1
            self._suffixes.add(name, number)


def _climbed(text: str, start: int, folder: str) -> tuple[int, str]:
    """Where a relative name goes on after './' and '../', and the folder that it has come to."""
    while True:
        if text.startswith("../", start) and folder.count("/") > 0:
            start, folder = start + 3, folder.rpartition("/")[0]
        elif text.startswith("./", start):
            start += 2
        else:
            return start, folder


def _from_folder(address: str, folder: str) -> str:
    """An address as seen from a folder; as it is where no relative name leads there."""
    if address.startswith("/") and folder.startswith("/"):
        return posixpath.relpath(address, folder)
    if "://" not in address or "://" not in folder:
        return address
    one, other = urlsplit(address), urlsplit(folder)
    if (one.scheme, one.netloc) != (other.scheme, other.netloc):
        return address
    root = f"{one.scheme}://{one.netloc}"
    return posixpath.relpath(address[len(root) :] or "/", folder[len(root) :] or "/")


def _urls(address: str) -> set[str]:
    """The URLs of an address besides itself."""
    if address.startswith("/"):
        return {f"{_FILE}{write(address)}" for write in (_plain, _percent, _percent_path)}
    scheme, _, rest = address.partition("://")
    return {f"{scheme}://{write(rest)}" for write in (_percent, _percent_path)} - {address}


def _url_like(written: str, redirect: Redirect) -> str:
    """The URL of the new place, escaped as the old one was."""
    bare = redirect.old if redirect.old.startswith("/") else redirect.old.partition("://")[2]
    end = written.partition("://")[2]
    write = next((form for form in (_plain, _percent, _percent_path) if form(bare) == end), _percent)
    if write is _plain:
        # A name that needs no escapes may be led to one that does.
        write = _plain if _percent_path(bare) != bare else _percent_path
    if redirect.new.startswith("/"):
        return f"{_FILE}{write(redirect.new)}"
    scheme, _, rest = redirect.new.partition("://")
    return f"{scheme}://{write(rest)}"


def spelt_as_bytes(path: str) -> str:
    """A native path as a text shows it of which only the bytes are known."""
    return os.fsencode(path).decode("latin-1")
