"""Decisions in a file: CSV or JSON, to be read elsewhere and taken back.

Takes a path or a frame, gives the other one; must not know what a decision does. What does not fit is refused with the
place where it stands.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline.deciding import EXPORTED
from deeplens_kit.schemas import DECISIONS

__all__ = ["DECISION_ENDINGS", "decisions_as_file", "read_decisions"]

DECISION_ENDINGS = (".csv", ".json")
"""Of files of decisions: what a name ends in says how it is written."""


def decisions_as_file(decisions: pl.DataFrame, ending: str) -> bytes:
    """The columns `EXPORTED` of decisions as the content of a file.

    Raises:
        UnknownNameError: No file of decisions ends so.
    """
    _known(ending)
    rows = decisions.select(EXPORTED).with_columns(pl.col("at").dt.to_string("iso:strict"))
    if ending.lower() == ".json":
        return json.dumps({"decisions": rows.to_dicts()}, ensure_ascii=False, indent=1).encode()
    stream = io.BytesIO()
    rows.write_csv(stream)
    return stream.getvalue()


def read_decisions(path: Path) -> pl.DataFrame:
    """Decisions of a file: columns of `EXPORTED` that it has.

    Raises:
        SettingsError: It cannot be read or does not hold decisions; UnknownNameError for an unknown column.
    """
    _known(path.suffix)
    try:
        rows = _rows(path)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise SettingsError(
            f"Cannot read decisions from {str(path)!r}: {reason}; give a file that `deeplens decide export` wrote."
        ) from error
    for name in rows.columns:
        if name not in DECISIONS.names:
            raise UnknownNameError("column of decisions", name, EXPORTED)
    texts = rows.select(pl.col(name).cast(pl.String) for name in EXPORTED if name in rows.columns)
    if "at" not in texts.columns:
        return texts
    times = texts["at"].str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    wrong = texts["at"].filter(times.is_null() & texts["at"].is_not_null())
    if len(wrong):
        raise SettingsError(f"{str(path)!r}: at is {wrong[0]!r}; it must be a time as 2026-05-31T12:00:00+00:00.")
    return texts.with_columns(at=times)


def _rows(path: Path) -> pl.DataFrame:
    content = path.read_bytes()
    if path.suffix.lower() == ".csv":
        return pl.read_csv(content, infer_schema=False)
    found = json.loads(content)
    if not isinstance(found, dict) or not isinstance(found.get("decisions"), list):
        raise ValueError("it has no list 'decisions'")
    if not all(isinstance(row, dict) for row in found["decisions"]):
        raise ValueError("a decision is no object in braces")
    names = list(dict.fromkeys(name for row in found["decisions"] for name in row))
    columns = {
        name: [None if row.get(name) is None else str(row[name]) for row in found["decisions"]] for name in names
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))


def _known(ending: str) -> None:
    if ending.lower() not in DECISION_ENDINGS:
        raise UnknownNameError("kind of file for decisions", ending, DECISION_ENDINGS)
