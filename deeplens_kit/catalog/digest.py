"""A canonical digest of rows.

Takes frames and arrays and gives SHA-256 in hexadecimal that depends on the values alone: not on the order of
rows or columns, on batches, on compaction, on null fill or on the version of a library. Must not read a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["catalog_digest", "rows_digest", "vectors_digest", "with_location_names"]

# Rows of a matrix hashed at once: bounds the copy that sorting makes.
_ROWS_AT_ONCE = 65_536


def rows_digest(frame: pl.DataFrame, key: Sequence[str]) -> str:
    """Digest of a frame's rows.

    Each column goes in by name: name, kind of values, null mask, then values (little-endian; texts as lengths and
    UTF-8), in the order of the keys.

    Args:
        frame: Rows; `key` identifies each of them.
        key: Names of the key columns.
    """
    ordered = frame.sort(key)
    digest = hashlib.sha256(b"rows %d\n" % ordered.height)
    for name in sorted(ordered.columns):
        _add_column(digest, ordered[name])
    return digest.hexdigest()


def vectors_digest(digests: Sequence[str], matrix: NDArray[np.float16]) -> str:
    """Digest of vectors by picture.

    Args:
        digests: Digests of the pictures (n), each once.
        matrix: float16 (n, dimensions), in the same order.
    """
    names = pl.Series("digest", digests, pl.String)
    order = names.arg_sort().to_numpy()
    digest = hashlib.sha256(b"vectors %d %d\n" % matrix.shape)
    _add_column(digest, names.gather(order))
    for start in range(0, len(order), _ROWS_AT_ONCE):
        digest.update(matrix[order[start : start + _ROWS_AT_ONCE]].astype("<f2", copy=False).tobytes())
    return digest.hexdigest()


def catalog_digest(tables: Mapping[str, str]) -> str:
    """One digest of the digests of tables by name."""
    lines = "".join(f"{name} {value}\n" for name, value in sorted(tables.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _add_column(digest: hashlib._Hash, column: pl.Series) -> None:
    values = column.to_physical()
    kind, data = _encoded(values)
    digest.update(f"{column.name} {kind}\n".encode())
    digest.update(np.packbits(values.is_null().to_numpy()).tobytes())
    for part in data:
        digest.update(part)


def _encoded(values: pl.Series) -> tuple[str, list[bytes]]:
    """The kind of a column's values and the values as bytes, nulls as zeros or nothing."""
    if values.dtype in (pl.String, pl.Binary):
        texts = values.cast(pl.Binary).fill_null(b"").to_list()
        lengths = np.fromiter(map(len, texts), dtype="<i8", count=len(texts))
        return "bytes", [lengths.tobytes(), b"".join(texts)]
    if values.dtype == pl.Boolean:
        return "flag", [values.fill_null(False).to_numpy().astype("u1").tobytes()]
    if isinstance(values.dtype, pl.Array):
        parts = [_encoded(values.arr.get(number)) for number in range(values.dtype.size)]
        return f"{len(parts)} of {parts[0][0]}", [data for _, column in parts for data in column]
    if values.dtype == pl.UInt64:
        return "bits", [values.fill_null(0).to_numpy().astype("<u8").tobytes()]
    if values.dtype.is_integer():
        return "int", [values.fill_null(0).to_numpy().astype("<i8").tobytes()]
    # 0.0 and -0.0 are one number, and every NaN is the same NaN.
    floats = values.fill_null(0.0).to_numpy().astype("<f8") + 0.0
    floats[np.isnan(floats)] = np.nan
    return "float", [floats.tobytes()]


def with_location_names(frame: pl.DataFrame, names: Mapping[str, str] | None) -> pl.DataFrame:
    """Rows with the names of locations in place of their ids."""
    if names is None:
        return frame
    name = pl.col("location_id").replace(dict(names))
    rest = pl.col("object_id").str.strip_prefix(pl.col("location_id"))
    return frame.with_columns(object_id=name + rest, location_id=name)
