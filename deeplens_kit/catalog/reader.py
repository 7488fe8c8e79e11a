"""What of the catalog is committed, as frames and arrays.

Takes a catalog's address and gives what its readers may see: they start from `objects`, and a picture, vector or
failure to which no object leads is not there for them. Must not write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.catalog.digest import catalog_digest, rows_digest, vectors_digest, with_location_names
from deeplens_kit.catalog.faults import translated
from deeplens_kit.catalog.freed_memory import give_back
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
# Fewer rows than this share of a table are taken by their numbers; more are found in a scan of it.
_TAKEN_SHARE = 0.2
_BLOCKS_AHEAD = 2
_PAIRS_PER_PART = 1 << 16


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

    def pictures(
        self,
        digests: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        *,
        unreferenced: bool = False,
    ) -> pl.DataFrame:
        """Pictures that an object has, in no particular order.

        Args:
            digests: Only these; those that do not exist are passed over.
            columns: Only these columns of PICTURES, in this order.
            unreferenced: Also those that no object has, for a caller that holds them against objects itself.

        Raises:
            UnknownNameError: A column that PICTURES does not have.
        """
        wanted = _columns(PICTURES, columns)
        with translated("read", self.url):
            if unreferenced and digests is None:
                return self._frame("pictures", wanted)
            keep = pl.Series(digests, dtype=pl.String) if unreferenced else self._referenced(digests)
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

    def metadata_tags(self, digests: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Digest and tags of METADATA in parts of bounded size, as `metadata` has them: private, to be masked."""
        with translated("read", self.url):
            keep = self._referenced(digests)
            where = one_of("digest", keep) if digests is not None else None
            for part in self._tables["metadata"].parts(["digest", "tags"], where):
                yield _to_frame(part).filter(pl.col("digest").is_in(keep.implode()))

    def metadata_runs(self) -> pl.DataFrame:
        """Digest and run_id of every row of METADATA, also of pictures that no object has, in no particular order."""
        with translated("read", self.url):
            return self._frame("metadata", ["digest", "run_id"])

    def failures(self, location_id: str | None = None) -> pl.DataFrame:
        """Failures that stand, FAILURES, in no particular order.

        One whose object was read since is left out, also where a kill kept it from being removed.
        """
        with translated("read", self.url):
            return self._shown(self._frame("failures", FAILURES.names, _of_location(location_id)))

    def pairs(self, columns: Sequence[str] | None = None, of: tuple[str, str] | None = None) -> pl.DataFrame:
        """The pairs as they were last replaced, in no particular order.

        Args:
            columns: Only these columns of PAIRS, in this order.
            of: Only the pair of these two digests, in either order.

        Raises:
            UnknownNameError: A column that PAIRS does not have.
        """
        with translated("read", self.url):
            return self._frame("pairs", _columns(PAIRS, columns), _of_pair(of))

    def pair_parts(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The rows of `pairs` in parts of bounded size: those that were stored when the first one is asked for.

        Args:
            columns: As for `pairs`.

        Raises:
            UnknownNameError: As `pairs`.
        """
        wanted = _columns(PAIRS, columns)
        with translated("read", self.url):
            for part in self._tables["pairs"].parts(wanted, rows=_PAIRS_PER_PART):
                yield _to_frame(part)
        give_back()

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

    def vector_blocks(
        self, spec: FeatureSpec, digests: Sequence[str] | None = None, *, rows_per_block: int = 16_384
    ) -> tuple[pl.Series, Iterator[tuple[pl.Series, NDArray[np.float16]]]]:
        """The same as `vectors`, in blocks: never more of them are in memory than a few blocks have.

        Args:
            spec: The feature.
            digests: Only these; those without a vector are passed over. All of them by default.
            rows_per_block: Vectors in a block at most.

        Returns:
            Digests of the pictures that have the vector, each once, and blocks of digests (m) with float16
            (m, `spec.size`), in no particular order: what the catalog holds now, whatever is written meanwhile.
        """
        with translated("read", self.url):
            table = self._vector_tables().get(spec.table)
            if table is None:
                return pl.Series("digest", [], pl.String), iter(())
            dataset = table.dataset()
            keep = self._referenced(digests)
            rows = dataset.to_table(columns=["digest"], scan_in_order=True)
        found = pl.Series("digest", rows["digest"], pl.String)
        wanted = found.is_in(keep.implode()).arg_true()
        return found.gather(wanted), self._blocks(dataset, spec, found, wanted.to_numpy(), rows_per_block)

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
        objects = with_location_names(self.objects().drop("run_id"), location_names)
        failures = with_location_names(self.failures().drop("run_id", "failed_at"), location_names)
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

    def content_fingerprint(self, tables: Sequence[str] = ("objects", "pictures")) -> str:
        """Names what tables hold now: equal only for the same rows of the same catalog.

        Made of the names of their files, which are drawn at random, and of their versions; no row is read.
        """
        with translated("read", self.url):
            said = [self._tables[name].content_id() for name in tables]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    def count_pictures(self) -> int:
        """Rows of pictures, those too that no object has any more; none of them is read."""
        with translated("read", self.url):
            return int(self._tables["pictures"].dataset().count_rows())

    def pairs_version(self) -> int:
        """Commits that the table of pairs has seen; as cheap as `versions`."""
        with translated("read", self.url):
            return int(self._tables["pairs"].dataset().version)

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

    def _blocks(
        self, dataset: Any, spec: FeatureSpec, digests: pl.Series, wanted: NDArray[np.integer], rows_per_block: int
    ) -> Iterator[tuple[pl.Series, NDArray[np.float16]]]:
        """Rows of a vector table by number, rising; `digests` are all of its rows."""
        with translated("read", self.url):
            if len(wanted) < _TAKEN_SHARE * len(digests):
                for first in range(0, len(wanted), rows_per_block):
                    rows = wanted[first : first + rows_per_block]
                    yield digests.gather(rows), _matrix(dataset.take(rows.tolist(), columns=["vector"]), spec)
                return
            first = 0
            batches = dataset.to_batches(
                columns=["vector"], batch_size=rows_per_block, batch_readahead=_BLOCKS_AHEAD, scan_in_order=True
            )
            for batch in batches:
                low, high = np.searchsorted(wanted, [first, first + batch.num_rows])
                rows = wanted[low:high]
                if len(rows):
                    yield digests.gather(rows), _matrix(batch, spec)[rows - first]
                first += batch.num_rows

    def _shown(self, failures: pl.DataFrame) -> pl.DataFrame:
        """Failures that stand: of folders and listings, of objects not indexed, of features of those indexed."""
        outcomes = self._frame("objects", ["object_id", "outcome"], one_of("object_id", failures["object_id"]))
        of_listing = pl.col("object_id").str.ends_with("/") | (pl.col("stage") == "list")
        stands = (pl.col("outcome") != Outcome.INDEXED) | (pl.col("stage") == "features")
        joined = failures.join(outcomes, on="object_id", how="left")
        return joined.filter(of_listing | stands.fill_null(False)).select(FAILURES.names)


def _matrix(rows: pa.Table | pa.RecordBatch, spec: FeatureSpec) -> NDArray[np.float16]:
    """The column `vector` as float16 (n, `spec.size`)."""
    column = rows["vector"]
    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return np.asarray(column.flatten().to_numpy(zero_copy_only=True)).reshape(-1, spec.size)


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


def _of_pair(of: tuple[str, str] | None) -> str | None:
    return None if of is None else f"digest_a = {quoted(min(of))} AND digest_b = {quoted(max(of))}"


def one_of(column: str, values: pl.Series) -> str | None:
    """An SQL condition that a column is one of few texts; none for many: the caller filters what it read."""
    if values.len() > _KEYS_IN_CONDITION:
        return None
    return f"{column} IN ({', '.join(map(quoted, values))})" if values.len() else "false"
