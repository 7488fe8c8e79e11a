"""A bucket of a test's own on a server of S3, with pictures in it, as a location of a workspace."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeplens_kit.ledger import Location
from deeplens_kit.pipeline import Workspace, add_location
from tests.servers.s3 import S3Server

__all__ = ["Bucket"]


class Bucket:
    """A new bucket.

    Args:
        server: Any server of S3.
    """

    def __init__(self, server: S3Server) -> None:
        self.server, self.name = server, f"test-{secrets.token_hex(6)}"
        self.client: Any = server.client()
        self.client.create_bucket(Bucket=self.name)

    def put(self, key: str, data: bytes) -> None:
        """Make or replace an object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def put_parts(self, key: str, data: bytes) -> None:
        """Make an object by a multipart upload, whose ETag is no MD5 of its content."""
        upload = self.client.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"]
        part = self.client.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=1, Body=data)
        self.client.complete_multipart_upload(
            Bucket=self.name,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
        )

    def put_folder(self, folder: Path) -> int:
        """Every file of a folder under its relative path; returns their bytes."""
        total = 0
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(str(file.relative_to(folder)), file.read_bytes())
                total += file.stat().st_size
        return total

    def options(self, **more: object) -> Mapping[str, object]:
        """Options of the location; the credentials are references to the environment, see `environment`."""
        return {
            "endpoint": self.server.endpoint,
            "region": self.server.region,
            "addressing": "path",
            "access_key": "${TEST_S3_ACCESS}",
            "secret_key": "${TEST_S3_SECRET}",
            **more,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the references stand for."""
        return {"TEST_S3_ACCESS": self.server.access_key, "TEST_S3_SECRET": self.server.secret_key}

    def add_to(self, workspace: Workspace, name: str = "bucket", **options: object) -> Location:
        """Make it a location."""
        return add_location(workspace, name, f"s3://{self.name}", self.options(**options))
