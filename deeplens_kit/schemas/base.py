"""What a table and a feature are: columns with their types, meanings and nulls; the descriptor of a feature.

Takes frames and gives them back checked, in the schema's column order; must not compute or store anything, or name
any table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

import polars as pl

__all__ = ["Column", "FeatureSpec", "Outcome", "Relation", "TableSchema", "Tier", "tier_strength"]


class Tier(StrEnum):
    """How strong the evidence for a pair is; `scene` is never counted as a saving."""

    BYTES = "bytes"
    PIXELS = "pixels"
    COPY = "copy"
    SCENE = "scene"


def tier_strength(column: str = "tier") -> pl.Expr:
    """To sort by: Int8 of a column of tiers, 0 for the strongest evidence; null where there is none."""
    order = {str(tier): number for number, tier in enumerate(Tier)}
    return pl.col(column).replace_strict(order, default=None, return_dtype=pl.Int8)


class Relation(StrEnum):
    """How the views of a pair relate; `unverified` until local evidence was looked at."""

    WHOLE = "whole"
    PART = "part"
    CONTAINS = "contains"
    COMPOSITE = "composite"
    UNVERIFIED = "unverified"


class Outcome(StrEnum):
    """What became of an object that a scan found: exactly one for each.

    In the order in which they are told of. `INDEXED` is analysed; of an `UNSUPPORTED` picture, drawing or video the
    format is not read, and `NOT_A_PICTURE` is something else altogether. `UNREADABLE` is damaged, crashed its decoder
    or kept it too long, or the storage failed. `KEPT_OUT` was forgotten on request and must not come back.
    """

    INDEXED = "indexed"
    UNSUPPORTED = "unsupported"
    NOT_A_PICTURE = "not_a_picture"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    PLACEHOLDER = "placeholder"
    CHANGED = "changed_while_read"
    PERMISSION = "permission"
    KEPT_OUT = "kept_out"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its polars type, whether nulls are allowed, and what it means with its unit."""

    name: str
    dtype: pl.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class TableSchema:
    """The named columns of a table that crosses a stage."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @property
    def polars(self) -> pl.Schema:
        """The schema as polars has it."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """A frame of this schema without rows."""
        return self._without_rows.clone()

    def filled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with nulls in the nullable columns that it lacks: nobody looked for what they hold."""
        present = set(frame.columns)
        absent = [item for item in self.columns if item.nullable and item.name not in present]
        if not absent:
            return frame
        nothing = (pl.Series(item.name, [None], dtype=item.dtype) for item in absent)
        return frame.hstack([value.new_from_index(0, frame.height) for value in nothing])

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` in schema order; raise where a column, type or null does not fit.

        Raises:
            TypeError: A column is missing, left over or of another type, or holds a forbidden null: a
                defect of the stage that made the frame, never of the user's files.
        """
        names, present = self.names, frame.columns
        if set(present) != set(names):
            missing = sorted(set(names) - set(present))
            extra = sorted(set(present) - set(names))
            raise TypeError(f"table {self.name}: missing columns {missing}, unknown columns {extra}")
        # A plan of polars, and asking it for its schema, take longer than the few rows of an answer do.
        ordered = frame if present == names else pl.DataFrame([frame.get_column(name) for name in names])
        for column, values in zip(self.columns, ordered.get_columns(), strict=True):
            if values.dtype != column.dtype:
                raise TypeError(f"table {self.name}: {column.name} is {values.dtype}, should be {column.dtype}")
            if not column.nullable and values.null_count():
                raise TypeError(f"table {self.name}: {column.name} holds nulls")
        return ordered

    @cached_property
    def _without_rows(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.polars)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a feature is: everything that its numbers depend on.

    Attributes:
        name: Stable name, for example "pdq" or "sscd_small".
        version: Raised when the numbers change for the same input.
        kind: "hash" (bits), "vector" (floats, L2-normalised), "regions" (boxes with a vector each, of the pictures
            that have some) or "measure" (a few plain numbers).
        size: Bits of a hash, dimensions of a vector, numbers of all regions of a picture, count of measures.
        columns: Columns that it fills in `pictures`; empty for vectors and regions, which have a table of
            their own.
        metric: How two values are compared.
        preprocessing: Versioned name of what is done to the thumbnail first.
        weights: Name and SHA-256 prefix of the weights, empty where there are none.
        source: Paper, standard or package that defines it.
    """

    name: str
    version: int
    kind: Literal["hash", "vector", "regions", "measure"]
    size: int
    columns: tuple[str, ...]
    metric: Literal["hamming", "cosine", "euclidean", "none"]
    preprocessing: str
    weights: str
    source: str

    @property
    def key(self) -> str:
        """Name for caches and tables: changes with anything that changes the numbers."""
        return f"{self.name}_{self.version}" + (f"_{self.weights[-8:]}" if self.weights else "")

    @property
    def table(self) -> str:
        """The catalog table that holds the vectors of this feature."""
        return f"vectors_{self.key}"
