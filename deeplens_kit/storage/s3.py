"""Buckets of Amazon S3 and of what speaks its protocol: MinIO, SeaweedFS, Ceph, R2 and others.

Takes `s3://BUCKET/PREFIX` and options and gives the location; must not send a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.s3_options import S3Options
from deeplens_kit.storage.s3_store import S3Store

__all__ = ["S3Location"]

_URL = re.compile(r"s3://([^/?#@]+)(?:/(.*))?", re.DOTALL | re.IGNORECASE)


class S3Location(RemoteLocation):
    """A bucket, or what lies beneath a prefix of it.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `s3://BUCKET/PREFIX`.
        options: Fields of `S3Options`.
    """

    options_class = S3Options

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = S3Options.of(options)
        match = _URL.fullmatch(url)
        if match is None:
            # Not repeated: keys may stand in it.
            raise SettingsError("The URL names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX.")
        bucket, folder = match[1], unquote(match[2] or "").strip("/")
        prefix = "".join(f"{part}/" for part in (folder, parsed.base_path.strip("/")) if part)
        super().__init__(
            location_id,
            name,
            f"s3://{bucket}" + (f"/{quote(folder)}" if folder else ""),
            f"s3://{_service(parsed)}/{bucket}/{prefix}",
            parsed,
            S3Store(name, bucket, prefix, parsed),
        )


def _service(options: S3Options) -> str:
    """Names the service, whatever leads to it: the same bucket is reached with and without TLS."""
    parts = urlsplit(options.endpoint)
    host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    # Names of buckets are unique within each of Amazon's partitions, of which every region has hosts of its own.
    if host.endswith(".amazonaws.com.cn") or (not host and options.region.startswith("cn-")):
        return "s3.amazonaws.com.cn"
    if not host or host.endswith(".amazonaws.com"):
        in_gov = ".us-gov-" in f".{host}" or "-us-gov-" in host or (not host and options.region.startswith("us-gov-"))
        return "s3.us-gov.amazonaws.com" if in_gov else "s3.amazonaws.com"
    host = f"[{host}]" if ":" in host else host
    return host if port in (None, {"https": 443, "http": 80}[parts.scheme]) else f"{host}:{port}"
