"""What of the catalog is committed, as frames and arrays.

Takes a catalog's address and gives what its readers may see: they start from `objects`, and a picture, vector or
failure to which no object leads is not there for them. Must not write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.catalog.digest import catalog_digest, rows_digest, vectors_digest
from deeplens_kit.catalog.faults import translated
from deeplens_kit.catalog.lance_table import LanceTable, quoted
from deeplens_kit.catalog.manifest import Manifest, table_url
from deeplens_kit.catalog.tables import arrow_schema, vector_schema
from deeplens_kit.errors import UnknownNameError
from deeplens_kit.schemas import FAILURES, METADATA, OBJECTS, PAIRS, PICTURES, FeatureSpec, Outcome, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FINGERPRINT", "CatalogReader", "one_of"]

# Name in the metadata of the table of pairs.
FINGERPRINT = "fingerprint"
# Columns of `pictures` that matching fills where a pair needs them.
_MEASURED_LATER = ("effective_pixels", "samples")
# More keys than this in a condition take Lance longer to plan than it takes to read the column.
_KEYS_IN_CONDITION = 500


class CatalogReader:
    """The reading half of `Catalog`.

    Args:
        url: Folder or object-store address.
        storage_options: Passed on to the object store; never written down or shown.
    """

    def __init__(self, url: str, storage_options: Mapping[str, str] | None = None) -> None:
        self.url = url
        self._options = dict(storage_options or {})
        self._manifest = Manifest.at(url, self._options)

    def objects(self, location_id: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Objects, of all locations or of one, in no particular order.

        Args:
            location_id: Only those of this location.
            columns: Only these columns of OBJECTS, in this order.

        Raises:
            UnknownNameError: A column that OBJECTS does not have.
        """
        with translated("read", self.url):
            return self._frame("objects", _columns(OBJECTS, columns), _of_location(location_id))

    def objects_of(self, digests: Sequence[str], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Objects with these contents, whatever became of them, in no particular order.

        Args:
            digests: SHA-256 of the contents.
            columns: As for `objects`.
        """
        asked = pl.Series("digest", list(digests), pl.String).unique()
        wanted = _columns(OBJECTS, columns)
        with translated("read", self.url):
            rows = self._frame("objects", list(dict.fromkeys([*wanted, "digest"])), one_of("digest", asked))
        return rows.filter(pl.col("digest").is_in(asked.implode())).select(wanted)

    def object_at(self, location_id: str, path: str) -> dict[str, Any] | None:
        """The row of the object at a path, by column; None where there is none."""
        where = f"object_id = {quoted(f'{location_id}/{path}')}"
        with translated("read", self.url):
            rows = self._frame("objects", OBJECTS.names, where)
        return rows.row(0, named=True) if rows.height else None

    def pictures(self, digests: Sequence[str] | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Pictures that an object has, in no particular order.

        Args:
            digests: Only these; those that do not exist are passed over.
            columns: Only these columns of PICTURES, in this order.

        Raises:
            UnknownNameError: A column that PICTURES does not have.
        """
        wanted = _columns(PICTURES, columns)
        with translated("read", self.url):
            keep = self._referenced(digests)
            where = one_of("digest", keep) if digests is not None else None
            rows = self._frame("pictures", list(dict.fromkeys([*wanted, "digest"])), where)
        return rows.filter(pl.col("digest").is_in(keep.implode())).select(wanted)

    def metadata(self, digests: Sequence[str] | None = None) -> pl.DataFrame:
        """What the files of pictures say about themselves, METADATA, in no particular order: private, to be masked.

        Args:
            digests: Only these; those without a row, or that no object has, are passed over.
        """
        with translated("read", self.url):
            keep = self._referenced(digests)
            where = one_of("digest", keep) if digests is not None else None
            rows = self._frame("metadata", METADATA.names, where)
        return rows.filter(pl.col("digest").is_in(keep.implode()))

    def failures(self, location_id: str | None = None) -> pl.DataFrame:
        """Failures that stand, FAILURES, in no particular order.

        One whose object was read since is left out, also where a kill kept it from being removed.
        """
        with translated("read", self.url):
            return self._shown(self._frame("failures", FAILURES.names, _of_location(location_id)))

    def pairs(self) -> pl.DataFrame:
        """The pairs as they were last replaced, PAIRS, in no particular order."""
        with translated("read", self.url):
            return self._frame("pairs", PAIRS.names)

    def pairs_fingerprint(self) -> str | None:
        """What the pairs were made from, as given to `replace_pairs`; None where that was never called."""
        with translated("read", self.url):
            return self._tables["pairs"].metadata().get(FINGERPRINT)

    def vectors(self, spec: FeatureSpec, digests: Sequence[str] | None = None) -> tuple[list[str], NDArray[np.float16]]:
        """Vectors of a feature for pictures that an object has.

        Args:
            spec: The feature.
            digests: Only these and in this order; those without a vector are passed over. All of them, in no
                particular order, by default.

        Returns:
            Digests (n) and float16 (n, `spec.size`), which may be read-only.
        """
        with translated("read", self.url):
            table = self._vector_tables().get(spec.table)
            if table is None:
                return [], np.empty((0, spec.size), np.float16)
            keep = self._referenced(digests)
            rows = table.read(["digest", "vector"], one_of("digest", keep) if digests is not None else None)
        found = pl.Series("digest", rows["digest"], pl.String)
        matrix = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=True).reshape(-1, spec.size)
        mask = found.is_in(keep.implode())
        if digests is None and mask.all():
            return found.to_list(), matrix
        rows_kept = mask.arg_true()
        names = found.gather(rows_kept).to_list()
        if digests is None:
            return names, matrix[rows_kept.to_numpy()]
        row_of = dict(zip(names, rows_kept, strict=True))
        wanted = [digest for digest in dict.fromkeys(digests) if digest in row_of]
        return wanted, matrix[[row_of[digest] for digest in wanted]]

    def digest(self, location_names: Mapping[str, str] | None = None) -> str:
        """One digest of all rows; see `table_digests`."""
        return catalog_digest(self.table_digests(location_names))

    def table_digests(self, location_names: Mapping[str, str] | None = None) -> dict[str, str]:
        """Canonical digests of the rows that readers see, by table.

        Runs and times of writing are left out, and so are effective pixels and samples, which are measured when a
        copy needs them and stay when it is gone: the same content gives the same digest whatever the order, the
        batches, the interruptions, the history or the compaction.

        Args:
            location_names: Names by location id. Ids are drawn at random: with names in their place, catalogs
                of two workspaces over the same files can be compared.
        """
        objects = _named(self.objects().drop("run_id"), location_names)
        failures = _named(self.failures().drop("run_id", "failed_at"), location_names)
        tables = {
            "objects": rows_digest(objects, OBJECTS.key),
            "pictures": rows_digest(self.pictures().drop("run_id", *_MEASURED_LATER), PICTURES.key),
            "metadata": rows_digest(self.metadata().drop("run_id"), METADATA.key),
            "failures": rows_digest(failures, FAILURES.key),
            "pairs": rows_digest(self.pairs().drop("run_id"), PAIRS.key),
        }
        for spec in self.vector_specs():
            digests, matrix = self.vectors(spec)
            if digests:
                tables[spec.table] = vectors_digest(digests, matrix)
        return tables

    def vector_specs(self) -> list[FeatureSpec]:
        """Features whose vectors the catalog holds, by table name."""
        with translated("read", self.url):
            return self._manifest.vector_specs()

    def versions(self) -> tuple[int, int]:
        """Commits that the tables of objects and pictures have seen; equal: readers would see the same as before.

        Cheap enough to ask before every answer, no row is read. Vectors and failures need not be asked for: a batch
        commits its objects after them.
        """
        with translated("read", self.url):
            objects, pictures = (int(self._tables[name].dataset().version) for name in ("objects", "pictures"))
        return objects, pictures

    # --- For the writing half ------------------------------------------------------------

    @cached_property
    def _tables(self) -> dict[str, LanceTable]:
        keys = {
            "objects": "object_id",
            "pictures": "digest",
            "metadata": "digest",
            "failures": "object_id",
            "pairs": "",
        }
        schemas = (OBJECTS, PICTURES, METADATA, FAILURES, PAIRS)
        return {schema.name: self._table(schema.name, arrow_schema(schema), keys[schema.name]) for schema in schemas}

    def _table(self, name: str, schema: pa.Schema, key: str) -> LanceTable:
        return LanceTable(name, table_url(self.url, name), schema, key, self._options)

    def _vector_tables(self) -> dict[str, LanceTable]:
        return {
            spec.table: self._table(spec.table, vector_schema(spec), "digest") for spec in self._manifest.vector_specs()
        }

    def _frame(self, name: str, columns: Sequence[str], where: str | None = None) -> pl.DataFrame:
        return _to_frame(self._tables[name].read(columns, where))

    def _referenced(self, digests: Sequence[str] | None = None) -> pl.Series:
        """Digests that an object has, each once; of the given ones where some are given."""
        asked = None if digests is None else pl.Series("digest", list(digests), pl.String).unique()
        where = "digest IS NOT NULL" if asked is None else one_of("digest", asked)
        found = self._frame("objects", ["digest"], where)["digest"].unique()
        return found if asked is None else found.filter(found.is_in(asked.implode()))

    def _shown(self, failures: pl.DataFrame) -> pl.DataFrame:
        """Failures that stand: of folders and listings, of objects not indexed, of features of those indexed."""
        outcomes = self._frame("objects", ["object_id", "outcome"], one_of("object_id", failures["object_id"]))
        of_listing = pl.col("object_id").str.ends_with("/") | (pl.col("stage") == "list")
        stands = (pl.col("outcome") != Outcome.INDEXED) | (pl.col("stage") == "features")
        joined = failures.join(outcomes, on="object_id", how="left")
        return joined.filter(of_listing | stands.fill_null(False)).select(FAILURES.names)


def _to_frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected a table, got {type(frame)}")
    return frame


def _columns(schema: TableSchema, columns: Sequence[str] | None) -> list[str]:
    for name in columns or ():
        if name not in schema.names:
            raise UnknownNameError(f"column of {schema.name}", name, schema.names)
    return schema.names if columns is None else list(columns)


def _of_location(location_id: str | None) -> str | None:
    return None if location_id is None else f"location_id = {quoted(location_id)}"


def one_of(column: str, values: pl.Series) -> str | None:
    """An SQL condition that a column is one of few texts; none for many: the caller filters what it read."""
    if values.len() > _KEYS_IN_CONDITION:
        return None
    return f"{column} IN ({', '.join(map(quoted, values))})" if values.len() else "false"


def _named(frame: pl.DataFrame, names: Mapping[str, str] | None) -> pl.DataFrame:
    """Rows with the names of locations in place of their ids."""
    if names is None:
        return frame
    name = pl.col("location_id").replace(dict(names))
    rest = pl.col("object_id").str.strip_prefix(pl.col("location_id"))
    return frame.with_columns(object_id=name + rest, location_id=name)
