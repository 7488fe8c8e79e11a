"""The digest tells contents apart and nothing else."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.catalog.digest import catalog_digest, rows_digest, vectors_digest

_ROW = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(max_size=3),
        "flag": st.none() | st.booleans(),
        "number": st.none() | st.integers(-(2**31), 2**31 - 1),
        "share": st.none() | st.floats(width=32),
        "bits": st.none() | st.integers(0, 2**64 - 1),
        "raw": st.none() | st.binary(max_size=3),
    }
)
_TYPES = {
    "key": pl.Int64(),
    "text": pl.String(),
    "flag": pl.Boolean(),
    "number": pl.Int32(),
    "share": pl.Float32(),
    "bits": pl.UInt64(),
    "raw": pl.Binary(),
}


def frame_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([{"key": key, **row} for key, row in enumerate(rows)], schema=_TYPES)


@given(st.lists(_ROW, max_size=6), st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_and_chunks_does_not_matter(
    rows: list[dict[str, object]], order: random.Random
) -> None:
    frame = frame_of(rows)
    picked = list(range(frame.height))
    order.shuffle(picked)
    names = list(_TYPES)
    order.shuffle(names)
    parts = [frame[row] for row in picked]
    shuffled = pl.concat(parts, rechunk=False).select(names) if parts else frame
    assert rows_digest(shuffled, ["key"]) == rows_digest(frame, ["key"])


@given(st.lists(_ROW, min_size=1, max_size=4), st.lists(_ROW, min_size=1, max_size=4))
def test_other_rows_have_another_digest(left: list[dict[str, object]], right: list[dict[str, object]]) -> None:
    one, two = frame_of(left), frame_of(right)
    # Two floats are one value here where they are equal, or both no number.
    equal = one.with_columns(pl.col("share") + 0.0).equals(two.with_columns(pl.col("share") + 0.0))
    assert (rows_digest(one, ["key"]) == rows_digest(two, ["key"])) == equal


def test_the_digest_is_pinned() -> None:
    """A digest written down with one release must be found again with the next."""
    rows = [
        {"text": "é\n", "flag": True, "number": -5, "share": 0.1, "bits": 2**64 - 1, "raw": b"\x00\xff"},
        dict.fromkeys(["text", "flag", "number", "share", "bits", "raw"]),
    ]
    assert rows_digest(frame_of(rows), ["key"])[:16] == "f9827c1b92d4d577"
    matrix = np.array([[1, 2], [0.5, -3]], np.float16)
    assert vectors_digest(["b", "a"], matrix)[:16] == "f3bc996da4f6bd5f"
    assert catalog_digest({"b": "1", "a": "2"})[:16] == "f83064ffb35a8fbf"
    assert vectors_digest(["a", "b"], matrix[::-1]) == vectors_digest(["b", "a"], matrix)
    assert vectors_digest(["a", "b"], matrix) != vectors_digest(["b", "a"], matrix)


def test_batches_order_runs_and_compaction_do_not_matter(
    catalog: Catalog, rows: SimpleNamespace, tmp_path: Path
) -> None:
    catalog.write_batch(rows.batch(range(30)))
    catalog.write_batch(CatalogBatch(objects=rows.objects([40], outcome="unreadable"), failures=rows.failures([40])))
    catalog.replace_pairs(rows.pairs(range(5)), "x")
    other = Catalog.create(str(tmp_path / "other"))
    other.write_batch(
        CatalogBatch(
            objects=rows.objects([40], outcome="unreadable", run="z"), failures=rows.failures([40], run="z", later=9)
        )
    )
    for start in (20, 10, 0):
        other.write_batch(rows.batch(range(start, start + 10), run=f"z{start}"))
        other.compact(timedelta(0))
    other.replace_pairs(rows.pairs(reversed(range(5)), run="z"), "y")
    assert other.table_digests() == catalog.table_digests()
    assert sorted(catalog.table_digests()) == ["failures", "metadata", "objects", "pairs", "pictures", rows.spec.table]


@pytest.mark.parametrize("table", ["objects", "pictures", "failures", "pairs", "vectors"])
def test_each_table_counts(catalog: Catalog, rows: SimpleNamespace, table: str) -> None:
    catalog.write_batch(rows.batch(range(4)))
    catalog.write_batch(CatalogBatch(objects=rows.objects([9], outcome="unreadable"), failures=rows.failures([9])))
    before, whole = catalog.table_digests(), catalog.digest()
    if table == "objects":
        catalog.write_batch(CatalogBatch(objects=rows.objects([0], token="other")))
    elif table == "pictures":
        pictures = rows.pictures([0]).with_columns(camera=pl.lit("another"))
        catalog.write_batch(CatalogBatch(pictures=pictures))
    elif table == "failures":
        catalog.clear_failures(rows.objects([9])["object_id"].to_list())
    elif table == "pairs":
        catalog.replace_pairs(rows.pairs([1]), "x")
    else:
        names, matrix = rows.vectors([2])
        catalog.write_batch(CatalogBatch(vectors={rows.spec: (names, matrix + 1)}))
    after = catalog.table_digests()
    assert {name for name in after if after[name] != before[name]} == {rows.spec.table if table == "vectors" else table}
    assert catalog.digest() != whole


def test_what_was_measured_when_needed_does_not_count(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(4)))
    before = catalog.digest()
    catalog.set_effective_pixels(pl.DataFrame({"digest": [rows.digest_of(0)], "effective_pixels": [5]}))
    assert catalog.digest() == before


def test_names_of_locations_make_workspaces_comparable(catalog: Catalog, rows: SimpleNamespace, tmp_path: Path) -> None:
    other = Catalog.create(str(tmp_path / "other"))
    for each, location in ((catalog, "a1"), (other, "a12")):
        each.write_batch(rows.batch(range(4), location=location))
        failing = rows.objects([9], outcome="unreadable", location=location)
        each.write_batch(CatalogBatch(objects=failing, failures=rows.failures([9], location=location)))
    assert catalog.digest() != other.digest()
    assert catalog.digest({"a1": "pics"}) == other.digest({"a12": "pics"})
    assert catalog.digest({"a1": "pics"}) != other.digest({"a12": "other"})
