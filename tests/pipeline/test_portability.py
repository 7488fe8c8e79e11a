"""What is known of a location is written to files that can be read without DeepLens, and nothing of it is missing."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bucket import Bucket

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import Workspace, change_location, index, list_groups, make_plan
from deeplens_kit.pipeline.forgetting import forget
from deeplens_kit.pipeline.portability import export_location
from tests.servers.s3 import S3Server


def test_everything_comes_back(matched_pictures: Path, tmp_path: Path) -> None:
    with Workspace.open(shutil.copytree(matched_pictures, tmp_path / "known")) as workspace:
        change_location(workspace, "pics", {"permissions": "change"})
        workspace.ledger.add_location("other", str(tmp_path / "known" / "nowhere"))
        objects = workspace.catalog.objects()
        digest = objects.filter(path="coffee.jpg")["digest"][0]
        place = workspace.ledger.location("pics")
        workspace.ledger.annotate(place, "coffee.jpg", digest, NoteChange(add_tags=("cup",), description="her cup"))
        workspace.ledger.add_hold(location="pics", glob="x/**", why="case 7")
        workspace.ledger.add_hold(location="other", why="case 8")
        record = make_plan(workspace)
        done = export_location(workspace, "pics", str(tmp_path / "out"))

        folder = tmp_path / "out"
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["format"] == "deeplens-location/1" and manifest["location"]["name"] == "pics"
        listed = {row["path"]: row["sha256"] for row in manifest["files"]}
        there = {path.name for path in folder.iterdir()}
        assert there == {*listed, "manifest.json"} and listed.keys() == set(done.files["path"])
        for name, sha256 in listed.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256

        def table(name: str) -> pl.DataFrame:
            return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob(f"{name}.*.parquet"))])

        assert table("objects").equals(objects.sort("path"))
        assert table("pictures").equals(workspace.catalog.pictures().sort("digest"))
        assert table("metadata").equals(workspace.catalog.metadata().sort("digest"))
        assert table("failures").height == workspace.catalog.failures().height > 0
        pairs = workspace.catalog.pairs().sort("digest_a", "digest_b")
        assert table("pairs").drop("a_here", "b_here").equals(pairs) and table("pairs")["a_here"].all()
        for spec in workspace.catalog.vector_specs():
            names, matrix = workspace.catalog.vectors(spec)
            rows = dict(zip(*table(spec.table).select("digest", "vector"), strict=True))
            assert sorted(rows) == sorted(names)
            wanted = dict(zip(names, matrix, strict=True))
            assert all(np.array_equal(np.asarray(rows[name], np.float32), wanted[name]) for name in names)
        assert table("groups").height == list_groups(workspace).groups.height > 0
        assert table("notes").select("tags", "description").rows() == [('["cup"]', "her cup")]
        assert table("holds")["why"].to_list() == ["case 7"]
        assert table("plans")["plan_id"].to_list() == [record.plan_id]
        assert table("plan_steps").height == record.steps
        assert {"location.added", "plan.saved"} <= set(table("audit")["action"])
        assert "index" in table("runs")["kind"].to_list()
        readme = (folder / "README.md").read_text(encoding="utf-8")
        assert "| `phash` |" in readme and "## journal" in readme

        with pytest.raises(SettingsError, match="new or empty"):
            export_location(workspace, "pics", str(folder))
        with pytest.raises(UnknownNameError):
            export_location(workspace, "picks", str(tmp_path / "more"))
        empty = export_location(workspace, "other", str(tmp_path / "empty")).files
        assert empty.filter(pl.col("table").is_in(["objects", "pairs", "plan_steps"]))["rows"].to_list() == [0, 0, 0]
        assert workspace.ledger.audit_trail(action="location.exported")[0].details["name"] == "pics"


def test_a_bucket_is_exported_to_a_bucket_and_a_picture_of_it_forgotten(
    workspace: Workspace, pictures: Path, seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, out = Bucket(seaweedfs), Bucket(seaweedfs)
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("coffee.jpg", "chelsea.jpg"):
        bucket.put(name, (pictures / name).read_bytes())
    bucket.add_to(workspace)
    index(workspace, ["bucket"], and_match=False)
    done = export_location(workspace, "bucket", f"s3://{out.name}", out.options())

    def held(key: str) -> bytes:
        return bytes(out.client.get_object(Bucket=out.name, Key=key)["Body"].read())

    keys = {item["Key"] for item in out.client.list_objects_v2(Bucket=out.name)["Contents"]}
    listed = {row["path"]: row["sha256"] for row in json.loads(held("manifest.json"))["files"]}
    assert keys == {*listed, "manifest.json"} and listed.keys() == set(done.files["path"])
    assert all(hashlib.sha256(held(key)).hexdigest() == listed[key] for key in listed)
    (objects,) = (pl.read_parquet(io.BytesIO(held(key))) for key in keys if key.startswith("objects."))
    assert objects["path"].to_list() == ["chelsea.jpg", "coffee.jpg"]

    gone = forget(workspace, "bucket/coffee.jpg", "asked by the person shown", really=True, keep_out=True)
    assert gone.clean and gone.files.select("location", "path").rows() == [("bucket", "coffee.jpg")]
    # The checksum that the service lists may be the digest, so it is not kept; the object stays in the bucket.
    for read in (1, 0):
        assert index(workspace, ["bucket"], and_match=False)[0].failures == read
        row = workspace.catalog.objects().filter(path="coffee.jpg").row(0, named=True)
        assert (row["outcome"], row["digest"], row["checksum"]) == ("kept_out", None, None)
    assert bucket.client.head_object(Bucket=bucket.name, Key="coffee.jpg")["ContentLength"] > 0
