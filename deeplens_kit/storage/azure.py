"""Containers of Azure Blob Storage, by Microsoft's SDK.

Takes `az://ACCOUNT/CONTAINER/PREFIX` and options; must not retry by itself. What the listing calls Content-MD5 was
given by whoever wrote the blob: it identifies a picture only where it equals an MD5 that we computed.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError, SettingsError
from deeplens_kit.storage.azure_account import connect, fault_of
from deeplens_kit.storage.azure_acting import ActingAzure, matching
from deeplens_kit.storage.listing import Entry
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, PassingFault
from deeplens_kit.storage.store import Cursor, Page, Probe, limit_carried

__all__ = ["AzureLocation", "AzureOptions", "AzureStore"]

_HOST = r"([a-z0-9][a-z0-9-]*)(?:\.(?:blob|dfs)\.core\.windows\.net)?"
_CONTAINER = r"(\$?[a-z0-9][a-z0-9-]*)"
# As our documents write it, and as Hadoop and fsspec do.
_URL = re.compile(rf"[a-z]+://{_HOST}/{_CONTAINER}(?:/(.*))?", re.DOTALL | re.IGNORECASE)
_HADOOP_URL = re.compile(rf"[a-z]+://{_CONTAINER}@{_HOST}(?:/(.*))?", re.DOTALL | re.IGNORECASE)
_PAGE_OBJECTS = 5_000  # the most that the service gives at once
_FOLDER_MARK = "hdi_isfolder"
"""Metadata that accounts with a hierarchical namespace put on the empty blob that stands for a folder."""


@dataclass(frozen=True, slots=True)
class AzureOptions(RemoteOptions):
    """Options of a container."""

    safer: ClassVar[str] = (
        "A managed identity is safer than a key: set managed_identity where this machine has one, or leave every "
        "credential empty for the identity that Azure's tools use. Where it has to be a secret, a SAS that ends "
        "soon is the least."
    )

    connection_string: str = option("", "Connection string of the account.", secret=True)
    account_key: str = option("", "Key of the account.", secret=True)
    sas: str = option("", "Shared access signature, safer than a key.", secret=True)
    managed_identity: bool = option(False, "Use the managed identity of the machine, safer than secrets.")
    client_id: str = option("", "Which managed identity, where the machine has several.")
    anonymous: bool = option(False, "Whether the container is public and asked without credentials.")
    endpoint: str = option("", "URL of the account's blob service, where it is not on blob.core.windows.net.")
    encryption_scope: str = option("", "Encryption scope of every new blob.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        ways = ("connection_string", "account_key", "sas", "managed_identity", "anonymous")
        given = [f"'{name}'" for name in ways if getattr(self, name)]
        if len(given) > 1:
            raise SettingsError(
                f"Location options {' and '.join(given)} exclude each other; give one, or none for the identity that "
                "Azure's tools use (environment, workload, managed identity, `az login`)."
            )
        if self.client_id and not self.managed_identity:
            raise SettingsError("Location option 'client_id' needs managed_identity=true.")
        if self.endpoint and self.connection_string:
            raise SettingsError("Location option 'endpoint' has no use beside 'connection_string', which names one.")
        if self.endpoint and not re.fullmatch(r"https?://[^/?#@]+(/[^?#]*)?", self.endpoint):
            raise SettingsError(
                "Location option 'endpoint' is no URL of a blob service; write https://ACCOUNT.blob.core.windows.net "
                "or http://HOST:PORT/ACCOUNT, and no signature behind it: that goes into option 'sas'."
            )


class AzureLocation(RemoteLocation):
    """A container, or what lies beneath a prefix of it.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `az://ACCOUNT/CONTAINER/PREFIX`, or `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX`.
        options: Fields of `AzureOptions`.
    """

    options_class = AzureOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = AzureOptions.of(options)
        account, container, path = _parts(url)
        within = unquote(path).strip("/")
        prefix = "/".join(part for part in (within, parsed.base_path.strip("/")) if part)
        prefix += "/" if prefix else ""
        endpoint = parsed.endpoint.rstrip("/").partition("://")[2]
        # Of an account at Microsoft the name says all, whatever way leads in.
        home = account if not endpoint or endpoint == f"{account}.blob.core.windows.net" else endpoint
        super().__init__(
            location_id,
            name,
            f"az://{account}/{container}" + (f"/{quote(within)}" if within else ""),
            f"az://{home}/{container}/{prefix}",
            parsed,
            AzureStore(account, container, prefix, parsed),
        )


def _parts(url: str) -> tuple[str, str, str]:
    """Account, container, and what follows. The URL itself is not repeated: a signature may stand in it."""
    if match := _HADOOP_URL.fullmatch(url):
        container, account, path = match.groups()
    elif match := _URL.fullmatch(url):
        account, container, path = match.groups()
    else:
        raise SettingsError(
            "The URL names no container of an account on blob.core.windows.net; write az://ACCOUNT/CONTAINER/PREFIX "
            "(other clouds: option endpoint) or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX."
        )
    if "?" in (path or ""):
        raise SettingsError(
            "The URL goes on behind a '?'; a signature goes into option 'sas' as a reference such as ${NAME}, and a "
            "'?' in a name is written %3F."
        )
    return account.lower(), container.lower(), path or ""


class AzureStore(ActingAzure):
    """A container; see `storage.store.Store`."""

    reads_conditionally = True
    metadata_kept = True
    lists_checksums = True
    copies_have_equal_checksums = True
    proves_by_token = True

    def __init__(self, account: str, container: str, prefix: str, options: AzureOptions) -> None:
        self._prefix, self._options, self._timeout_seconds = prefix, options, options.timeout_seconds
        super().__init__(lambda fresh: connect(account, container, options, fresh=fresh))
        self._told_at: datetime | None = None

    def page(self, cursor: Cursor | None) -> Page:
        """A page of at most 5,000 blobs; snapshots, old versions and what is deleted softly are not among them."""
        pages = self._client.list_blobs(
            name_starts_with=self._prefix or None,
            include=["metadata"],
            results_per_page=_PAGE_OBJECTS,
            raw_response_hook=self._hear,
        ).by_page(cursor)
        entries, special, cut = [], 0, len(self._prefix)
        for blob in next(pages, ()):
            name = blob.name
            if blob.size == 0 and _stands_for_folder(blob):
                continue
            if len(name) == cut or name[-1] == "/":
                special += 1
                continue
            entries.append(_entry(name[cut:], blob))
        return Page(entries, special=special, after=pages.continuation_token)

    def stat(self, path: str) -> Entry:
        """One HEAD."""
        return _entry(path, self._blob(path).get_blob_properties())

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """One GET, of the very ETag where a token is given, and of the bytes as they are stored."""
        from azure.core.exceptions import ResourceModifiedError

        whole = start == 0 and length is None
        try:
            stream = self._blob(path).download_blob(
                # An empty blob has no range.
                offset=None if whole else start,
                length=length,
                max_concurrency=1,
                decompress=False,
                **matching(token),
            )
        except ResourceModifiedError:
            self.stat(path)  # tells one that is gone
            raise
        data: bytes = stream.readall()
        return data

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """One PUT that fails where the name is taken (of much data blocks, and one request that makes them a blob)."""
        from azure.storage.blob import ContentSettings

        # Names must be identifiers here.
        kept = {re.sub(r"[^A-Za-z0-9_]", "_", name): quote(value) for name, value in metadata.items()}
        self._put(path, data, kept, ContentSettings())

    def copy(self, path: str, target: str, token: str) -> None:
        """A copy by the service, which takes the source by our own credentials within one account.

        Metadata, headers, tags and tier go with it; leases, holds and policies do not.
        """
        blob = self._blob(path)
        state = blob.get_blob_properties(**matching(token))
        stays = self._stays(blob, state)
        if self._options.encryption_scope:
            # The service encrypts anew only in copies whose source needs no credentials.
            limit_carried(state.size)
            self._put(target, self.read(path, 0, None, token), state.metadata, state.content_settings, **stays)
            return
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError

        source = matching(token)
        goal = self._blob(target)
        try:
            answer = goal.start_copy_from_url(
                blob.url,
                source_etag=source["etag"],
                source_match_condition=source["match_condition"],
                match_condition=MatchConditions.IfMissing,
                **stays,
            )
        except ResourceModifiedError:
            # Not every service says which of the two conditions it was.
            if self.stat(path).change_token != token:
                raise ObjectChangedError("It changed since it was listed.") from None
            raise
        if answer["copy_status"] == "pending":
            self._wait_for(goal, answer["copy_id"])

    def _put(self, path: str, data: bytes, metadata: Mapping[str, str], settings: Any, **more: Any) -> None:
        # The service keeps it for a blob made of blocks only where it is given.
        settings.content_md5 = bytearray(hashlib.md5(data, usedforsecurity=False).digest())
        scope = {"encryption_scope": self._options.encryption_scope} if self._options.encryption_scope else {}
        self._blob(path).upload_blob(
            data,
            length=len(data),
            # With a condition: in the place of the very blob; without one nothing may be there.
            overwrite="etag" in more,
            metadata=dict(metadata),
            content_settings=settings,
            **scope,
            **more,
        )

    def remove(self, path: str, token: str) -> None:
        """One DELETE of the very ETag; refused where the blob has snapshots."""
        self._blob(path).delete_blob(**matching(token))

    def probe(self) -> Probe:
        """The clock of the service, as its answers tell it."""
        return Probe(now=self._told_at)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate the SDK's errors."""
        return fault_of(error)

    def _blob(self, path: str) -> Any:
        # They would be taken as steps in the URL, and lead to another blob.
        if any(part in (".", "..") for part in path.split("/")):
            raise ObjectUnreadableError("Blobs whose names have '.' or '..' between slashes cannot be asked for.")
        return self._client.get_blob_client(self._prefix + path)

    def _hear(self, response: Any) -> None:
        date = response.http_response.headers.get("Date")
        if date:
            with contextlib.suppress(ValueError):  # a header cut in two
                self._told_at = parsedate_to_datetime(date).astimezone(UTC)


def _stands_for_folder(blob: Any) -> bool:
    if blob.name[-1] == "/":
        return True
    return any(name.lower() == _FOLDER_MARK and value == "true" for name, value in (blob.metadata or {}).items())


def _entry(path: str, blob: Any) -> Entry:
    if blob.etag is None or blob.size is None:
        # A connection that ends within the headers looks like an answer with fewer of them.
        raise PassingFault("its answer broke off in the middle")
    md5 = blob.content_settings.content_md5
    return Entry(
        path,
        blob.size,
        f"{blob.etag.strip(chr(34))}|{blob.size}",
        blob.last_modified,
        f"md5:{md5.hex()}" if md5 else None,
        blob.blob_tier,
    )
