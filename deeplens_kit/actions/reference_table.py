"""A Parquet table with the names of files that went replaced by those of the files that stay.

Takes the bytes of a table and redirects, gives new bytes and what changed, value by value: a value of a column of texts
changes where all of it names a file. Columns, their types, the groups of rows and what is written of the table stay.
Must not read or write a file.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deeplens_kit.actions.reference_names import Redirect, ReferenceNames, folder_of
from deeplens_kit.actions.reference_text import LeftReference, ReferenceChange, Rewritten

__all__ = ["rewrite_table"]

_MOST_SHOWN = 100
"""Values of a column that are shown, each with how often it comes."""


def rewrite_table(data: bytes, address: str, names: ReferenceNames) -> Rewritten:
    """Rewrite a Parquet table.

    Args:
        data: All of it.
        address: Its own, from whose folder its relative names lead.
        names: The old places, in the form "text".

    Raises:
        ValueError: It is no Parquet, or one that cannot be written again as it is.
    """
    try:
        source = pq.ParquetFile(io.BytesIO(data))
        table, layout = source.read(), source.metadata
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    changes: list[ReferenceChange] = []
    left: list[LeftReference] = []
    used: dict[Redirect, None] = {}
    for at, column in enumerate(table.schema):
        if not _holds_texts(column.type):
            continue
        new = _column(table.column(at), column.name, names, folder_of(address), changes, left, used)
        if new is not None:
            table = table.set_column(at, column, new)
    if not used:
        return Rewritten(None, (), tuple(left))
    new = _written(table, layout)
    if (column := _other_type(source.schema, pq.ParquetFile(io.BytesIO(new)).schema)) is not None:
        raise ValueError(f"it cannot be written again as it is: column {column!r} would have another type")
    return Rewritten(new, tuple(changes), tuple(left), tuple(used))


def _other_type(old: pq.ParquetSchema, new: pq.ParquetSchema) -> str | None:
    """The first column that is stored as another type; times as INT96 cannot be kept, and far ones not even read."""
    for at, was in enumerate(map(old.column, range(len(old)))):
        now = new.column(at)
        if (was.physical_type, str(was.logical_type)) != (now.physical_type, str(now.logical_type)):
            return str(was.path)
    return None


def _holds_texts(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _column(
    values: pa.ChunkedArray,
    name: str,
    names: ReferenceNames,
    folder: str,
    changes: list[ReferenceChange],
    left: list[LeftReference],
    used: dict[Redirect, None],
) -> pa.ChunkedArray | None:
    """The column with its new values; None where none changes."""
    kind = values.type
    plain = values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values
    told: dict[str, str] = {}
    for counted in pc.value_counts(plain).to_pylist():
        value, count = counted["values"], counted["counts"]
        if not value:
            continue
        named = names.at(value, 0, folder, len(value).__eq__)
        if named is None:
            continue
        if named.redirect is None or not named.text:
            why = "it fits a file that went, but does not lead to it from where it stands"
            left.append(LeftReference(0, name, value, why))
            continue
        told[value] = named.text
        used[named.redirect] = None
        if len(told) <= _MOST_SHOWN:
            changes.append(ReferenceChange(0, name, value, named.text, count))
        else:
            changes[-1] = ReferenceChange(0, name, "…", "…", changes[-1].references + count)
    if not told:
        return None
    old, new = (pa.array(side, type=plain.type) for side in (list(told), list(told.values())))
    at = pc.index_in(plain, value_set=old)
    chosen = pc.if_else(pc.is_valid(at), pc.take(new, at), plain)
    return chosen.cast(kind) if pa.types.is_dictionary(kind) else chosen


def _written(table: pa.Table, layout: pq.FileMetaData) -> bytes:
    """The table in groups of rows as large as those that it had, packed as they were."""
    target = io.BytesIO()
    packed = {}
    if layout.num_row_groups:
        group = layout.row_group(0)
        for at in range(group.num_columns):
            column = group.column(at)
            packed[column.path_in_schema] = "NONE" if column.compression == "UNCOMPRESSED" else column.compression
    with pq.ParquetWriter(target, table.schema, compression=packed or "snappy", version="2.6") as writer:
        start = 0
        for number in range(layout.num_row_groups):
            rows = layout.row_group(number).num_rows
            writer.write_table(table.slice(start, rows), row_group_size=max(rows, 1))
            start += rows
        if not layout.num_row_groups:
            writer.write_table(table)
    return target.getvalue()
