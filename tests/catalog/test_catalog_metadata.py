"""What files say about themselves is written with their pictures, once, and swept with them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.schemas import METADATA, PICTURES


def metadata_of(pictures: pl.DataFrame, tags: str = '[["EXIF", "Make", "é", ""]]') -> pl.DataFrame:
    rows = [
        {
            "digest": digest,
            "tags": tags,
            "maker_note": bytes([number, 0]) if number % 2 else None,
            "problems": "",
            "run_id": "r1",
        }
        for number, digest in enumerate(pictures["digest"])
    ]
    return pl.DataFrame(rows, schema=METADATA.polars)


def with_metadata(batch: CatalogBatch, **options: str) -> CatalogBatch:
    return replace(batch, metadata=metadata_of(batch.pictures, **options))


def test_metadata_comes_back_and_a_batch_can_be_written_again(catalog: Catalog, rows: SimpleNamespace) -> None:
    batch = with_metadata(rows.batch(range(10)))
    catalog.write_batch(batch)
    before = catalog.table_digests()
    catalog.write_batch(batch)
    assert catalog.table_digests() == before
    assert_frame_equal(catalog.metadata(), batch.metadata, check_row_order=False)
    first = batch.metadata["digest"][0]
    assert catalog.metadata([first, "0" * 64]).to_dicts() == batch.metadata.head(1).to_dicts()
    catalog.write_batch(with_metadata(rows.batch(range(2)), tags="[]"))
    assert catalog.metadata([first])["tags"].to_list() == ["[]"]
    assert catalog.table_digests()["metadata"] != before["metadata"]


def test_metadata_without_an_object_is_not_there_and_is_swept(catalog: Catalog, rows: SimpleNamespace) -> None:
    batch = with_metadata(rows.batch(range(10)))
    # Killed before its objects were committed: nothing shows, and the sweep takes it.
    catalog.write_batch(replace(batch, objects=batch.objects.clear()))
    assert catalog.metadata().is_empty()
    assert catalog.sweep() == 3 * batch.pictures.height
    assert catalog._tables["metadata"].read(["digest"]).num_rows == 0
    catalog.write_batch(batch)
    gone = batch.objects.filter(digest=batch.metadata["digest"][0])["object_id"].to_list()
    catalog.remove_objects(gone)
    assert catalog.metadata().height == batch.metadata.height - 1
    assert catalog.sweep() == 3


def test_dates_survive_with_their_zone_and_fraction(catalog: Catalog, rows: SimpleNamespace) -> None:
    batch = rows.batch(range(8))
    catalog.write_batch(batch)
    assert_frame_equal(PICTURES.check(catalog.pictures()), batch.pictures, check_row_order=False)


def test_rows_of_another_shape_are_refused(catalog: Catalog, rows: SimpleNamespace) -> None:
    batch = rows.batch(range(2))
    with pytest.raises(TypeError, match="metadata"):
        catalog.write_batch(replace(batch, metadata=metadata_of(batch.pictures).drop("problems")))
