"""Catalogs of other versions: refused with what to do, upgraded after a backup, never half."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lance
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from deeplens_kit.catalog import SCHEMA_VERSION, Catalog, CatalogBatch
from deeplens_kit.catalog import upgrade as upgrade_module
from deeplens_kit.catalog.tables import arrow_schema
from deeplens_kit.errors import WorkspaceError, WorkspaceMissingError, WorkspaceSchemaError
from deeplens_kit.schemas import FAILURES, METADATA, OBJECTS, PAIRS, PICTURES, TableSchema

# --- Version 1 as it was written: frozen, must never follow the code -----------------------------------------

_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
_S, _L, _I, _B = pa.large_string(), pa.int64(), pa.int32(), pa.bool_()
_U, _F, _D, _T = pa.uint64(), pa.float32(), pa.float64(), pa.timestamp("us", "UTC")


def _schema(key: str, required: str, optional: str, types: dict[str, pa.DataType]) -> pa.Schema:
    names = [*required.split(), *optional.split()]
    return pa.schema(
        [
            pa.field(
                name, types.get(name, _S), nullable=name in optional.split(), metadata=_KEY if name == key else None
            )
            for name in names
        ]
    )


_OBJECTS_1 = _schema(
    "object_id",
    "object_id location_id path size_bytes change_token outcome run_id",
    "modified_at link_id digest identity_basis",
    {"size_bytes": _L, "modified_at": _T},
)
_PICTURES_1 = _schema(
    "digest",
    "digest md5 crc32c size_bytes format mode width_px height_px frames orientation has_alpha has_icc lossless "
    "decode_spec features run_id",
    "jpeg_quality taken_at camera gps_latitude gps_longitude phash dhash ahash whash pdq pdq_quality sharpness "
    "flatness low_information",
    {
        **dict.fromkeys(["width_px", "height_px", "frames", "orientation", "jpeg_quality", "pdq_quality"], _I),
        **dict.fromkeys(["has_alpha", "has_icc", "lossless", "low_information"], _B),
        **dict.fromkeys(["phash", "dhash", "ahash", "whash"], _U),
        **dict.fromkeys(["sharpness", "flatness"], _F),
        **dict.fromkeys(["gps_latitude", "gps_longitude"], _D),
        "size_bytes": _L,
        "taken_at": pa.timestamp("us"),
        "pdq": pa.large_binary(),
    },
)
_FAILURES_1 = _schema(
    "object_id",
    "object_id location_id path stage code message failed_at run_id",
    "size_bytes digest",
    {"size_bytes": _L, "failed_at": _T},
)
_PAIRS_1 = _schema(
    "",
    "digest_a digest_b tier relation score run_id",
    "phash_distance pdq_distance orientation sscd_small sscd",
    {
        **dict.fromkeys(["phash_distance", "pdq_distance", "orientation"], _I),
        **dict.fromkeys(["sscd_small", "sscd", "score"], _F),
    },
)
_NEW_IN_2 = {
    "objects": [pa.field("link_count", _I, nullable=False)],
    "pictures": [pa.field("dominant_tone", _F), pa.field("colourfulness", _F), pa.field("effective_pixels", _L)],
}
_BOX = pa.list_(_F, 4)
_NEW_IN_3 = {
    "pictures": [pa.field("samples", _S)],
    "pairs": [
        pa.field("found_by", _S, nullable=False),
        pa.field("hub", _B, nullable=False),
        pa.field("verification", _S),
        pa.field("inliers", _I),
        pa.field("cells", _I),
        pa.field("mirrored", _B),
        pa.field("region_a", _BOX),
        pa.field("region_b", _BOX),
        *(
            pa.field(name, _F)
            for name in "sscd_normalised sscd_region inlier_share difference agreement agreement_low correlation "
            "wobble_px foreign covered_a covered_b resolution turn_degrees".split()
        ),
    ],
}
_NEW_IN_4 = {"pairs": [pa.field("transform", pa.list_(_D, 6)), pa.field("view_pdq", _I)]}
_NEW_IN_5 = {
    "pictures": [
        pa.field("icc_name", _S),
        pa.field("dated_at", pa.timestamp("us")),
        pa.field("taken_at_utc", _T),
        pa.field("taken_at_origin", _S),
        pa.field("auxiliary", _S),
    ],
    "failures": [pa.field("decode_spec", _S)],
    "metadata": list(_schema("digest", "digest tags problems run_id", "maker_note", {"maker_note": pa.large_binary()})),
}
_NEW_IN_6 = {"objects": [pa.field("checksum", _S), pa.field("storage_class", _S)]}
_SPEC_1 = (
    '{"columns": [], "kind": "vector", "metric": "cosine", "name": "tiny", "preprocessing": "plain/1", "size": 4, '
    '"source": "made for tests", "version": 1, "weights": ""}'
)
_AT = datetime(2024, 5, 1, 12, tzinfo=UTC)


def write_version_1(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """A catalog as version 1 wrote it; returns its rows by table."""
    digests = [f"{n:064x}" for n in range(30)]
    rows: dict[str, list[dict[str, Any]]] = {
        "objects": [
            {
                "object_id": f"l1/é'{n}.jpg",
                "location_id": "l1",
                "path": f"é'{n}.jpg",
                "size_bytes": n,
                "change_token": f"t{n}",
                "modified_at": _AT,
                "link_id": None,
                "digest": digests[n] if n < 29 else None,
                "identity_basis": "read" if n < 29 else None,
                "outcome": "indexed" if n < 29 else "unreadable",
                "run_id": "r1",
            }
            for n in range(30)
        ],
        "pictures": [
            dict.fromkeys(_PICTURES_1.names)
            | dict.fromkeys(["md5", "crc32c", "format", "mode", "decode_spec", "features"], "x")
            | dict.fromkeys(["width_px", "height_px", "frames", "orientation", "size_bytes"], 3)
            | dict.fromkeys(["has_alpha", "has_icc", "lossless"], False)
            | {"digest": digest, "phash": 2**64 - 1, "pdq": b"\x00\xff" * 16, "run_id": "r1"}
            for digest in digests[:29]
        ],
        "failures": [
            {
                "object_id": "l1/é'29.jpg",
                "location_id": "l1",
                "path": "é'29.jpg",
                "size_bytes": None,
                "digest": None,
                "stage": "read",
                "code": "unreadable",
                "message": "why",
                "failed_at": _AT,
                "run_id": "r1",
            }
        ],
        "pairs": [
            dict.fromkeys(_PAIRS_1.names)
            | {"digest_a": digests[0], "digest_b": digests[1], "tier": "copy", "relation": "whole", "score": 0.5}
            | {"run_id": "r1"}
        ],
    }
    schemas = {"objects": _OBJECTS_1, "pictures": _PICTURES_1, "failures": _FAILURES_1, "pairs": _PAIRS_1}
    for name, schema in schemas.items():
        lance.write_dataset(pa.Table.from_pylist(rows[name], schema=schema), f"{folder}/{name}.lance")
    lance.dataset(f"{folder}/objects.lance").create_scalar_index("object_id", "BTREE")
    vectors = pa.schema(
        [
            pa.field("digest", _S, nullable=False, metadata=_KEY),
            pa.field("vector", pa.list_(pa.float16(), 4), nullable=False),
            pa.field("run_id", _S, nullable=False),
        ]
    )
    rows["vectors_tiny_1"] = [{"digest": each, "vector": [0.5, 1.0, 1.5, 2.0], "run_id": "r1"} for each in digests[:29]]
    lance.write_dataset(pa.Table.from_pylist(rows["vectors_tiny_1"], schema=vectors), f"{folder}/vectors_tiny_1.lance")
    manifest = pa.schema([pa.field("name", _S, nullable=False, metadata=_KEY), pa.field("value", _S, nullable=False)])
    entries = [["schema_version", "vectors/vectors_tiny_1"], ["1", _SPEC_1]]
    lance.write_dataset(pa.table(entries, schema=manifest), f"{folder}/manifest.lance")
    return rows


# --- The tests -----------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    folder = tmp_path / "catalog"
    folder.mkdir()
    return str(folder), write_version_1(folder)


def holds(catalog: Catalog, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Every row of version 1 is there, with the new columns as they should be."""
    unlisted = pl.lit(None, pl.String)
    objects = pl.DataFrame(rows["objects"], infer_schema_length=None).with_columns(
        link_count=pl.lit(1, pl.Int32), checksum=unlisted, storage_class=unlisted
    )
    found = catalog.objects()
    assert_frame_equal(found, objects.select(found.columns), check_row_order=False, check_dtypes=False)
    pictures = catalog.pictures()
    added = (*_NEW_IN_2["pictures"], *_NEW_IN_3["pictures"], *_NEW_IN_5["pictures"])
    new = [field.name for field in added if field.nullable]
    assert pictures[new].null_count().row(0) == (29,) * len(new)
    kept = pictures.drop(*new).sort("digest").to_dicts()
    assert kept == [{name: row[name] for name in kept[0]} for row in rows["pictures"]]
    assert METADATA.check(catalog.metadata()).is_empty()
    assert [row["message"] for row in catalog.failures().to_dicts()] == ["why"]
    pairs = PAIRS.check(catalog.pairs())
    assert pairs.select("score", "found_by", "hub").rows() == [(0.5, "", False)]
    unseen = [field.name for field in (*_NEW_IN_3["pairs"], *_NEW_IN_4["pairs"]) if field.nullable]
    assert pairs[unseen].null_count().row(0) == (1,) * len(unseen)
    (spec,) = catalog.vector_specs()
    names, matrix = catalog.vectors(spec)
    assert sorted(names) == [row["digest"] for row in rows["vectors_tiny_1"]]
    assert matrix.tolist() == [[0.5, 1.0, 1.5, 2.0]] * 29


