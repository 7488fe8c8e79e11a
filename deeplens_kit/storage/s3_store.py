"""What a bucket of S3 does, by botocore.

Takes keys, gives entries and bytes; must not write where a service overwrites what is there in spite of being asked not
to. An ETag is a checksum only where it looks like an MD5 and equals one that we computed: of an object in parts, or
encrypted with a key of KMS, it is none.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import mimetypes
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from deeplens_kit.errors import LocationReadOnlyError
from deeplens_kit.storage.listing import UNSETTLED, Entry
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault, PassingFault
from deeplens_kit.storage.s3_acting import KEPT, ActingBucket, is_too_large, of_state
from deeplens_kit.storage.s3_client import s3_client
from deeplens_kit.storage.s3_faults import code_of, s3_fault_of, status_of
from deeplens_kit.storage.s3_options import S3Options
from deeplens_kit.storage.s3_trial import (
    refuses_to_overwrite_by_copy,
    refuses_to_overwrite_by_put,
    refuses_to_replace_another,
)
from deeplens_kit.storage.store import Cursor, Page, Probe, limit_carried
from deeplens_kit.storage.values import ANNOUNCED

__all__ = ["S3Store"]

_MD5 = re.compile(r"[0-9a-f]{32}")
_CONDITIONS = {refuses_to_replace_another: "If-Match"}
_KEYS_A_PAGE = 1000  # the most that S3 gives


class S3Store(ActingBucket):
    """A bucket; see `storage.store.Store`.

    Args:
        name: Of the location.
        bucket: Its name.
        prefix: Of the keys, with '/' at its end, or empty.
        options: Of the location.
    """

    reads_conditionally = True
    metadata_kept = True
    lists_checksums = True
    proves_by_token = True

    def __init__(self, name: str, bucket: str, prefix: str, options: S3Options) -> None:
        self._name, self._bucket, self._prefix, self._options = name, bucket, prefix, options
        super().__init__(lambda fresh: s3_client(options, fresh=fresh))
        self._trial = threading.Lock()
        self._told_at: datetime | None = None
        self._verdicts: dict[Callable[..., bool], bool] = {}
        self._always: dict[str, Any] = {"RequestPayer": "requester"} if options.requester_pays else {}
        self._of_new = dict(self._always)
        self._by_kms = options.sse == "aws:kms"
        if options.sse:
            self._of_new["ServerSideEncryption"] = options.sse
        if options.kms_key_id:
            self._of_new["SSEKMSKeyId"] = options.kms_key_id

    def page(self, cursor: Cursor | None) -> Page:
        """A page of at most 1,000 objects."""
        wanted: dict[str, Any] = {"Prefix": self._prefix, "MaxKeys": _KEYS_A_PAGE, **self._always}
        if cursor is not None:
            wanted["ContinuationToken"] = cursor
        # Names come in URL encoding, since XML holds no controls: botocore asks for it and undoes it by itself.
        answer = self._client.list_objects_v2(Bucket=self._bucket, **wanted)
        self._hear(answer)
        entries, special, cut = [], 0, len(self._prefix)
        for item in answer.get("Contents", ()):
            key = item["Key"]
            if len(key) == cut or key[-1] == "/":
                special += bool(item["Size"])  # an empty one only stands for a folder
                continue
            entries.append(_entry(key[cut:], item, item["Size"], self._by_kms))
        after = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        if answer.get("IsTruncated") and not after:
            raise PassingFault("the listing was cut off without a word on where it goes on")
        return Page(entries, special=special, after=after)

    def stat(self, path: str) -> Entry:
        """One HEAD."""
        answer = self._head(path)
        return _entry(path, answer, answer["ContentLength"], self._by_kms)

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """One GET, of the very ETag where a token is given."""
        wanted = of_state("IfMatch", token)
        if start or length is not None:
            wanted["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
        answer = self._client.get_object(**self._of(path), **wanted)
        # Not by `with` alone: that gives the body of urllib3, with its errors and without a check of the length.
        with contextlib.closing(answer["Body"]) as body:
            # Not every service heeds the condition.
            if token and _etag(answer) != token.partition("|")[0]:
                raise _AnotherState
            data: bytes = body.read()
        return data

    def checksum(self, path: str) -> str | None:
        """The SHA-256 of the whole object, where it was stored with one; never that of parts."""
        answer = self._head(path, ChecksumMode="ENABLED")
        encoded = answer.get("ChecksumSHA256")
        if not encoded or not _is_of_whole(answer):
            return None
        try:
            digest = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return None
        return f"sha256:{digest.hex()}" if len(digest) == 32 else None

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """One PUT that fails where the key is taken, with the SHA-256 kept beside it."""
        self._make_sure(refuses_to_overwrite_by_put)
        kind = mimetypes.guess_type(path)[0]
        more = {"Metadata": {name: quote(value) for name, value in metadata.items()}}
        self._put(path, data, {**more, **({"ContentType": kind} if kind else {})})

    def copy(self, path: str, target: str, token: str) -> None:
        """One COPY that fails where the key is taken; where a service would overwrite, a GET and a PUT.

        Metadata, headers, tags, storage class and a key of KMS go with it; access lists and locks do not.
        """
        from botocore.exceptions import ClientError

        state = of_state("IfMatch", token)
        source = self._head(path, **state)
        size = source["ContentLength"]
        self._make_sure(refuses_to_overwrite_by_put)
        stays = self._stays(source)
        if not self._is_sure(refuses_to_overwrite_by_copy):
            limit_carried(size)
            answer = self._client.get_object(**self._of(path), **state)
            with contextlib.closing(answer["Body"]) as body:
                data = body.read()
            kept = {name: answer[name] for name in KEPT if name in answer}
            self._put(target, data, {**stays, **kept, **self._tagging(path, source)})
            return
        try:
            if is_too_large(size):
                self._expect_free(target)
                self._copy_in_parts(path, target, source, token, stays, {"IfNoneMatch": "*"})
            else:
                self._client.copy_object(**self._copying(path, target, token), **stays, IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) == 412:
                self._head(path, **state)  # the answer does not tell which of the two conditions failed
            raise

    def remove(self, path: str, token: str) -> None:
        """One DELETE of one key, of the very ETag where the service can."""
        from botocore.exceptions import ClientError

        try:
            self._client.delete_object(**self._of(path), **of_state("IfMatch", token))
        except ClientError as error:
            if status_of(error) == 412:
                self._head(path)  # for some services what is gone has another state
            if code_of(error) != "NotImplemented":
                raise
            # The state was compared just before.
            self._client.delete_object(**self._of(path))

    def probe(self) -> Probe:
        """The clock of the service, as its answers tell it."""
        return Probe(now=self._told_at)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate botocore's errors."""
        if isinstance(error, _AnotherState):
            return Fault(FaultKind.CHANGED, "it has another ETag")
        return s3_fault_of(error)

    def _of(self, path: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + path, **self._always}

    def _head(self, path: str, **wanted: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.head_object(**self._of(path), **wanted)
        except ClientError as error:
            if status_of(error) not in (403, 404):
                raise
            # An answer to HEAD has no body, and with that no reason: keys that are wrong look like an object that is
            # forbidden, and a bucket that is gone like an object that is.
            self._ask_why(path, status_of(error))
            raise
        if "ContentLength" not in answer or "LastModified" not in answer:
            # A connection that ends within the headers looks like an answer with fewer of them.
            raise PassingFault("its answer broke off in the middle")
        return answer

    def _ask_why(self, path: str, status: int) -> None:
        from botocore.exceptions import ClientError

        try:
            self._client.get_object(**self._of(path), Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            if status_of(error) == status:
                raise

    def _put(
        self,
        path: str,
        data: bytes,
        more: Mapping[str, Any],
        condition: Mapping[str, Any] = MappingProxyType({"IfNoneMatch": "*"}),
    ) -> None:
        # Computed here because botocore would send it behind the data, which older services do not understand.
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._prefix + path,
            Body=data,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=digest,
            **condition,
            **self._of_new,
            **more,
        )

    def _expect_free(self, path: str) -> None:
        """Ask, besides the condition of the request that follows: not every service heeds that in all requests."""
        from botocore.exceptions import ClientError

        try:
            self._head(path)
        except ClientError as error:
            if status_of(error) == 404:
                return
            raise
        raise KnownFault(FaultKind.EXISTS, "something has this name already")

    def _make_sure(self, trial: Callable[..., bool]) -> None:
        if not self._is_sure(trial):
            raise LocationReadOnlyError(
                self._name,
                f"Location {self._name!r} can only be read: its service writes over what is there although it is asked "
                f"not to (it ignores {_CONDITIONS.get(trial, 'If-None-Match')}); use a newer version of it, or another "
                "place for new objects.",
            )

    def _is_sure(self, trial: Callable[..., bool]) -> bool:
        """The outcome of a trial, which is made once."""
        with self._trial:
            if trial not in self._verdicts:
                self._verdicts[trial] = trial(self._client, self._bucket, self._prefix, self._of_new)
            return self._verdicts[trial]

    def _hear(self, answer: Mapping[str, Any]) -> None:
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date:
            with contextlib.suppress(ValueError):  # a header cut in two
                self._told_at = parsedate_to_datetime(date).astimezone(UTC)


class _AnotherState(Exception):
    """What was sent is not what was asked for."""


def _etag(item: Mapping[str, Any]) -> str:
    # Some services quote it in one answer and not in another.
    return str(item.get("ETag", "")).strip('"')


def _entry(path: str, item: Mapping[str, Any], size: int, by_kms: bool) -> Entry:
    """What a listing or HEAD tells; `by_kms`: the objects are encrypted by a key of KMS, so no ETag is an MD5."""
    etag = _etag(item)
    checksum = None
    if not by_kms:
        checksum = f"md5:{etag}" if _MD5.fullmatch(etag) else None
    elif "SHA256" in item.get("ChecksumAlgorithm", ()) and _is_of_whole(item):
        checksum = ANNOUNCED
    token = f"{etag}|{size}" if etag else f"|{size}{UNSETTLED}"
    return Entry(path, size, token, item["LastModified"], checksum, item.get("StorageClass", "STANDARD"))


def _is_of_whole(item: Mapping[str, Any]) -> bool:
    """Whether the checksums are those of the whole content and not of the checksums of its parts."""
    # Some services do not say; then an object that came in parts has an ETag that ends in their number.
    return bool(item.get("ChecksumType", "COMPOSITE" if "-" in _etag(item) else "FULL_OBJECT") == "FULL_OBJECT")
