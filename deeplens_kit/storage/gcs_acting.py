"""What acting on files needs of a bucket of Google Cloud Storage: what an object has, its class, its old generations.

Takes names by the library's client of `gcs`; must not write where an object is not of the generation that is expected.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from deeplens_kit.storage.client_store import ClientStore
from deeplens_kit.storage.facts import KeptAfter, ObjectFacts
from deeplens_kit.storage.resilience import PassingFault

__all__ = ["KEPT", "ActingGcs", "generation_of", "reload"]

# What a copy does not take over by itself once a part of it is given, and the library always gives the name.
KEPT = (
    *("cache_control", "content_disposition", "content_encoding", "content_language", "content_type", "metadata"),
    *("custom_time", "storage_class"),
)
"""What an object has besides its bytes, by the library's names."""
_HEADERS = {
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "content_encoding": "Content-Encoding",
    "content_language": "Content-Language",
}
_FIELDS = "items(name,size,generation,timeDeleted,softDeleteTime),nextPageToken"
_AFTER_NAME = "\0"
"""Names come in order; between a name and the same with this behind it there is no other."""


def reload(blob: Any, call: Mapping[str, Any]) -> None:
    """Ask for an object's resource without its bytes.

    Raises:
        PassingFault: The answer broke off.
    """
    blob.reload(**call)
    if not isinstance(blob._properties, dict):
        # A connection that ends within the headers hides that they announce JSON: the library gives its bytes.
        raise PassingFault("its answer broke off in the middle")


class ActingGcs(ClientStore):
    """What of `gcs.GcsStore` acting on files needs."""

    sets_storage_class = replaces_exactly = True
    _call: Mapping[str, Any]
    _prefix: str

    def about(self, path: str) -> ObjectFacts:
        """The object's resource without its bytes."""
        blob = self._blob(path)
        reload(blob, self._call)
        headers = {header: getattr(blob, name) for name, header in _HEADERS.items() if getattr(blob, name)}
        if blob.custom_time is not None:
            headers["Custom-Time"] = blob.custom_time.isoformat()
        return ObjectFacts(
            metadata=dict(blob.metadata or {}),
            content_type=blob.content_type,
            modified_at=blob.updated,
            headers=headers,
        )

    def replace(self, path: str, data: bytes, token: str) -> None:
        """One upload in the place of the very generation, with all that the object has."""
        source, goal = self._blob(path), self._blob(path, new=True)
        reload(source, self._call)
        self._take_over(source, goal)
        kind = source.content_type or "application/octet-stream"
        goal.upload_from_string(data, kind, if_generation_match=generation_of(token), **self._call)

    def set_storage_class(self, path: str, storage_class: str, token: str) -> None:
        """A copy of the very generation onto itself."""
        blob, wanted = self._blob(path, new=True), generation_of(token)
        reload(blob, self._call)
        blob.update_storage_class(
            storage_class, if_generation_match=wanted, if_source_generation_match=wanted, **self._call
        )

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """Noncurrent generations, and those that are deleted softly, as two listings tell them."""
        versions = [item for item in self._generations(path, versions=True) if item.get("timeDeleted")]
        soft = [item for item in self._generations(path, soft_deleted=True) if item.get("softDeleteTime")]
        # One that is no more than soft-deleted is in the second listing only.
        kept = {str(item["generation"]): int(item["size"]) for item in (*versions, *soft)}
        if not kept:
            return KeptAfter(0, 0, False, "")
        note = (
            "The bucket keeps what is deleted for a while (soft delete), which is billed until that is over."
            if soft
            else "The bucket keeps noncurrent generations; they are billed until a lifecycle rule or somebody deletes "
            "them."
        )
        return KeptAfter(len(kept), sum(kept.values()), bool(soft), note)

    @abstractmethod
    def _blob(self, path: str, *, new: bool = False) -> Any:
        """The library's object; `new` for one that is written."""

    @property
    @abstractmethod
    def _bucket(self) -> Any:
        """The library's bucket."""

    def _take_over(self, source: Any, goal: Any) -> None:
        for name in KEPT:
            if (value := getattr(source, name)) is not None:
                setattr(goal, name, value)

    def _generations(self, path: str, **wanted: bool) -> Iterator[Mapping[str, Any]]:
        name = self._prefix + path
        found = self._client.list_blobs(
            self._bucket, start_offset=name, end_offset=name + _AFTER_NAME, fields=_FIELDS, **wanted, **self._call
        )
        # Not every service heeds the offsets, or knows of soft deletion.
        return (blob._properties for blob in found if blob.name == name)


def generation_of(token: str | None) -> int | None:
    """The generation that a token names."""
    return int(token.partition("-")[0]) if token else None
