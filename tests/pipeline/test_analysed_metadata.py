"""An analysis gives what each picture says about itself as a row that the catalog takes, one per picture."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
from PIL import Image

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.decode import PictureTags
from deeplens_kit.pipeline.analysis import Toolbox, analyse
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.schemas import METADATA, OBJECTS, PICTURES, Outcome
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.storage import digest_content


def content(**options: object) -> Content:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "JPEG", **options)
    return Content(stream.getvalue(), digest_content(stream.getvalue()))


def test_a_row_for_each_picture_and_none_for_what_is_no_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Ada"
    exif.get_ifd(0x8769).update({0x9003: "2019:07:14 18:03:59", 0x9011: "+02:00", 0x927C: b"note"})
    contents = [content(exif=exif), content(quality=5), Content(b"no picture", digest_content(b"no picture"))]
    analysed = analyse(contents, Toolbox((), DecodeSettings(), thumbnails=None))
    assert [row["digest"] for row in analysed.metadata] == [item.digests.sha256 for item in contents[:2]]
    assert [row["digest"] for row in analysed.pictures] == [row["digest"] for row in analysed.metadata]
    first = analysed.pictures[0]
    assert first["taken_at_origin"] == "EXIF DateTimeOriginal + OffsetTimeOriginal"

    rows = [{**row, "run_id": "r"} for row in analysed.metadata]
    objects = [
        dict.fromkeys(OBJECTS.names)
        | {"object_id": f"l/{at}", "location_id": "l", "path": str(at), "size_bytes": 1, "change_token": "t"}
        | {"link_count": 1, "digest": row["digest"], "outcome": str(Outcome.INDEXED), "run_id": "r"}
        for at, row in enumerate(rows)
    ]
    catalog = Catalog.create(str(tmp_path / "catalog"))
    catalog.write_batch(
        CatalogBatch(
            objects=pl.DataFrame(objects, schema=OBJECTS.polars),
            pictures=pl.DataFrame([{**row, "run_id": "r"} for row in analysed.pictures], schema=PICTURES.polars),
            metadata=pl.DataFrame(rows, schema=METADATA.polars),
        )
    )
    kept = catalog.metadata([str(first["digest"])]).row(0, named=True)
    tags = PictureTags.from_json({"tags": kept["tags"], "problems": []}, kept["maker_note"])
    assert (tags.value("EXIF", "Artist"), tags.maker_note) == ("Ada", b"note")
    stored = catalog.pictures(
        [str(first["digest"])], columns=["dated_at", "taken_at_utc", "taken_at_origin", "taken_at"]
    )
    assert stored.row(0, named=True) == {name: first[name] for name in stored.columns}
