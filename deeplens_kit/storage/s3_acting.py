"""What acting on files needs of a bucket of S3: what an object has, copies in parts, storage classes, old versions.

Takes keys by the requests of `s3_store`; must not write where the target is not free, or an object is not in the state
that is expected.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from deeplens_kit.storage.client_store import ClientStore
from deeplens_kit.storage.facts import KeptAfter, ObjectFacts
from deeplens_kit.storage.resilience import FaultKind, KnownFault
from deeplens_kit.storage.s3_faults import code_of, is_forbidden, status_of
from deeplens_kit.storage.s3_trial import refuses_to_replace_another

__all__ = ["KEPT", "ActingBucket", "is_too_large", "of_state"]

KEPT = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires"),
    "Metadata",
)
"""What an object has besides the bytes, as PUT takes it."""
_HEADERS = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ExpiresString": "Expires",
}
_MOST_COPIED_BYTES = 5 * 2**30
"""What S3 copies in one request, inclusive."""
_PART_BYTES = 2**29
_MOST_PARTS = 10_000
_VERSIONS_A_PAGE = 1000  # the most that S3 gives
_NO_TAGS = frozenset({"NotImplemented", "MethodNotAllowed", "NoSuchTagSet", "NoSuchTagSetError"})
_NOT_KNOWN = frozenset({"NotImplemented", "MethodNotAllowed"})
_MAY_NOT_TELL = (
    "Whether the bucket keeps versions of it is unknown: the credential may not list them; allow "
    "s3:ListBucketVersions to have them counted."
)
_CANNOT_TELL = "Whether the service keeps versions of it is unknown: it has no request that lists them."


class ActingBucket(ClientStore):
    """What of `s3_store.S3Store` acting on files needs."""

    sets_storage_class = replaces_exactly = True
    _bucket: str
    _prefix: str
    _always: Mapping[str, Any]
    _of_new: Mapping[str, Any]

    def about(self, path: str) -> ObjectFacts:
        """One HEAD, and one request for the tags."""
        answer = self._head(path)
        return ObjectFacts(
            metadata=dict(answer.get("Metadata", {})),
            tags=self._tags(path, answer),
            content_type=answer.get("ContentType"),
            modified_at=answer["LastModified"],
            headers={header: answer[name] for name, header in _HEADERS.items() if name in answer},
        )

    def replace(self, path: str, data: bytes, token: str) -> None:
        """One PUT of the very ETag, with all that the object has."""
        from botocore.exceptions import ClientError

        self._make_sure(refuses_to_replace_another)
        source = self._head(path, **of_state("IfMatch", token))
        kept = {name: source[name] for name in KEPT if name in source}
        more = kept | self._stays(source) | self._tagging(path, source)
        try:
            self._put(path, data, more, of_state("IfMatch", token))
        except ClientError as error:
            if status_of(error) in (409, 412):
                raise KnownFault(FaultKind.CHANGED, "it has another ETag") from error
            raise

    def set_storage_class(self, path: str, storage_class: str, token: str) -> None:
        """A copy of the object onto itself, of the very ETag."""
        from botocore.exceptions import ClientError

        source = self._head(path, **of_state("IfMatch", token))
        more = {**self._stays(source), "StorageClass": storage_class}
        try:
            if is_too_large(source["ContentLength"]):
                self._copy_in_parts(path, path, source, token, more, of_state("IfMatch", token))
                return
            wanted = self._copying(path, path, token) | more
            try:
                self._client.copy_object(**wanted, **of_state("IfMatch", token))
            except ClientError as error:
                if code_of(error) != "NotImplemented":
                    raise
                self._client.copy_object(**wanted)
        except ClientError as error:
            if status_of(error) in (409, 412):
                raise KnownFault(FaultKind.CHANGED, "it has another ETag") from error
            raise

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """Noncurrent versions, as a listing of versions tells them."""
        from botocore.exceptions import ClientError

        versions = size_bytes = 0
        marked = False
        try:
            found = list(self._versions(path))
        except ClientError as error:
            if is_forbidden(error):
                return KeptAfter.unknown(_MAY_NOT_TELL)
            if code_of(error) in _NOT_KNOWN or status_of(error) == 501:
                return KeptAfter.unknown(_CANNOT_TELL)
            raise
        for item in found:
            if "Size" not in item:
                marked = marked or bool(item.get("IsLatest"))
            elif not item.get("IsLatest"):
                versions += 1
                size_bytes += item["Size"]
        if not versions:
            return KeptAfter(0, 0, False, "")
        return KeptAfter(
            versions,
            size_bytes,
            marked,
            "The bucket keeps versions of what is removed or overwritten; they are billed until a lifecycle rule or "
            "somebody deletes them.",
        )

    @abstractmethod
    def _head(self, path: str, **wanted: Any) -> Any:
        """What HEAD tells."""

    @abstractmethod
    def _of(self, path: str) -> dict[str, Any]:
        """The arguments that name an object."""

    @abstractmethod
    def _put(self, path: str, data: bytes, more: Mapping[str, Any], condition: Mapping[str, Any]) -> None:
        """One PUT."""

    @abstractmethod
    def _make_sure(self, trial: Any) -> None:
        """Refuse to write where a trial fails."""

    def _tags(self, path: str, head: Mapping[str, Any]) -> dict[str, str]:
        from botocore.exceptions import ClientError

        if head.get("TagCount") == 0:
            return {}
        try:
            answer = self._client.get_object_tagging(**self._of(path))
        except ClientError as error:
            if code_of(error) in _NO_TAGS or status_of(error) == 501:
                return {}
            raise
        return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", ())}

    def _tagging(self, path: str, head: Mapping[str, Any]) -> dict[str, Any]:
        tags = self._tags(path, head)
        return {"Tagging": urlencode(tags)} if tags else {}

    def _stays(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """What a copy would not take over by itself: storage class, and a key where the options set no encryption."""
        stays = {"StorageClass": head["StorageClass"]} if "StorageClass" in head else {}
        if "ServerSideEncryption" not in self._of_new and "kms" in head.get("ServerSideEncryption", ""):
            names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
            stays |= {name: head[name] for name in names if name in head}
        return stays

    def _copying(self, path: str, target: str, token: str) -> dict[str, Any]:
        """The arguments of a copy by the service; metadata and tags go with it by themselves."""
        return {
            "Bucket": self._bucket,
            "Key": self._prefix + target,
            "CopySource": {"Bucket": self._bucket, "Key": self._prefix + path},
            **of_state("CopySourceIfMatch", token),
            **self._of_new,
        }

    def _copy_in_parts(
        self,
        path: str,
        target: str,
        source: Mapping[str, Any],
        token: str,
        more: Mapping[str, Any],
        condition: Mapping[str, Any],
    ) -> None:
        """A copy of what is too large for one request; `condition` is that of the last one, which makes the object."""
        size = source["ContentLength"]
        part_bytes = max(_PART_BYTES, -(-size // _MOST_PARTS))
        kept = {name: source[name] for name in KEPT if name in source}
        wanted = {"Bucket": self._bucket, "Key": self._prefix + target}
        begun = self._client.create_multipart_upload(
            **wanted, **kept, **self._tagging(path, source), **self._of_new, **more
        )
        upload = {**wanted, "UploadId": begun["UploadId"], **self._always}
        try:
            parts = []
            for number, at in enumerate(range(0, size, part_bytes), start=1):
                answer = self._client.upload_part_copy(
                    **upload,
                    PartNumber=number,
                    CopySource={"Bucket": self._bucket, "Key": self._prefix + path},
                    CopySourceRange=f"bytes={at}-{min(at + part_bytes, size) - 1}",
                    **of_state("CopySourceIfMatch", token),
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            # Parts that are left are billed; what is complete by now is not taken away by this.
            with contextlib.suppress(Exception):
                self._client.abort_multipart_upload(**upload)
            raise

    def _versions(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Versions and delete markers of one key."""
        key = self._prefix + path
        wanted: dict[str, Any] = {"Bucket": self._bucket, "Prefix": key, "MaxKeys": _VERSIONS_A_PAGE, **self._always}
        while True:
            answer = self._client.list_object_versions(**wanted)
            found = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            yield from (item for item in found if item["Key"] == key)
            # Keys come in order, and the prefix itself is the first of those that begin with it.
            if not answer.get("IsTruncated") or any(item["Key"] != key for item in found):
                return
            wanted["KeyMarker"] = answer["NextKeyMarker"]
            wanted["VersionIdMarker"] = answer.get("NextVersionIdMarker", "")


def is_too_large(size_bytes: int) -> bool:
    """Whether S3 does not copy so much in one request."""
    return size_bytes > _MOST_COPIED_BYTES


def of_state(condition: str, token: str | None) -> dict[str, Any]:
    """The condition that an object has the ETag of a token."""
    etag = (token or "").partition("|")[0]
    return {condition: f'"{etag}"'} if etag else {}
