"""A picture that is forgotten is in no row, no index, no older version and no file of the catalog."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from deeplens_kit.catalog import Catalog, CatalogBatch, lance_table

MINE = 4


def files_with(catalog: Catalog, text: str) -> list[str]:
    return [
        str(path.relative_to(catalog.url))
        for path in Path(catalog.url).rglob("*")
        if path.is_file() and (text.encode() in (read := path.read_bytes()) or bytes.fromhex(text) in read)
    ]


@pytest.mark.parametrize("indexed", [False, True])
def test_nothing_of_it_is_left_and_all_else_is(
    catalog: Catalog, rows: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, indexed: bool
) -> None:
    if indexed:
        monkeypatch.setattr(lance_table, "INDEX_FROM_ROWS", 5)
    for token in ("t", "later"):
        catalog.write_batch(rows.batch(range(20), token=token))
    mine = rows.pictures([MINE])["digest"][0]
    of_mine = pl.lit(mine).alias("digest")
    unread = rows.objects([30], outcome="unreadable").with_columns(of_mine)
    catalog.write_batch(CatalogBatch(objects=unread, failures=rows.failures([30]).with_columns(of_mine)))
    catalog.replace_pairs(rows.pairs(range(20)), "made from these")
    if indexed:
        catalog.compact()
    before = catalog.objects(), catalog.pictures(), catalog.pairs()
    assert files_with(catalog, mine), "else the test shows nothing"

    gone = catalog.forget_picture(mine)
    of_pair = pl.any_horizontal(pl.col("digest_a", "digest_b") == mine)
    assert gone["objects"] == 3 and gone["failures"] == 1 and gone["pictures"] == 1 and gone[rows.spec.table] == 1
    assert gone["pairs"] == before[2].filter(of_pair).height > 0
    assert files_with(catalog, mine) == []
    assert catalog.rows_of_picture(mine) == {}
    for now, then in zip((catalog.objects(), catalog.pictures()), before, strict=False):
        key = now.columns[0]
        assert now.sort(key).equals(then.filter(pl.col("digest") != mine).sort(key))
    pairs = before[2].filter(~of_pair)
    assert catalog.pairs().sort(pairs.columns[:2]).equals(pairs.sort(pairs.columns[:2]))
    assert catalog.pairs_fingerprint() == "made from these"
    assert catalog.forget_picture(mine) == {}, "again it is no error"
    catalog.write_batch(rows.batch([MINE]))
    assert catalog.rows_of_picture(mine), "and it can come back"
