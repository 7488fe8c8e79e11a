"""What acting on files needs of a container of Azure: what a blob has, copies, tiers, snapshots and old versions.

Takes names by the SDK's client of `azure`; must not write where a blob does not have the ETag that is expected.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from deeplens_kit.storage.client_store import ClientStore
from deeplens_kit.storage.facts import KeptAfter, ObjectFacts
from deeplens_kit.storage.resilience import PassingFault

__all__ = ["ActingAzure", "counted", "matching"]

_COPY_POLL_SECONDS = 0.5
_HEADERS = {
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "content_encoding": "Content-Encoding",
    "content_language": "Content-Language",
}
_PAST = ("snapshots", "versions", "deleted", "deletedwithversions")
# What a service answers that keeps no versions, or does not tell of them.
_NOT_KNOWN = frozenset({"FeatureNotSupported", "UnsupportedQueryParameter", "InvalidQueryParameterValue"})
_NOT_BUILT = 501
_CANNOT_TELL = "Whether the account keeps snapshots or versions of it is unknown: the service does not list them."


class ActingAzure(ClientStore):
    """What of `azure.AzureStore` acting on files needs."""

    sets_storage_class = replaces_exactly = True
    _prefix: str
    _timeout_seconds: float

    def about(self, path: str) -> ObjectFacts:
        """One HEAD, and one request for tags where the blob has some."""
        blob = self._blob(path)
        state = blob.get_blob_properties()
        settings = state.content_settings
        return ObjectFacts(
            metadata=dict(state.metadata or {}),
            tags=self._tags(blob, state),
            content_type=settings.content_type,
            modified_at=state.last_modified,
            headers={header: getattr(settings, name) for name, header in _HEADERS.items() if getattr(settings, name)},
        )

    def replace(self, path: str, data: bytes, token: str) -> None:
        """One upload in the place of the very ETag, with all that the blob has."""
        blob = self._blob(path)
        state = blob.get_blob_properties(**matching(token))
        self._put(path, data, state.metadata, state.content_settings, **self._stays(blob, state), **matching(token))

    def set_storage_class(self, path: str, storage_class: str, token: str) -> None:
        """Set Blob Tier, which takes no condition and changes neither bytes nor ETag."""
        self._blob(path).set_standard_blob_tier(storage_class)

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """Snapshots, versions and what is deleted softly, as a listing of all of them tells."""
        name = self._prefix + path
        for asked in (_PAST, ("snapshots", "deleted")):
            try:
                found = self._client.list_blobs(name_starts_with=name, include=list(asked))
                items = []
                for item in found:
                    if item.name != name:
                        break  # names come in order, and the prefix itself is the first
                    items.append(item)
                return counted(items)
            except Exception as error:
                code = str(getattr(getattr(error, "error_code", ""), "value", getattr(error, "error_code", "")))
                if code not in _NOT_KNOWN and getattr(error, "status_code", None) != _NOT_BUILT:
                    raise
        return KeptAfter.unknown(_CANNOT_TELL)

    @abstractmethod
    def _blob(self, path: str) -> Any:
        """The SDK's client of a blob."""

    @abstractmethod
    def _put(self, path: str, data: bytes, metadata: Mapping[str, str], settings: Any, **more: Any) -> None:
        """One upload."""

    def _tags(self, blob: Any, state: Any) -> dict[str, str]:
        return dict(blob.get_blob_tags()) if state.tag_count else {}

    def _stays(self, blob: Any, state: Any) -> dict[str, Any]:
        """What neither copies nor uploads take over by themselves: tags, and a tier that is not the account's."""
        from azure.storage.blob import StandardBlobTier

        stays: dict[str, Any] = {}
        if tags := self._tags(blob, state):
            stays["tags"] = tags
        if state.blob_tier in list(StandardBlobTier) and not state.blob_tier_inferred:
            stays["standard_blob_tier"] = StandardBlobTier(state.blob_tier)
        return stays

    def _wait_for(self, goal: Any, copy_id: str) -> None:
        """Wait for a copy that the service does by and by, as long as it goes on; one that stops is taken away."""
        deadline, done = time.monotonic() + self._timeout_seconds, ""
        while True:
            copy = goal.get_blob_properties().copy
            if copy.status != "pending":
                break
            if copy.progress != done:
                deadline, done = time.monotonic() + self._timeout_seconds, copy.progress
            elif time.monotonic() > deadline:
                break
            time.sleep(_COPY_POLL_SECONDS)
        if copy.status == "success":
            return
        if copy.status == "pending":
            goal.abort_copy(copy_id)
        goal.delete_blob()
        raise PassingFault(f"the service's copy did not go on for {self._timeout_seconds:g} s ({copy.status})")


def counted(items: list[Any]) -> KeptAfter:
    """What listed blobs of one name come to, besides the one that is current."""
    past = [item for item in items if item.snapshot or item.deleted or (item.version_id and not _is_current(item))]
    if not past:
        return KeptAfter(0, 0, False, "")
    soft = any(item.deleted for item in past)
    note = (
        "The account keeps what is deleted for a while (soft delete), which is billed until that is over."
        if soft
        else "The account keeps snapshots or versions; they are billed until a lifecycle rule or somebody deletes them."
    )
    return KeptAfter(len(past), sum(item.size or 0 for item in past), soft, note)


def _is_current(item: Any) -> bool:
    return bool(item.is_current_version)


def matching(token: str | None) -> dict[str, Any]:
    """The condition that a blob has the ETag of a token."""
    from azure.core import MatchConditions

    if not token:
        return {}
    return {"etag": f'"{token.partition("|")[0]}"', "match_condition": MatchConditions.IfNotModified}