def test_version_1_opens_after_the_upgrade_with_every_row(
    old: tuple[str, dict[str, list[dict[str, Any]]]], tmp_path: Path
) -> None:
    url, rows = old
    with pytest.raises(WorkspaceSchemaError, match="deeplens upgrade") as caught:
        Catalog.open(url)
    assert (caught.value.found, caught.value.expected, caught.value.newer) == ("1", str(SCHEMA_VERSION), False)
    copied, *migrated = Catalog.upgrade(url, tmp_path / "backups")
    assert migrated == ["schema 1 to 2", "schema 2 to 3", "schema 3 to 4", "schema 4 to 5", "schema 5 to 6"]
    catalog = Catalog.open(url)
    holds(catalog, rows)
    # Upserts fit the upgraded tables, by key and beside the old index.
    first = catalog.objects().filter(path="é'3.jpg").with_columns(link_count=pl.lit(2, pl.Int32))
    catalog.write_batch(CatalogBatch(objects=first, pictures=catalog.pictures([first["digest"][0]])))
    catalog.set_effective_pixels(pl.DataFrame({"digest": first["digest"], "effective_pixels": [9]}))
    assert catalog.objects().height == 30
    assert catalog.object_at("l1", "é'3.jpg") == first.row(0, named=True)
    assert catalog.pictures([first["digest"][0]])["effective_pixels"].to_list() == [9]
    assert Catalog.upgrade(url, tmp_path / "backups") == ()

    # The backup is a catalog of version 1, whole by itself.
    backup = copied.removeprefix("copied to ")
    assert backup.startswith(str(tmp_path / "backups"))
    with pytest.raises(WorkspaceSchemaError):
        Catalog.open(backup)
    Catalog.upgrade(backup, tmp_path / "again")
    holds(Catalog.open(backup), rows)


