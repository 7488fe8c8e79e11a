"""Buckets of Google Cloud Storage, by Google's library over the JSON API.

Takes `gs://BUCKET/PREFIX` and options; must not retry by itself, nor look for a server of metadata where credentials
are given. Objects put together from parts have no MD5; their CRC-32C alone identifies nothing.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from deeplens_kit.errors import ObjectChangedError, ObjectExistsError, ObjectUnreadableError, SettingsError
from deeplens_kit.storage.gcs_account import connect, fault_of, unprotected
from deeplens_kit.storage.gcs_acting import ActingGcs, generation_of, reload
from deeplens_kit.storage.listing import Entry
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault
from deeplens_kit.storage.store import Cursor, Page, Probe

__all__ = ["GcsLocation", "GcsOptions", "GcsStore"]

_URL = re.compile(r"[a-z]+://([a-z0-9][a-z0-9._-]+)(?:/(.*))?", re.DOTALL | re.IGNORECASE)
_PAGE_OBJECTS = 1_000  # the most that the service gives at once
_FIELDS = "items(name,size,generation,metageneration,md5Hash,storageClass,updated),nextPageToken"


@dataclass(frozen=True, slots=True)
class GcsOptions(RemoteOptions):
    """Options of a bucket."""

    safer: ClassVar[str] = (
        "The identity of the machine is safer than the file of a service account: leave service_account_file empty "
        "where this runs on Google Cloud or has workload identity. There is no file then that somebody could copy."
    )

    service_account_file: str = option("", "JSON file of a service account; by default the application's credentials.")
    anonymous: bool = option(False, "Whether the bucket is public and asked without credentials.")
    project: str = option("", "Project that pays, for buckets whose owner lets the requester pay.")
    endpoint: str = option("", "URL of a service that speaks the same API, such as http://127.0.0.1:4443.")
    kms_key: str = option("", "Cloud KMS key of every new object: projects/P/locations/L/keyRings/R/cryptoKeys/K.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        if self.service_account_file and self.anonymous:
            raise SettingsError("Location options 'service_account_file' and 'anonymous' exclude each other.")
        if self.endpoint and not re.fullmatch(r"https?://[^/?#@]+/?", self.endpoint):
            # Not repeated: a login may stand in it.
            raise SettingsError(
                "Location option 'endpoint' is no address; it must be a URL without a path and a login, such as "
                "http://127.0.0.1:4443."
            )


class GcsLocation(RemoteLocation):
    """A bucket, or what lies beneath a prefix of it.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `gs://BUCKET/PREFIX`.
        options: Fields of `GcsOptions`.
    """

    options_class = GcsOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = GcsOptions.of(options)
        match = _URL.fullmatch(url)
        if match is None:
            raise SettingsError("The URL names no bucket; write gs://BUCKET or gs://BUCKET/PREFIX.")
        bucket, within = match[1].lower(), unquote(match[2] or "").strip("/")
        prefix = "/".join(part for part in (within, parsed.base_path.strip("/")) if part)
        prefix += "/" if prefix else ""
        endpoint = parsed.endpoint.rstrip("/").partition("://")[2]
        home = f"{endpoint}/" if endpoint not in ("", "storage.googleapis.com") else ""
        super().__init__(
            location_id,
            name,
            f"gs://{bucket}" + (f"/{quote(within)}" if within else ""),
            f"gs://{home}{bucket}/{prefix}",
            parsed,
            GcsStore(bucket, prefix, parsed),
        )


class GcsStore(ActingGcs):
    """A bucket; see `storage.store.Store`."""

    reads_conditionally = True
    metadata_kept = True
    lists_checksums = True
    copies_have_equal_checksums = True
    proves_by_token = True

    def __init__(self, bucket: str, prefix: str, options: GcsOptions) -> None:
        self._name, self._prefix, self._options = bucket, prefix, options
        self._call = {"retry": None, "timeout": (options.timeout_seconds, options.timeout_seconds)}
        super().__init__(lambda fresh: connect(options, self._hear))
        self._told_at: datetime | None = None

    def page(self, cursor: Cursor | None) -> Page:
        """A page of at most 1,000 objects; old versions and what is deleted softly are not among them."""
        found = self._client.list_blobs(
            self._bucket,
            prefix=self._prefix or None,
            page_token=cursor,
            page_size=_PAGE_OBJECTS,
            fields=_FIELDS,
            **self._call,
        )
        entries, special, cut = [], 0, len(self._prefix)
        for blob in next(found.pages, ()):
            name = blob.name
            if len(name) == cut or name[-1] == "/":
                special += bool(blob.size)  # an empty one only stands for a folder
                continue
            entries.append(_entry(name[cut:], blob))
        return Page(entries, special=special, after=found.next_page_token)

    def stat(self, path: str) -> Entry:
        """The object's resource without its bytes."""
        blob = self._blob(path)
        reload(blob, self._call)
        return _entry(path, blob)

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """One GET, of the very generation where a token is given, and of the bytes as they are stored."""
        blob, wanted = self._blob(path), generation_of(token)
        whole = start == 0 and length is None
        data: bytes = blob.download_as_bytes(
            start=None if whole else start,
            end=None if length is None else start + length - 1,
            # What is stored compressed has the size and the checksum of what is stored.
            raw_download=True,
            if_generation_match=wanted,
            checksum="auto" if whole else None,
            **self._call,
        )
        if wanted is not None and blob.generation not in (None, wanted):  # some services leave the condition out
            raise ObjectChangedError("It changed since it was listed; it is taken up by the next `deeplens index`.")
        return data

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """One upload that fails where the name is taken."""
        blob = self._blob(path, new=True)
        blob.metadata = {name: quote(value) for name, value in metadata.items()} or None
        blob.upload_from_string(data, "application/octet-stream", if_generation_match=0, **self._call)

    def copy(self, path: str, target: str, token: str) -> None:
        """A copy by the service, with what is said of the object; access lists and holds do not go with it."""
        source, goal = self._blob(path), self._blob(target, new=True)
        reload(source, self._call)
        self._take_over(source, goal)
        # The condition below makes sure; this one spares the request, and some services leave that condition out.
        if self._blob(target).exists(**self._call):
            raise ObjectExistsError("Something has this name already; it was left as it is.")
        from google.api_core.exceptions import PreconditionFailed

        wanted = {"if_generation_match": 0, "if_source_generation_match": generation_of(token), **self._call}
        try:
            go_on, _, _ = goal.rewrite(source, **wanted)
            while go_on is not None:
                go_on, _, _ = goal.rewrite(source, token=go_on, **wanted)
        except PreconditionFailed:
            # The service does not say which of the two conditions it was.
            reload(source, self._call)
            if source.generation != generation_of(token):
                raise ObjectChangedError("It changed since it was listed; it was left as it is.") from None
            raise

    def remove(self, path: str, token: str) -> None:
        """One DELETE of the very generation."""
        self._blob(path).delete(if_generation_match=generation_of(token), **self._call)

    def probe(self) -> Probe:
        """The clock of the service, as its answers tell it."""
        remarks = []
        if self._options.service_account_file and unprotected(self._options.service_account_file):
            remarks.append("Others than you may read the service account file: `chmod 600` it.")
        return Probe(now=self._told_at, remarks=tuple(remarks))

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate the library's errors."""
        return fault_of(error)

    @property
    def _bucket(self) -> Any:
        return self._client.bucket(self._name, user_project=self._options.project or None)

    def _blob(self, path: str, *, new: bool = False) -> Any:
        # Whoever keeps objects as files would take them as steps out of the prefix.
        if any(part in (".", "..") for part in path.split("/")):
            raise ObjectUnreadableError("Objects whose names have '.' or '..' between slashes are not asked for.")
        key = (self._options.kms_key or None) if new else None
        return self._bucket.blob(self._prefix + path, kms_key_name=key)

    def _hear(self, response: Any, *_: object, **__: object) -> None:
        if not response.ok:
            response.content  # noqa: B018 - read to its end, or the library leaves the connection of a download open
        date = response.headers.get("Date")
        if date:
            with contextlib.suppress(ValueError):  # a header cut in two
                self._told_at = parsedate_to_datetime(date).astimezone(UTC)


def _entry(path: str, blob: Any) -> Entry:
    md5 = blob.md5_hash
    # The library's own reading of the time (`blob.updated`) takes as long as all the rest of the row.
    updated = blob._properties.get("updated")
    return Entry(
        path,
        blob.size,
        f"{blob.generation}-{blob.metageneration}",
        datetime.fromisoformat(updated) if updated else None,
        f"md5:{base64.b64decode(md5).hex()}" if md5 else None,
        blob.storage_class,
    )
