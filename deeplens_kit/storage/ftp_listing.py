"""What servers of FTP say about files: facts for programs (RFC 3659) and lines for people.

Takes single lines and gives values; must not ask a server. A line that is not understood is an error, never an object
left out in silence.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

__all__ = ["Fact", "LineUnknownError", "Row", "moment", "parse_facts", "parse_line"]

# -rw-r--r--    1 owner    group          1234 Nov 30 20:11 name; links may be missing, owners may hold spaces.
_UNIX = re.compile(
    r"([a-z-])[rwxsStTlL-]{9}[.+@]?\s.*?\s(\d+)\s+\S{3,}\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4}) (.+)", re.DOTALL
)
# Devices have two numbers where files have a size.
_DEVICE = re.compile(r"[bcps][rwxsStTlL-]{9}.*")
# 11-30-26  08:11PM       <DIR>          name
_DOS = re.compile(r"\d{2}-\d{2}-\d{2,4}\s+\d{1,2}:\d{2}\s*(?:[AP]M)?\s+(<[A-Z]+>|\d+)\s+(.+)", re.DOTALL)
_MOMENT_DIGITS = 14


class LineUnknownError(Exception):
    """A line of a listing that we cannot read."""


class Fact(NamedTuple):
    """One name with its facts.

    Attributes:
        name: As the server gave it.
        facts: By their lower-case names.
    """

    name: str
    facts: dict[str, str]


class Row(NamedTuple):
    """One line for people.

    Attributes:
        kind: file, folder, link or special.
        name: As the server gave it.
        size_bytes: Of a file; 0 of others.
    """

    kind: str
    name: str
    size_bytes: int


def parse_facts(line: str) -> Fact:
    """Read `type=file;size=3;modify=20261130201100; name`.

    Raises:
        LineUnknownError: It is none.
    """
    told, blank, name = line.partition(" ")
    if not blank or not name or (told and not told.endswith(";")):
        raise LineUnknownError(line)
    facts = {}
    for fact in told.split(";")[:-1]:
        key, _, value = fact.partition("=")
        facts[key.lower()] = value
    return Fact(name, facts)


def parse_line(line: str) -> Row | None:
    """Read a line as `ls -l` or DOS write it; None for the one that counts blocks.

    Raises:
        LineUnknownError: It is neither.
    """
    if line.startswith("total "):
        return None
    unix = _UNIX.fullmatch(line)
    if unix is not None:
        kind, size, name = unix.groups()
        if kind == "l":
            return Row("link", name.partition(" -> ")[0], 0)
        named = {"-": "file", "d": "folder"}.get(kind, "special")
        return Row(named, name, int(size) if named == "file" else 0)
    if _DEVICE.fullmatch(line):
        return Row("special", line, 0)
    dos = _DOS.fullmatch(line)
    if dos is None:
        raise LineUnknownError(line)
    size, name = dos.groups()
    if size.isdigit():
        return Row("file", name, int(size))
    return Row({"<DIR>": "folder"}.get(size, "link"), name, 0)


def moment(text: str | None) -> datetime | None:
    """A time as FTP writes it, YYYYMMDDHHMMSS with a fraction or without, UTC; None where it is no such time."""
    whole, fraction = text or "", ""
    if len(whole) != _MOMENT_DIGITS:
        whole, _, fraction = whole.strip().partition(".")
    if len(whole) != _MOMENT_DIGITS or not whole.isdecimal() or (fraction and not fraction.isdecimal()):
        return None
    try:
        at = datetime.fromisoformat(f"{whole[:8]}T{whole[8:]}+00:00")
    except ValueError:
        return None
    return at.replace(microsecond=int(fraction.ljust(6, "0")[:6])) if fraction else at
