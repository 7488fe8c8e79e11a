"""Files of labels: what other tools and people said of pairs, as CSV.

Takes the path of a CSV file, gives its lines as frozen values, all of them or none: what is wrong is told by line,
with what is allowed. Must not know the catalog or write to the ledger. A pair is named by two digests or by two places
(location:path); columns that are not known here are for reading only.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deeplens_kit.errors import SettingsError
from deeplens_kit.schemas import Verdict

__all__ = ["LABEL_COLUMNS", "VERDICTS", "LabelLine", "Problems", "open_table", "read_label_file"]

VERDICTS = tuple(str(verdict) for verdict in Verdict)
"""What a person can say of a pair."""

LABEL_COLUMNS = ("digest_a", "digest_b", "verdict", "who", "labelled_at", "note")
"""Columns of a file of labels that an import reads, beside `place_a` and `place_b`."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOLD = 5


@dataclass(frozen=True, slots=True)
class LabelLine:
    """A line of a file of labels.

    Attributes:
        line: Its number in the file, from 1.
        ends: Two digests, or two places as location:path.
        by_digest: Which of the two they are.
        verdict: Of `VERDICTS`.
        who: Who said it; None where the file does not say.
        labelled_at: When, UTC; None where the file does not say.
        note: In their words; may be empty.
    """

    line: int
    ends: tuple[str, str]
    by_digest: bool
    verdict: str
    who: str | None
    labelled_at: datetime | None
    note: str


@dataclass(slots=True)
class Problems:
    """What is wrong with a file, collected line by line so that one look mends all of it.

    Attributes:
        path: The file.
        found: Line and what is wrong there.
    """

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        """Note what is wrong with a line."""
        self.found.append((line, what))

    def refuse(self) -> None:
        """Do nothing where nothing is wrong.

        Raises:
            SettingsError: Something is, with the first few lines.
        """
        if not self.found:
            return
        self.found.sort()
        told = "; ".join(f"line {line}: {what}" for line, what in self.found[:_TOLD])
        more = len(self.found) - _TOLD
        raise SettingsError(
            f"Nothing was imported from {str(self.path)!r}: {told}{f'; and {more:,} more' if more > 0 else ''}."
        )


def read_label_file(path: Path) -> list[LabelLine]:
    """The labels of a CSV file.

    Args:
        path: Columns `verdict`, and `digest_a` and `digest_b` or `place_a` and `place_b`; `who`, `labelled_at` (ISO
            8601, UTC where it names no zone) and `note` where there are any. A line with a `withdrawn_at` says nothing.

    Raises:
        SettingsError: It cannot be read or a line is wrong; nothing of it counts then.
    """
    problems = Problems(path)
    found = []
    for line, row in open_table(path, ("verdict",), (("digest_a", "digest_b"), ("place_a", "place_b"))):
        if row.get("withdrawn_at"):
            continue
        label = _label(line, row, problems)
        if label is not None:
            found.append(label)
    problems.refuse()
    return found


def open_table(
    path: Path, needed: Iterable[str], one_of: Iterable[tuple[str, ...]] = ()
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file by line, each text without spaces around it.

    Args:
        path: UTF-8, with a header; separated by commas, or by semicolons where the header holds no comma.
        needed: Columns that must be there.
        one_of: Sets of columns of which one must be there.

    Raises:
        SettingsError: It cannot be read, is no such table, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            separator = ";" if ";" in head and "," not in head else ","
            reader = csv.DictReader(stream, delimiter=separator, restval="", strict=True)
            _check_columns(path, reader.fieldnames or (), needed, tuple(one_of))
            return [(reader.line_num, _stripped(path, reader.line_num, row)) for row in reader if any(row.values())]
    except OSError as error:
        raise SettingsError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{str(path)!r} is no text in UTF-8; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise SettingsError(f"{str(path)!r} is no CSV file: line {reader.line_num + 1}: {error}.") from error


def _check_columns(
    path: Path, found: Iterable[str], needed: Iterable[str], one_of: tuple[tuple[str, ...], ...]
) -> None:
    names = {str(name).strip() for name in found}
    missing = [name for name in needed if name not in names]
    if one_of and not any(names.issuperset(some) for some in one_of):
        missing.append(" or ".join(" and ".join(some) for some in one_of))
    if missing:
        there = ", ".join(sorted(names)) or "none"
        raise SettingsError(
            f"{str(path)!r} lacks the column {', '.join(missing)}; its first line must name the columns, and names "
            f"{there}."
        )


def _stripped(path: Path, line: int, row: Mapping[str | None, object]) -> dict[str, str]:
    if None in row:
        raise SettingsError(
            f"Nothing was imported from {str(path)!r}: line {line} has more cells than the first line names columns; "
            'put what holds a separator into "quotes".'
        )
    return {str(name).strip(): str(value).strip() for name, value in row.items()}


def _label(line: int, row: Mapping[str, str], problems: Problems) -> LabelLine | None:
    """A row as a label; None where it is wrong, which `problems` then holds."""
    before = len(problems.found)
    by_digest = bool(row.get("digest_a") or row.get("digest_b"))
    first, second = (row.get(f"{'digest' if by_digest else 'place'}_{end}", "") for end in ("a", "b"))
    if by_digest:
        first, second = first.lower(), second.lower()
        for text in (first, second):
            if not _DIGEST.fullmatch(text):
                problems.add(line, f"{text!r} is no digest; give 64 hexadecimal digits (the SHA-256 of the file)")
    elif not (first and second):
        problems.add(line, "it names no two pictures; give two digests, or two places as location:path")
    if first == second and first:
        problems.add(line, "it names one picture twice; a label is said of two")
    verdict = row["verdict"].lower()
    if verdict not in VERDICTS:
        problems.add(line, f"the verdict is {row['verdict']!r}; allowed: {', '.join(VERDICTS)}")
    at = _time(line, row.get("labelled_at", ""), problems)
    if len(problems.found) > before:
        return None
    return LabelLine(line, (first, second), by_digest, verdict, row.get("who") or None, at, row.get("note", ""))


def _time(line: int, text: str, problems: Problems) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        problems.add(line, f"labelled_at is {text!r}; give a time such as 2026-05-31T14:30:00Z, or leave it empty")
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
