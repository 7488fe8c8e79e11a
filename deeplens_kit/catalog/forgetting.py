"""One picture, taken out of the catalog for good: of the tables, their indices and their older versions.

Takes the tables of a catalog and a digest, gives counts; must not touch users' files. What readers start from goes
first, so that a kill in between leaves nothing that could be found, and the same call again goes on. A row that is
deleted still lies in the files of its table until they are written anew, and in those of older versions until they
are dropped: both is done here, also for tables from which nothing was deleted this time.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deeplens_kit.catalog.lance_table import LanceTable, quoted
from deeplens_kit.catalog.reader import FINGERPRINT
from deeplens_kit.catalog.tables import arrow_table
from deeplens_kit.schemas import PAIRS

__all__ = ["forget_rows", "purge", "rows_with"]

_DIGESTS = ("digest", "digest_a", "digest_b")


def rows_with(tables: Mapping[str, LanceTable], digest: str) -> dict[str, int]:
    """How many rows of each table are of a picture; tables without one are left out.

    Args:
        tables: By name.
        digest: SHA-256 of its bytes.
    """
    found = {}
    for name, table in tables.items():
        if count := table.read([_first(table)], _where(table, digest)).num_rows:
            found[name] = count
    return found


def forget_rows(tables: Mapping[str, LanceTable], digest: str) -> dict[str, int]:
    """Delete the rows of a picture; returns how many of each table."""
    gone = dict.fromkeys(tables, 0)
    objects = tables["objects"]
    ids = objects.read(["object_id"], _where(objects, digest))["object_id"].to_pylist()
    gone["objects"] = objects.delete(ids)
    failures = tables["failures"]
    of_digest = failures.read(["object_id"], _where(failures, digest))["object_id"].to_pylist()
    gone["failures"] = failures.delete([*ids, *of_digest])
    for name, table in tables.items():
        if table.key == "digest":
            gone[name] = table.delete([digest])
    gone["pairs"] = _forget_pairs(tables["pairs"], digest)
    return {name: count for name, count in gone.items() if count}


def purge(tables: Mapping[str, LanceTable], *, alone: bool) -> None:
    """Leave of each table nothing but the rows that it has now.

    Args:
        tables: By name.
        alone: Nobody else writes: files of commits that never came to be are removed too.
    """
    for table in tables.values():
        table.purge(alone=alone)


def _forget_pairs(table: LanceTable, digest: str) -> int:
    count = int(table.read([_first(table)], _where(table, digest)).num_rows)
    if count:
        kept = f"digest_a <> {quoted(digest)} AND digest_b <> {quoted(digest)}"
        frame = pl.from_arrow(table.read(PAIRS.names, kept))
        assert isinstance(frame, pl.DataFrame), "a table has columns"
        # The name of what they were made from stays: analysis tells by it that a picture went, as after any removal.
        said = table.metadata()
        table.overwrite(
            arrow_table(frame, table.schema), {FINGERPRINT: said[FINGERPRINT]} if FINGERPRINT in said else {}
        )
    return count


def _first(table: LanceTable) -> str:
    return next(name for name in _DIGESTS if name in table.schema.names)


def _where(table: LanceTable, digest: str) -> str:
    return " OR ".join(f"{name} = {quoted(digest)}" for name in _DIGESTS if name in table.schema.names)
