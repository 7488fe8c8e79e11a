"""The catalog: batches in, frames and arrays out.

Takes batches and gives what is committed: readers start from `objects`, and a picture, vector or failure to which
no object leads is not there for them. Must not read users' files or write anything but the Lance tables. A batch
commits its vectors and metadata, then pictures, then failures, then objects, the commit point, and clears failures
last: killed in between, the old state still shows and the same batch can be written again. Failures go before the
objects because an object that is marked as read must never lack its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.catalog.batch import CatalogBatch
from deeplens_kit.catalog.faults import translated
from deeplens_kit.catalog.forgetting import forget_rows, purge, rows_with
from deeplens_kit.catalog.lance_table import LanceTable
from deeplens_kit.catalog.locks import local_folder, writing_lock
from deeplens_kit.catalog.reader import FINGERPRINT, CatalogReader, one_of
from deeplens_kit.catalog.tables import arrow_table, vector_schema, vector_table
from deeplens_kit.errors import WorkspaceError, WorkspaceMissingError, WorkspaceSchemaError
from deeplens_kit.schemas import FAILURES, PAIRS, FeatureSpec, Outcome

__all__ = ["KEEP_OLD_VERSIONS", "SCHEMA_VERSION", "Catalog"]

# 1: the first format. 2: objects.link_count; dominant_tone, colourfulness and effective_pixels of pictures.
# 3: samples of pictures; found_by, hub, and what normalisation, regions and verification saw of pairs.
# 4: transform and view_pdq of pairs.
# 5: metadata; icc_name, dated_at, taken_at_utc, taken_at_origin and auxiliary of pictures; decode_spec of failures; one
# outcome for each way in which an object ends.
# 6: checksum and storage_class of objects.
SCHEMA_VERSION = 6
# A reader that opened a version before a compaction may go on reading it for this long.
KEEP_OLD_VERSIONS = timedelta(hours=1)


class Catalog(CatalogReader):
    """The tables of a workspace; safe to share between threads, and between processes that open their own.

    Made by `create` or `open`.

    Attributes:
        url: Folder or object-store address.
        schema_version: Version of the tables' schemas, as this release writes them.
    """

    schema_version = SCHEMA_VERSION

    # --- Opening -----------------------------------------------------------------------------------------

    @classmethod
    def create(cls, url: str, storage_options: Mapping[str, str] | None = None) -> Catalog:
        """Make an empty catalog and open it.

        Args:
            url: Folder, made where missing, or address such as "s3://bucket/prefix".
            storage_options: Passed on to the object store, for example "aws_endpoint"; never written down.

        Raises:
            WorkspaceError: There is a catalog already, or the place cannot be written.
            StoreFullError: No space is left.
        """
        catalog = cls(url, storage_options)
        with translated("create", url):
            if catalog._manifest.version() is not None:
                raise WorkspaceError(f"There is a catalog at {url!r} already; open it, or name another place.")
            folder = local_folder(url)
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            for table in catalog._tables.values():
                table.create()
            catalog._manifest.write_version(SCHEMA_VERSION)
        return catalog

    @classmethod
    def open(cls, url: str, storage_options: Mapping[str, str] | None = None) -> Catalog:
        """Open a catalog of this release's schema version.

        Raises:
            WorkspaceMissingError: There is none, or its making was interrupted.
            WorkspaceSchemaError: It has an older version (run `deeplens upgrade`) or a newer one.
            WorkspaceError: It cannot be read.
        """
        catalog = cls(url, storage_options)
        with translated("open", url):
            found = catalog._manifest.version()
        if found is None:
            raise WorkspaceMissingError(f"There is no catalog at {url!r}; make one with `deeplens init`.")
        if found != str(SCHEMA_VERSION):
            newer = not found.isdecimal() or int(found) > SCHEMA_VERSION
            raise WorkspaceSchemaError("catalog", found, str(SCHEMA_VERSION), newer=newer)
        return catalog

    @classmethod
    def upgrade(
        cls, url: str, backup_dir: str | Path, storage_options: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Bring a catalog of an older version to this release's, after a backup; see `catalog.upgrade`.

        Returns:
            What was done, step by step; nothing where the catalog has this version already.
        """
        from deeplens_kit.catalog.upgrade import upgrade_catalog

        return upgrade_catalog(url, str(backup_dir), storage_options or {}, SCHEMA_VERSION)

    def copy_to(self, target: str, storage_options: Mapping[str, str] | None = None) -> tuple[str, int]:
        """Copy the catalog as it stands at one moment, while others write to it; see `catalog.copying`.

        Args:
            target: Folder or address where there is no catalog.
            storage_options: For the object store of the copy.

        Returns:
            The schema version, and how many objects there are.
        """
        from deeplens_kit.catalog.copying import copy_catalog

        return copy_catalog(self.url, target, self._options, storage_options or {})

    # --- Writing -----------------------------------------------------------------------------------------

    def write_batch(self, batch: CatalogBatch) -> None:
        """Commit a batch; writing it again, wholly or after a kill, gives the same rows.

        Raises:
            TypeError: The batch does not fit the schemas.
            WorkspaceError: The store refused, or an indexed object's picture is neither in the batch nor in the
                catalog (swept in between, or batches out of order): nothing of `objects` was written.
            StoreFullError: No space is left; what was committed before is kept.
        """
        batch = batch.checked()
        with translated("write to", self.url), writing_lock(self.url, alone=False):
            for spec, (digests, matrix) in batch.vectors.items():
                if digests:
                    self._vector_table(spec).upsert(vector_table(spec, digests, matrix, batch.run_id))
            self._upsert("metadata", batch.metadata)
            self._upsert("pictures", batch.pictures)
            self._require_pictures(batch)
            self._upsert("failures", batch.failures)
            self._upsert("objects", batch.objects)
            self._tables["failures"].delete(batch.cleared_failures)

    def remove_objects(self, object_ids: Sequence[str]) -> None:
        """Forget objects that are gone, and their failures; their pictures stay until the sweep."""
        with translated("write to", self.url):
            self._tables["objects"].delete(object_ids)
            self._tables["failures"].delete(object_ids)

    def clear_failures(self, object_ids: Sequence[str]) -> None:
        """Forget the failures of objects, or of folders (ids that end in '/')."""
        with translated("write to", self.url):
            self._tables["failures"].delete(object_ids)

    def replace_pairs(self, pairs: pl.DataFrame, fingerprint: str) -> None:
        """Replace all pairs at once.

        Args:
            pairs: PAIRS.
            fingerprint: Names everything that the pairs were made from; given back by `pairs_fingerprint`.
        """
        table = self._tables["pairs"]
        rows = arrow_table(PAIRS.check(pairs), table.schema)
        with translated("write to", self.url):
            table.overwrite(rows, {FINGERPRINT: fingerprint})

    def add_features(
        self,
        features: pl.DataFrame,
        vectors: Mapping[FeatureSpec, tuple[list[str], NDArray[np.float16]]],
        run_id: str,
    ) -> None:
        """Commit features that pictures of the catalog get later; digests without a picture are passed over.

        The vectors are written first: a picture that says that it has a feature has it.

        Args:
            features: Columns digest and features (texts): the keys that each picture has afterwards.
            vectors: As of `CatalogBatch`.
            run_id: The run that writes them.

        Raises:
            TypeError: Vectors do not fit their feature.
            WorkspaceError: The store refused.
            StoreFullError: No space is left; what was committed before is kept.
        """
        batch = CatalogBatch(vectors=vectors, run_id=run_id).checked()
        with translated("write to", self.url), writing_lock(self.url, alone=False):
            for spec, (digests, matrix) in batch.vectors.items():
                if digests:
                    self._vector_table(spec).upsert(vector_table(spec, digests, matrix, batch.run_id))
        self._set_on_pictures(features.select("digest", pl.col("features").cast(pl.String)))

    def set_effective_pixels(self, measured: pl.DataFrame) -> None:
        """Set what was measured on pictures; digests without a picture are passed over.

        Args:
            measured: Columns digest (text) and effective_pixels (Int64).
        """
        self._set_on_pictures(measured.select("digest", pl.col("effective_pixels").cast(pl.Int64)))

    def set_samples(self, measured: pl.DataFrame) -> None:
        """Set the digests of native samples on pictures; digests without a picture are passed over.

        Args:
            measured: Columns digest and samples (texts).
        """
        self._set_on_pictures(measured.select("digest", pl.col("samples").cast(pl.String)))

    def sweep(self) -> int:
        """Remove pictures, vectors, metadata and failures to which no object leads; returns how many rows went.

        Waits for batches being written by other processes on this machine. On object storage there is no such
        lock: sweep there only while nothing writes.
        """
        with translated("sweep", self.url), writing_lock(self.url, alone=True):
            digests = self._referenced()
            removed = 0
            for table in (*self._vector_tables().values(), self._tables["metadata"], self._tables["pictures"]):
                keys = pl.Series("digest", table.read(["digest"])["digest"], pl.String)
                removed += table.delete(keys.filter(~keys.is_in(digests.implode())).to_list())
            failures = self._frame("failures", FAILURES.names)
            orphans = failures.join(self._shown(failures), on="object_id", how="anti")["object_id"]
            return removed + self._tables["failures"].delete(orphans.to_list())

    def compact(self, keep_old_versions: timedelta = KEEP_OLD_VERSIONS) -> None:
        """Join small files, bring indices up to date and drop old versions; rows stay as they are.

        Args:
            keep_old_versions: Older versions are dropped; readers of them fail.
        """
        with translated("compact", self.url):
            for table in (*self._tables.values(), *self._vector_tables().values(), self._manifest.table):
                table.tidy(keep_old_versions)

    def rows_of_picture(self, digest: str) -> dict[str, int]:
        """How many rows of each table are of a picture, also those that readers are not shown."""
        with translated("read", self.url):
            return rows_with(self._data_tables(), digest)

    def forget_picture(self, digest: str) -> dict[str, int]:
        """Take a picture out for good: every row of it, deleted rows in files, older versions of all tables.

        Readers of older versions fail. Nothing else may write meanwhile; on this machine batches are waited for.

        Args:
            digest: SHA-256 of its bytes; one that the catalog does not know is no error.

        Returns:
            How many rows went, by table.

        Raises:
            WorkspaceError: The store refused; calling it again goes on.
            StoreFullError: No space is left: tables with deleted rows are written anew.
        """
        with translated("write to", self.url), writing_lock(self.url, alone=True):
            tables = self._data_tables()
            gone = forget_rows(tables, digest)
            purge(tables, alone=local_folder(self.url) is not None)
            return gone

    # --- Inside -----------------------------------------------------------------------------------------

    def _data_tables(self) -> dict[str, LanceTable]:
        return {**self._tables, **self._vector_tables()}

    def _vector_table(self, spec: FeatureSpec) -> LanceTable:
        table = self._vector_tables().get(spec.table)
        if table is None:
            table = self._table(spec.table, vector_schema(spec), "digest")
            table.create()
            self._manifest.add_vectors(spec)
        return table

    def _set_on_pictures(self, measured: pl.DataFrame) -> None:
        import pyarrow as pa

        table = self._tables["pictures"]
        schema = pa.schema([table.schema.field(name) for name in measured.columns])
        with translated("write to", self.url):
            table.update(arrow_table(measured.unique("digest", keep="last"), schema))

    def _upsert(self, name: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self._tables[name].upsert(arrow_table(frame, self._tables[name].schema))

    def _require_pictures(self, batch: CatalogBatch) -> None:
        indexed = batch.objects.filter(pl.col("outcome") == Outcome.INDEXED)
        elsewhere = indexed["digest"].drop_nulls().unique()
        elsewhere = elsewhere.filter(~elsewhere.is_in(batch.pictures["digest"].implode()))
        if elsewhere.is_empty():
            return
        known = self._frame("pictures", ["digest"], one_of("digest", elsewhere))["digest"]
        missing = elsewhere.filter(~elsewhere.is_in(known.implode()))
        if missing.len():
            path = indexed.filter(pl.col("digest") == missing[0])["path"][0]
            raise WorkspaceError(
                f"{missing.len()} pictures were removed from the catalog while they were indexed, the first that of "
                f"{path!r}; nothing is lost, run `deeplens index` again."
            )