def test_an_upgrade_that_died_is_run_again(
    old: tuple[str, dict[str, list[dict[str, Any]]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, rows = old
    migrations = dict(upgrade_module.MIGRATIONS)
    for version, opened in (
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (2, 3),
        (2, 4),
        (3, 1),
        *((4, n) for n in range(1, 5)),
        (5, 1),
    ):

        def half(open_table: Any, last: int = opened, whole: Any = migrations[version]) -> None:
            names: list[str] = []

            def until(name: str, *schema: Any) -> Any:
                names.append(name)
                if len(names) > last:
                    raise OSError("power cut")
                return open_table(name, *schema)

            whole(until)
            raise OSError("power cut")

        monkeypatch.setattr(upgrade_module, "MIGRATIONS", migrations | {version: half})
        with pytest.raises(WorkspaceError, match="power cut"):
            Catalog.upgrade(url, tmp_path / "backups")
        with pytest.raises(WorkspaceSchemaError):
            Catalog.open(url)
    monkeypatch.undo()
    assert Catalog.upgrade(url, tmp_path / "backups")[-1] == "schema 5 to 6"
    holds(Catalog.open(url), rows)


@pytest.mark.parametrize("table", [OBJECTS, PICTURES, METADATA, FAILURES, PAIRS], ids=lambda table: table.name)
def test_a_change_of_schema_needs_a_version_and_a_migration(table: TableSchema) -> None:
    first: dict[str, pa.Schema] = {
        "objects": _OBJECTS_1,
        "pictures": _PICTURES_1,
        "failures": _FAILURES_1,
        "pairs": _PAIRS_1,
    }
    later = (
        field for new in (_NEW_IN_2, _NEW_IN_3, _NEW_IN_4, _NEW_IN_5, _NEW_IN_6) for field in new.get(table.name, [])
    )
    assert SCHEMA_VERSION == 6
    assert sorted(map(repr, arrow_schema(table))) == sorted(map(repr, [*first.get(table.name, []), *later])), (
        "raise SCHEMA_VERSION and migrate"
    )


@pytest.mark.parametrize("version", [str(SCHEMA_VERSION + 1), "9.1-beta"])
def test_a_newer_catalog_is_left_alone(catalog: Catalog, tmp_path: Path, version: str) -> None:
    catalog._manifest._put("schema_version", version)
    for act in (lambda: Catalog.open(catalog.url), lambda: Catalog.upgrade(catalog.url, tmp_path / "backups")):
        with pytest.raises(WorkspaceSchemaError, match="newer DeepLens") as caught:
            act()
        assert caught.value.newer
    assert not (tmp_path / "backups").exists()


def test_no_catalog_and_one_too_many(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceMissingError, match="deeplens init"):
        Catalog.open(str(tmp_path / "nothing"))
    with pytest.raises(WorkspaceMissingError):
        Catalog.upgrade(str(tmp_path / "nothing"), tmp_path / "backups")
    with pytest.raises(WorkspaceError, match="already"):
        Catalog.create(catalog.url)
    assert Catalog.open(catalog.url).schema_version == SCHEMA_VERSION


def test_a_catalog_whose_making_was_interrupted_is_made_again(catalog: Catalog, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "catalog" / "manifest.lance")
    with pytest.raises(WorkspaceMissingError):
        Catalog.open(catalog.url)
    assert Catalog.create(catalog.url).objects().is_empty()
