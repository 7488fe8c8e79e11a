"""One Lance table: create, upsert, delete, read, overwrite, tidy.

Takes and gives Arrow tables; must not know what the columns mean. Each call opens the latest version, so that
what other processes committed is seen and threads share no handle. Raises what Lance raises: the catalog
translates.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from deeplens_kit.catalog.faults import is_conflict, is_missing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["INDEX_FROM_ROWS", "LanceTable", "quoted"]

# Lance takes up the newest version and tries again when another writer committed first; with a dozen writers
# each commit of about 20 ms is reached well within these.
CONFLICT_RETRIES = 50
RETRY_SECONDS = 120.0
# Below this an upsert compares with all keys faster than it reads an index (measured: equal near 10,000 rows).
INDEX_FROM_ROWS = 10_000
# Lance joins the rows of one merge with the table in a pool of 300 MB that cannot spill; 100,000 rows of `objects`
# filled it.
ROWS_PER_MERGE = 20_000
# Rows of metadata have a few thousand letters each.
ROWS_PER_PART = 16_384
# Else Lance reads up to 2 GB ahead.
_BYTES_AHEAD = 1 << 26


@dataclass(frozen=True, slots=True)
class LanceTable:
    """A table by name at an address.

    Attributes:
        name: Name of the table.
        url: Folder or object-store address of the Lance dataset.
        schema: Arrow schema of its rows.
        key: Column that identifies a row; empty for a table that is only ever replaced as a whole.
        storage_options: Passed on to the object store.
    """

    name: str
    url: str
    schema: pa.Schema
    key: str
    storage_options: Mapping[str, str]

    def dataset(self) -> Any:
        """The latest version of the dataset (`lance.LanceDataset`)."""
        import lance

        return lance.dataset(self.url, storage_options=dict(self.storage_options) or None)

    def exists(self) -> bool:
        """Whether the table was ever made."""
        try:
            self.dataset()
        except (ValueError, OSError) as error:
            if is_missing(error):
                return False
            raise
        return True

    def create(self) -> None:
        """Make the table without rows; one that exists, or that another process makes now, stays as it is."""
        import lance

        if self.exists():
            return
        try:
            lance.write_dataset(
                self.schema.empty_table(), self.url, mode="create", storage_options=dict(self.storage_options) or None
            )
        except OSError as error:
            if "already exists" not in str(error) and not (is_conflict(error) and self.exists()):
                raise

    def upsert(self, rows: pa.Table) -> None:
        """Insert rows, or replace those that have the same key; in one commit for each ROWS_PER_MERGE.

        Keys must not repeat in `rows`.
        """
        for part in _parts(rows):
            self._merge().when_matched_update_all().when_not_matched_insert_all().execute(part)

    def update(self, rows: pa.Table) -> None:
        """Set the columns of `rows` (the key and some others) where the key exists; commits as `upsert`."""
        for part in _parts(rows):
            self._merge().when_matched_update_all().execute(part)

    def delete(self, keys: Sequence[str]) -> int:
        """Remove rows by key; keys that do not exist are passed over. Returns how many went. Commits as `upsert`."""
        import pyarrow as pa

        field = self.schema.field(self.key)
        rows = pa.table([pa.array(list(dict.fromkeys(keys)), field.type)], schema=pa.schema([field]))
        return sum(int(self._merge().when_matched_delete().execute(part)["num_deleted_rows"]) for part in _parts(rows))

    def read(self, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Rows of the latest version, in no particular order.

        Args:
            columns: Names of the columns wanted.
            where: Condition in SQL; quote texts with `quoted`.
        """
        return self.dataset().to_table(columns=list(columns), filter=where, scan_in_order=False)

    def parts(
        self, columns: Sequence[str], where: str | None = None, *, rows: int = ROWS_PER_PART
    ) -> Iterator[pa.Table]:
        """The rows of `read` in parts of at most so many."""
        import pyarrow as pa

        scanner = self.dataset().scanner(
            columns=list(columns),
            filter=where,
            batch_size=rows,
            batch_readahead=1,
            io_buffer_size=_BYTES_AHEAD,
            scan_in_order=False,
        )
        for batch in scanner.to_batches():
            yield pa.Table.from_batches([batch])

    def overwrite(self, rows: pa.Table, metadata: Mapping[str, str]) -> None:
        """Replace all rows and the schema's metadata at once; readers see the old ones or the new ones."""
        import lance

        lance.write_dataset(
            rows.replace_schema_metadata(dict(metadata)),
            self.url,
            mode="overwrite",
            storage_options=dict(self.storage_options) or None,
        )

    def content_id(self) -> str:
        """The latest version and the names of its files, as one text."""
        dataset = self.dataset()
        files = sorted(str(file.path) for part in dataset.get_fragments() for file in part.data_files())
        return " ".join([str(dataset.version), *files])

    def metadata(self) -> dict[str, str]:
        """Metadata of the latest schema."""
        found = self.dataset().schema.metadata or {}
        return {name.decode(): value.decode() for name, value in found.items()}

    def tidy(self, keep_old_versions: timedelta) -> None:
        """Join small files, bring the key's index up to date, and drop versions older than that."""
        self._retried(self._compact)
        if self.key:
            self._retried(self._index_key)
        # Files of a commit under way are unverified: Lance leaves those alone for seven days.
        self.dataset().cleanup_old_versions(older_than=keep_old_versions)

    def purge(self, *, alone: bool) -> None:
        """Write anew all files with deleted rows, and the key's index, and drop every version but the last.

        Args:
            alone: Nobody else writes: files of commits under way, or that never came to be, go too.
        """
        self._retried(self._rewrite)
        if self.key:
            self._retried(self._index_anew)
        self.dataset().cleanup_old_versions(older_than=timedelta(0), delete_unverified=alone)

    def _rewrite(self) -> None:
        self.dataset().optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)

    def _index_anew(self) -> None:
        dataset = self.dataset()
        if dataset.has_index:
            dataset.create_scalar_index(self.key, "BTREE", replace=True)

    def _compact(self) -> None:
        self.dataset().optimize.compact_files()

    def _index_key(self) -> None:
        dataset = self.dataset()
        if dataset.has_index:
            dataset.optimize.optimize_indices()
        elif dataset.count_rows() >= INDEX_FROM_ROWS:
            dataset.create_scalar_index(self.key, "BTREE")

    def _merge(self) -> Any:
        return (
            self.dataset()
            .merge_insert(self.key)
            .conflict_retries(CONFLICT_RETRIES)
            .retry_timeout(timedelta(seconds=RETRY_SECONDS))
        )

    def _retried(self, step: Callable[[], None]) -> None:
        """Run a maintenance step, again while writers get in between: unlike upserts Lance does not retry these."""
        deadline = time.monotonic() + RETRY_SECONDS
        wait_seconds = 0.01
        while True:
            try:
                step()
            except (OSError, RuntimeError) as error:
                if not is_conflict(error) or time.monotonic() > deadline:
                    raise
                time.sleep(wait_seconds * random.uniform(0.5, 1.5))
                wait_seconds = min(2 * wait_seconds, 1.0)
            else:
                return


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _parts(rows: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, ROWS_PER_MERGE):
        yield rows.slice(start, ROWS_PER_MERGE)
