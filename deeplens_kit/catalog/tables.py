"""Arrow schemas of the Lance tables.

Takes table schemas and feature descriptors and gives Arrow schemas and Arrow tables that fit them; must not open
a table.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.schemas import FeatureSpec, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "KEY_METADATA",
    "arrow_schema",
    "arrow_table",
    "parse_spec",
    "spec_text",
    "vector_schema",
    "vector_table",
]

# Without it two writers that upsert the same new key leave both rows: Lance sees no conflict between inserts.
KEY_METADATA = {b"lance-schema:unenforced-primary-key": b"true"}


def arrow_schema(table: TableSchema) -> pa.Schema:
    """The Arrow schema of a table; a single-column key carries the primary-key metadata and is never null."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(
                column.name,
                _arrow_type(column.dtype),
                nullable=column.nullable,
                metadata=KEY_METADATA if table.key == (column.name,) else None,
            )
            for column in table.columns
        ]
    )


def arrow_table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """A frame as an Arrow table of that very schema, nullability and field metadata included."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).select(schema.names).cast(schema)


def vector_schema(spec: FeatureSpec) -> pa.Schema:
    """The Arrow schema of a feature's vectors: digest, float16 vector of fixed length, run."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("digest", pa.large_string(), nullable=False, metadata=KEY_METADATA),
            pa.field("vector", pa.list_(pa.float16(), spec.size), nullable=False),
            pa.field("run_id", pa.large_string(), nullable=False),
        ]
    )


def vector_table(spec: FeatureSpec, digests: list[str], matrix: NDArray[np.float16], run_id: str) -> pa.Table:
    """Vectors as an Arrow table; the matrix (n, `spec.size`) is not copied."""
    import pyarrow as pa

    values = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.table(
        [
            pa.array(digests, pa.large_string()),
            pa.FixedSizeListArray.from_arrays(values, spec.size),
            pa.array([run_id] * len(digests), pa.large_string()),
        ],
        schema=vector_schema(spec),
    )


def spec_text(spec: FeatureSpec) -> str:
    """A feature descriptor as JSON, for the manifest."""
    return json.dumps(asdict(spec), sort_keys=True)


def parse_spec(text: str) -> FeatureSpec:
    """The feature descriptor that `spec_text` wrote."""
    values = json.loads(text)
    return FeatureSpec(**{**values, "columns": tuple(values["columns"])})


def _arrow_type(dtype: pl.DataType) -> pa.DataType:
    import pyarrow as pa

    if isinstance(dtype, pl.Datetime):
        return pa.timestamp(dtype.time_unit, dtype.time_zone)
    if isinstance(dtype, pl.Array):
        return pa.list_(_arrow_type(cast(pl.DataType, dtype.inner)), dtype.size)
    types = {
        pl.String(): pa.large_string(),
        pl.Binary(): pa.large_binary(),
        pl.Boolean(): pa.bool_(),
        pl.Int32(): pa.int32(),
        pl.Int64(): pa.int64(),
        pl.UInt64(): pa.uint64(),
        pl.Float32(): pa.float32(),
        pl.Float64(): pa.float64(),
    }
    return types[dtype]
