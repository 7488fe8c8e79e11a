"""What is written to the catalog comes back, and only what an object leads to."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import lance
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.errors import UnknownNameError, WorkspaceError
from deeplens_kit.schemas import FAILURES, OBJECTS, PAIRS, PICTURES


def same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_row_order=False, check_exact=True)


def test_an_empty_catalog_reads_as_empty_frames(catalog: Catalog, rows: SimpleNamespace) -> None:
    same(catalog.objects(), OBJECTS.empty())
    same(catalog.pictures(), PICTURES.empty())
    same(catalog.failures(), FAILURES.empty())
    same(catalog.pairs(), PAIRS.empty())
    assert catalog.pairs_fingerprint() is None
    names, matrix = catalog.vectors(rows.spec)
    assert (names, matrix.shape, matrix.dtype) == ([], (0, 8), np.dtype("float16"))
    assert catalog.object_at("l1", "x.jpg") is None
    catalog.write_batch(CatalogBatch())
    assert catalog.sweep() == 0


def test_every_column_comes_back_exactly(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(20)))
    catalog.write_batch(
        CatalogBatch(objects=rows.objects([30, 31], outcome="unreadable"), failures=rows.failures([30, 31]))
    )
    reopened = Catalog.open(catalog.url)
    same(reopened.objects(), pl.concat([rows.objects(range(20)), rows.objects([30, 31], outcome="unreadable")]))
    same(reopened.pictures(), rows.pictures(range(20)))
    same(reopened.failures(), rows.failures([30, 31]))
    names, matrix = reopened.vectors(rows.spec)
    wanted_names, wanted = rows.vectors(range(20))
    order = np.argsort(names)
    assert [names[i] for i in order] == sorted(wanted_names)
    assert np.array_equal(matrix[order], wanted[np.argsort(wanted_names)])


def test_features_are_added_to_pictures_that_are_there(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(6)))
    later = replace(rows.spec, name="later")
    names, matrix = rows.vectors(range(10))
    present = [name in set(rows.pictures(range(6))["digest"]) for name in names]
    assert any(present) and not all(present)
    features = pl.DataFrame({"digest": names, "features": ["both"] * len(names)})
    before = catalog.versions()
    for _ in range(2):
        catalog.add_features(features, {later: (names, matrix)}, "run-2")
    assert catalog.versions() != before
    changed = pl.when(pl.col("digest").is_in(names)).then(pl.lit("both")).otherwise("features").alias("features")
    same(catalog.pictures(), rows.pictures(range(6)).with_columns(changed))
    found, vectors = catalog.vectors(later)
    wanted = {name: row for name, row, there in zip(names, matrix, present, strict=True) if there}
    assert sorted(found) == sorted(wanted)
    assert np.array_equal(vectors, np.stack([wanted[name] for name in found]))
    with pytest.raises(TypeError, match="should be float16"):
        catalog.add_features(features, {later: (names, matrix[:1])}, "run-2")


def test_writing_again_replaces_by_key(catalog: Catalog, rows: SimpleNamespace) -> None:
    for _ in range(2):
        catalog.write_batch(rows.batch(range(10)))
    before = catalog.digest()
    catalog.write_batch(rows.batch(range(5), run="r2"))
    assert catalog.objects().height == 10
    assert catalog.digest() == before
    catalog.write_batch(rows.batch([3], token="changed"))
    assert catalog.objects(columns=["change_token"])["change_token"].sort().to_list().count("changed:3") == 1
    assert catalog.digest() != before


def test_a_key_twice_in_one_batch_is_one_row_and_the_last_wins(catalog: Catalog, rows: SimpleNamespace) -> None:
    twice = pl.concat([rows.objects([4]), rows.objects([4], token="later")])
    names, matrix = rows.vectors([4])
    catalog.write_batch(
        CatalogBatch(
            objects=twice,
            pictures=pl.concat([rows.pictures([4]), rows.pictures([4])]),
            vectors={rows.spec: (names * 2, np.concatenate([matrix, matrix + 1]))},
        )
    )
    assert catalog.objects()["change_token"].to_list() == ["later:4"]
    assert catalog.pictures().height == 1
    assert np.array_equal(catalog.vectors(rows.spec)[1], matrix + 1)


def test_readers_choose_location_columns_and_pictures(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(6)))
    catalog.write_batch(rows.batch(range(4), location="l'2"))
    assert catalog.objects("l'2", ["path", "link_count"]).columns == ["path", "link_count"]
    assert catalog.objects("l'2").height == 4
    wanted = [rows.digest_of(4), "no such digest", rows.digest_of(0)]
    assert sorted(catalog.pictures(wanted, ["digest"])["digest"]) == sorted([wanted[0], wanted[2]])
    assert catalog.pictures(wanted, ["height_px"]).columns == ["height_px"]
    names, matrix = catalog.vectors(rows.spec, wanted)
    assert names == [wanted[0], wanted[2]]
    assert matrix[:, 0].tolist() == [4.0, 0.0]
    assert catalog.pictures([]).height == 0
    assert catalog.vectors(rows.spec, [])[1].shape == (0, 8)
    with pytest.raises(UnknownNameError, match="did you mean 'change_token'"):
        catalog.objects(columns=["change_tokn"])


def test_vectors_come_in_blocks_as_they_come_at_once(catalog: Catalog, rows: SimpleNamespace) -> None:
    assert (len(catalog.vector_blocks(rows.spec)[0]), list(catalog.vector_blocks(rows.spec)[1])) == (0, [])
    for first in (0, 100):
        catalog.write_batch(rows.batch(range(first, first + 100, 2)))
    # Rows of pictures that no object has any more are passed over, in both batches.
    catalog.remove_objects([f"l1/{rows.path_of(n)}" for n in (4, 120)])
    names, matrix = catalog.vectors(rows.spec)
    vector_of = dict(zip(names, matrix.tolist(), strict=True))
    assert len(names) == 98
    few = [names[90], "no such digest", names[1], names[50]]
    for wanted, asked in ((None, names), (few, [names[90], names[1], names[50]]), (names[:80], names[:80]), ([], [])):
        digests, blocks = catalog.vector_blocks(rows.spec, wanted, rows_per_block=16)
        read = list(blocks)
        assert sorted(digests) == sorted(asked)
        assert [name for texts, _ in read for name in texts] == digests.to_list()
        assert all(len(texts) == len(vectors) <= 16 and vectors.dtype == np.float16 for texts, vectors in read)
        for texts, vectors in read:
            assert vectors.tolist() == [vector_of[name] for name in texts]


@pytest.mark.parametrize("number", range(5))
def test_an_object_is_found_by_any_path(catalog: Catalog, rows: SimpleNamespace, number: int) -> None:
    catalog.write_batch(rows.batch(range(5)))
    found = catalog.object_at("l1", rows.path_of(number))
    assert found == rows.objects([number]).row(0, named=True)


def test_many_keys_at_once_are_read_as_few_are(catalog: Catalog, rows: SimpleNamespace) -> None:
    numbers = range(0, 1400, 2)
    catalog.write_batch(rows.batch(numbers))
    all_of_them = [rows.digest_of(n) for n in numbers]
    same(catalog.pictures(all_of_them[:-1]), rows.pictures(numbers[:-1]))
    assert catalog.vectors(rows.spec, all_of_them)[0] == all_of_them
    failing = range(1, 1401, 2)
    catalog.write_batch(
        CatalogBatch(objects=rows.objects(failing, outcome="unreadable"), failures=rows.failures(failing))
    )
    assert catalog.failures().height == len(failing)


def test_what_no_object_leads_to_is_not_there_and_is_swept(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(10)))
    undisturbed = catalog.digest()
    catalog.write_batch(
        CatalogBatch(
            pictures=rows.pictures(range(20)),
            failures=rows.failures(range(40, 43)),
            vectors={rows.spec: rows.vectors(range(30))},
        )
    )
    assert catalog.pictures().height == 5
    assert len(catalog.vectors(rows.spec)[0]) == 5
    assert catalog.failures().is_empty()
    assert catalog.digest() == undisturbed
    assert catalog.sweep() == 5 + 10 + 3
    assert catalog.sweep() == 0
    assert catalog.digest() == undisturbed


def test_removed_objects_take_their_failures_along(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(4)))
    catalog.write_batch(
        CatalogBatch(objects=rows.objects([8, 9], outcome="unreadable"), failures=rows.failures([8, 9]))
    )
    gone = rows.objects([1, 2, 8])["object_id"].to_list()
    catalog.remove_objects([*gone, "l1/never there"])
    assert sorted(catalog.objects()["object_id"]) == sorted(rows.objects([0, 3, 9])["object_id"])
    assert catalog.failures()["object_id"].to_list() == rows.objects([9])["object_id"].to_list()
    assert sorted(catalog.pictures()["digest"]) == sorted([rows.digest_of(0), rows.digest_of(2)])
    # Until the sweep a picture without an object is there for who asks for it: its object may come back.
    every = set(catalog.pictures()["digest"])
    catalog.remove_objects(catalog.objects()["object_id"].to_list())
    assert set(catalog.pictures([*every, "none"], ["digest"], unreferenced=True)["digest"]) == every
    assert catalog.pictures([*every]).is_empty()
    catalog.remove_objects([])


def test_a_failure_stands_until_its_object_is_read(catalog: Catalog, rows: SimpleNamespace) -> None:
    folder = rows.failures([7]).with_columns(
        object_id=pl.lit("l1/hidden/"), path=pl.lit("hidden/"), stage=pl.lit("list")
    )
    catalog.write_batch(
        CatalogBatch(
            objects=rows.objects([0, 1], outcome="unreadable"),
            failures=pl.concat([rows.failures([0, 1]), folder, rows.failures([2], stage="features")]),
        )
    )
    catalog.write_batch(rows.batch([2]))
    assert catalog.failures().height == 4
    assert catalog.failures("l2").is_empty()
    catalog.write_batch(rows.batch([0]))
    assert catalog.failures().height == 3, "object 0 is indexed now"
    batch = rows.batch([1])
    catalog.write_batch(
        CatalogBatch(
            objects=batch.objects,
            pictures=batch.pictures,
            cleared_failures=rows.objects([0, 1, 2])["object_id"].to_list(),
        )
    )
    same(catalog.failures(), folder)
    catalog.clear_failures(["l1/hidden/"])
    assert catalog.failures().is_empty()


def test_pairs_are_replaced_with_their_fingerprint(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.replace_pairs(rows.pairs(range(4)), "first")
    assert catalog.pairs_fingerprint() == "first"
    catalog.compact(timedelta(0))
    same(catalog.pairs(), rows.pairs(range(4)))
    assert catalog.pairs_fingerprint() == "first"
    catalog.replace_pairs(PAIRS.empty(), "second")
    same(catalog.pairs(), PAIRS.empty())
    assert catalog.pairs_fingerprint() == "second"


def test_effective_pixels_change_nothing_else(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(8)))
    measured = pl.DataFrame({"digest": [rows.digest_of(2), "unknown"], "effective_pixels": [300_000, 1]})
    catalog.set_effective_pixels(measured)
    catalog.set_effective_pixels(measured.clear())
    wanted = rows.pictures(range(8)).with_columns(
        effective_pixels=pl.when(pl.col("digest") == rows.digest_of(2)).then(300_000).cast(pl.Int64)
    )
    same(catalog.pictures(), wanted)
    catalog.compact(timedelta(0))
    same(catalog.pictures(), wanted)


def test_an_object_without_its_picture_is_refused(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch([0, 1]))
    catalog.write_batch(CatalogBatch(objects=rows.objects([0], location="l2")))
    with pytest.raises(WorkspaceError, match="run `deeplens index` again"):
        catalog.write_batch(CatalogBatch(objects=rows.objects([1, 6])))
    assert catalog.objects().height == 3


def test_a_batch_that_does_not_fit_is_a_defect(catalog: Catalog, rows: SimpleNamespace) -> None:
    names, matrix = rows.vectors([0])
    with pytest.raises(TypeError, match="float16"):
        catalog.write_batch(CatalogBatch(vectors={rows.spec: (names, matrix.astype(np.float32))}))
    with pytest.raises(TypeError, match="missing columns"):
        catalog.write_batch(CatalogBatch(objects=rows.objects([0]).drop("digest")))
    with pytest.raises(TypeError, match="holds nulls"):
        catalog.replace_pairs(rows.pairs([0]).with_columns(tier=pl.lit(None, pl.String)), "x")


def test_keys_carry_the_mark_that_keeps_writers_from_doubling_them(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch([0]))
    keys = {"objects": "object_id", "pictures": "digest", "failures": "object_id", rows.spec.table: "digest"}
    for table, key in keys.items():
        field = lance.dataset(f"{catalog.url}/{table}.lance").schema.field(key)
        assert not field.nullable
        assert field.metadata == {b"lance-schema:unenforced-primary-key": b"true"}


def test_compaction_joins_files_makes_the_index_and_drops_versions(catalog: Catalog, rows: SimpleNamespace) -> None:
    many = rows.objects(range(12_000), outcome="unsupported")
    for part in many.iter_slices(3_000):
        catalog.write_batch(CatalogBatch(objects=part))
    before = catalog.digest()
    url = f"{catalog.url}/objects.lance"
    assert len(lance.dataset(url).get_fragments()) == 4
    catalog.compact(timedelta(0))
    assert len(lance.dataset(url).get_fragments()) == 1
    assert len(lance.dataset(url).versions()) == 1
    assert [index.field_names for index in lance.dataset(url).describe_indices()] == [["object_id"]]
    assert catalog.digest() == before
    # Upserts through the index, beside rows that it does not know yet, still replace by key.
    catalog.write_batch(CatalogBatch(objects=many.head(10).with_columns(run_id=pl.lit("r2"))))
    catalog.write_batch(CatalogBatch(objects=rows.objects(range(11_995, 12_005), outcome="unsupported")))
    catalog.write_batch(CatalogBatch(objects=rows.objects(range(12_000, 12_010), outcome="unsupported")))
    catalog.compact()
    assert catalog.objects()["object_id"].n_unique() == catalog.objects().height == 12_010


_STEPS = st.lists(
    st.tuples(st.sampled_from(["index", "fail", "remove", "compact", "sweep"]), st.sets(st.integers(0, 9), max_size=5)),
    max_size=6,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_any_history_leaves_what_a_dictionary_would(rows: SimpleNamespace, steps: list[tuple[str, set[int]]]) -> None:
    model: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.create(str(Path(folder) / "catalog"))
        for run, (act, numbers) in enumerate(steps):
            ids = rows.objects(numbers)["object_id"].to_list()
            if act == "index":
                made = rows.batch(numbers, run=f"r{run}")
                catalog.write_batch(
                    CatalogBatch(made.objects, made.pictures, cleared_failures=ids, vectors=made.vectors)
                )
                model |= dict.fromkeys(numbers, "indexed")
            elif act == "fail":
                catalog.write_batch(
                    CatalogBatch(
                        objects=rows.objects(numbers, outcome="unreadable", run=f"r{run}"),
                        failures=rows.failures(numbers, run=f"r{run}", later=run),
                    )
                )
                model |= dict.fromkeys(numbers, "unreadable")
            elif act == "remove":
                catalog.remove_objects(ids)
                model = {n: outcome for n, outcome in model.items() if n not in numbers}
            elif act == "compact":
                catalog.compact(timedelta(0))
            else:
                catalog.sweep()
        indexed = [n for n, outcome in model.items() if outcome == "indexed"]
        failing = [n for n, outcome in model.items() if outcome != "indexed"]
        plain = Catalog.create(str(Path(folder) / "plain"))
        plain.write_batch(rows.batch(indexed))
        plain.write_batch(
            CatalogBatch(objects=rows.objects(failing, outcome="unreadable"), failures=rows.failures(failing))
        )
        assert catalog.table_digests() == plain.table_digests()
        assert sorted(catalog.vectors(rows.spec)[0]) == sorted({rows.digest_of(n // 2 * 2) for n in indexed})


def test_more_rows_than_one_merge_takes_are_all_written_and_removed(
    catalog: Catalog, rows: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeplens_kit.catalog.lance_table.ROWS_PER_MERGE", 7)
    catalog.write_batch(rows.batch(range(30)))
    catalog.write_batch(rows.batch(range(20), run="r2"))
    found = catalog.objects()
    assert found["object_id"].n_unique() == found.height == 30
    assert sorted(found["run_id"].value_counts()["count"]) == [10, 20]
    catalog.remove_objects(found["object_id"].to_list()[:25])
    assert catalog.objects().height == 5
