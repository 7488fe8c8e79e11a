"""What could not be analysed, by reason, with some of the files and what to do about them.

Takes FAILURES with the names of locations, gives lines with every text that is shown; must not make HTML or read a
file.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.reporting.words import problem_words
from deeplens_kit.storage.paths import display_path

__all__ = ["FailureExample", "FailureReason", "describe_failures"]

_RETRY = "then index with `retry_failed=True`"
_ADVICE = {
    "unsupported": "Videos and drawings are counted and left alone. Pictures among them have to be converted first.",
    "not_a_picture": "Its name says picture, its bytes do not. A location's option `exclude` leaves such files out.",
    "empty": "A download or copy that broke off: fetch it again.",
    "permission": f"Give whoever indexes the right to read it, {_RETRY}.",
    "gone": "Index again: it was moved or removed meanwhile.",
    "name_too_long": "Shorten its path, then index again.",
    "io": f"Look after the storage, a disk or connection may be failing; {_RETRY}.",
    "unreadable": f"Look after the storage, {_RETRY}.",
    "corrupt": "Restore it from a backup, or fetch it again; a whole copy of it may lie elsewhere under the same name.",
    "crashed": "It is damaged, or was made to do harm: open it with care. The run was not harmed by it.",
    "timed_out": f"Raise `max_seconds` under [decode] in workspace.toml where you trust the file, {_RETRY}.",
    "placeholder": "Have the cloud's own program download it, then index again.",
    "too_large": f"Raise the limit that the message names in workspace.toml where you trust the file, {_RETRY}.",
    "changed_while_read": "Index again when nobody writes to it.",
}
_OTHERWISE = f"Read the message, mend what it names, {_RETRY}."


@dataclass(frozen=True, slots=True)
class FailureExample:
    """A file that could not be analysed; `digest` is empty where its bytes were never read."""

    location: str
    folder: str
    name: str
    ending: str
    size_bytes: int | None
    message: str
    digest: str


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Files that could not be analysed for one reason.

    Attributes:
        code: As in FAILURES.
        says: The reason in words.
        advice: What to do, with names of options between backticks.
        files: How many there are.
        bytes: Their sizes.
        locations: Names and how many there, the most first.
        examples: Some of them.
    """

    code: str
    says: str
    advice: str
    files: int
    bytes: int
    locations: tuple[tuple[str, int], ...]
    examples: tuple[FailureExample, ...]


def describe_failures(failures: pl.DataFrame, *, examples: int = 6) -> tuple[FailureReason, ...]:
    """The reasons, that of the most files first.

    Args:
        failures: FAILURES with the column location.
        examples: Files of each reason that are described: the largest, for they matter most.
    """
    order = failures.group_by("code").len().sort("len", "code", descending=[True, False])["code"]
    parts = {key[0]: part for key, part in failures.partition_by("code", as_dict=True).items()}
    return tuple(_reason(code, parts[code], examples) for code in order)


def _reason(code: str, rows: pl.DataFrame, examples: int) -> FailureReason:
    places = rows.group_by("location").len().sort("len", "location", descending=[True, False])
    folders = rows["path"].str.ends_with("/").all()
    shown = rows.sort("size_bytes", "location", "path", descending=[True, False, False], nulls_last=True).head(examples)
    return FailureReason(
        code=code,
        says=("folders: " if folders else "") + problem_words(code),
        advice=_ADVICE.get(code, _OTHERWISE),
        files=rows.height,
        bytes=int(rows["size_bytes"].fill_null(0).sum()),
        locations=tuple((display_path(name), count) for name, count in places.iter_rows()),
        examples=tuple(_example(row) for row in shown.iter_rows(named=True)),
    )


def _example(row: dict[str, object]) -> FailureExample:
    folder, slash, name = str(row["path"]).rstrip("/").rpartition("/")
    _, dot, ending = name.rpartition(".")
    size = row["size_bytes"]
    return FailureExample(
        location=display_path(str(row["location"] or "")),
        folder=display_path(folder) + slash,
        name=display_path(name),
        ending=display_path(ending).upper()[:6] if dot else "",
        size_bytes=int(str(size)) if size is not None else None,
        message=str(row["message"]),
        digest=str(row["digest"] or ""),
    )
