"""Whether a service of S3 really refuses to write in the place of another object.

Takes a client and makes objects of its own for a moment; must touch no other. A service that does not know
`If-None-Match` ignores it and overwrites, without a word: the only certain way to know is to try.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from deeplens_kit.storage.s3_faults import status_of
from deeplens_kit.telemetry import get_logger

__all__ = ["refuses_to_overwrite_by_copy", "refuses_to_overwrite_by_put", "refuses_to_replace_another"]

_log = get_logger(__name__)

_TRIAL = ".deeplens-check-exclusive"
_DATA = b"deeplens"
_ANOTHER = '"00000000000000000000000000000000"'


def refuses_to_overwrite_by_put(client: Any, bucket: str, prefix: str, put: Mapping[str, Any]) -> bool:
    """Whether a second PUT of one key fails.

    Args:
        client: Of botocore.
        bucket: Its name.
        prefix: Where the objects of the trial lie.
        put: What goes with every new object, encryption for example.
    """
    if _is_of_amazon(client):
        return True
    # One name for all, so that what cannot be removed again does not pile up. Another process that tries at the same
    # time may take the object away between our two: a "no" is only believed of a name that is ours alone.
    for name in (_TRIAL, f"{_TRIAL}-{secrets.token_hex(8)}"):
        wanted = {"Bucket": bucket, "Key": f"{prefix}{name}", **put}
        if not _was_made(client.put_object, Body=_DATA, IfNoneMatch="*", **wanted):
            return True
        refused = not _was_made(client.put_object, Body=_DATA, IfNoneMatch="*", **wanted)
        _drop(client, wanted)
        if refused:
            return True
    return False


def refuses_to_overwrite_by_copy(client: Any, bucket: str, prefix: str, put: Mapping[str, Any]) -> bool:
    """Whether a copy to a key that is taken fails; arguments as `refuses_to_overwrite_by_put`."""
    if _is_of_amazon(client):
        return True
    stem = f"{prefix}{_TRIAL}-{secrets.token_hex(8)}"
    source, taken = ({"Bucket": bucket, "Key": f"{stem}-{end}", **put} for end in ("a", "b"))
    try:
        for wanted in (source, taken):
            client.put_object(Body=_DATA, IfNoneMatch="*", **wanted)
        return not _was_made(
            client.copy_object, CopySource={"Bucket": bucket, "Key": source["Key"]}, IfNoneMatch="*", **taken
        )
    finally:
        for wanted in (source, taken):
            _drop(client, wanted)


def refuses_to_replace_another(client: Any, bucket: str, prefix: str, put: Mapping[str, Any]) -> bool:
    """Whether a PUT that names another ETag than the object has fails; arguments as `refuses_to_overwrite_by_put`."""
    if _is_of_amazon(client):
        return True
    wanted = {"Bucket": bucket, "Key": f"{prefix}{_TRIAL}-{secrets.token_hex(8)}", **put}
    try:
        client.put_object(Body=_DATA, IfNoneMatch="*", **wanted)
        return not _was_made(client.put_object, Body=_DATA, IfMatch=_ANOTHER, **wanted)
    finally:
        _drop(client, wanted)


def _is_of_amazon(client: Any) -> bool:
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _was_made(act: Any, **wanted: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        act(**wanted)
    except ClientError as error:
        if status_of(error) != 412:
            raise
        return False
    return True


def _drop(client: Any, made: Mapping[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        client.delete_object(**{name: made[name] for name in ("Bucket", "Key", "RequestPayer") if name in made})
    except ClientError as error:
        _log.warning("an object of a trial was left", key=made["Key"], reason=str(error))
