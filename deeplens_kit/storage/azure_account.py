"""Accounts of Azure Blob Storage: how we come in, and what the answers of the service mean.

Takes the options of a location and gives the SDK's client of its container, or the meaning of an error; must not
retry: the SDK's own retries are off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault

if TYPE_CHECKING:
    from deeplens_kit.storage.azure import AzureOptions

__all__ = ["WrongAccountError", "connect", "fault_of"]

# Up to this size a blob comes with one request, and so from one state of it.
_SINGLE_READ_BYTES = 2**40

# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and the common ones it refers to.
_MEANINGS: Mapping[str, FaultKind] = {
    "AuthenticationFailed": FaultKind.CREDENTIALS,
    "AuthorizationFailure": FaultKind.CREDENTIALS,
    "ExpiredAuthenticationToken": FaultKind.CREDENTIALS,
    "InvalidAuthenticationInfo": FaultKind.CREDENTIALS,
    "NoAuthenticationInformation": FaultKind.CREDENTIALS,
    "AccountIsDisabled": FaultKind.LOCATION,
    "ContainerBeingDeleted": FaultKind.LOCATION,
    "ContainerDisabled": FaultKind.LOCATION,
    "ContainerNotFound": FaultKind.LOCATION,
    "InvalidResourceName": FaultKind.LOCATION,
    "KeyBasedAuthenticationNotPermitted": FaultKind.LOCATION,
    "PublicAccessNotPermitted": FaultKind.LOCATION,
    "BlobAlreadyExists": FaultKind.EXISTS,
    "TargetConditionNotMet": FaultKind.EXISTS,
    "UnauthorizedBlobOverwrite": FaultKind.EXISTS,
    "SourceConditionNotMet": FaultKind.CHANGED,
    "InvalidRange": FaultKind.CHANGED,
    "CannotVerifyCopySource": FaultKind.FORBIDDEN,
    "InsufficientAccountPermissions": FaultKind.FORBIDDEN,
    "BlobImmutableDueToPolicy": FaultKind.FORBIDDEN,
    "LeaseIdMissing": FaultKind.FORBIDDEN,
    "ServerBusy": FaultKind.PASSING,
    "OperationTimedOut": FaultKind.PASSING,
}
_WORDS: Mapping[str, str] = {
    "BlobArchived": "the blob is in the archive tier; it can be read when it was moved to hot, cool or cold",
    "BlobBeingRehydrated": "the blob is on its way out of the archive tier, which takes hours",
    "BlobImmutableDueToPolicy": "a policy of immutability or a legal hold keeps the blob as it is",
    "LeaseIdMissing": "somebody holds a lease on the blob",
    "SnapshotsPresent": "the blob has snapshots, which would go with it; remove them first",
    "BlobUsesCustomerSpecifiedEncryption": "the blob is encrypted with a key that only its owner has",
    "AuthorizationFailure": "the credentials were not accepted, or the account's network rules keep us out",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys; give managed_identity=true or other identities",
}
_ROLES = ("Storage Blob Data Reader", "Storage Blob Data Contributor")


class WrongAccountError(Exception):
    """The credentials are those of another account than the URL names; `str` says which."""


def connect(account: str, container: str, options: AzureOptions, *, fresh: bool = False) -> Any:
    """The SDK's client of a container; nothing is asked of the service yet.

    Args:
        account: As the URL names it.
        container: Its name.
        options: Of the location.
        fresh: The credentials were refused as they are: take none from a cache.

    Raises:
        ExtraMissingError: A library is not installed.
        CredentialMissingError: A credential is not where its reference says.
        WrongAccountError: A connection string names another account.
    """
    try:
        from azure.storage.blob import ContainerClient
    except ImportError as error:
        raise ExtraMissingError("A location on Azure", "azure") from error
    settings: dict[str, Any] = {
        "retry_total": 0,
        "max_single_get_size": _SINGLE_READ_BYTES,
        "transport": _transport(options),
    }
    if options.connection_string:
        given = resolve(options.connection_string, fresh=fresh)
        _expect_account(account, given)
        return ContainerClient.from_connection_string(given, container, **settings)
    url = options.endpoint or f"https://{account}.blob.core.windows.net"
    return ContainerClient(url, container, credential=_credential(account, options, fresh), **settings)


def _transport(options: AzureOptions) -> Any:
    """As many connections as there are requests at once: those beyond the pool's size would be opened each time."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=options.connections, max_retries=0))
    seconds = options.timeout_seconds
    return RequestsTransport(session=session, connection_timeout=seconds, read_timeout=seconds)


def _expect_account(account: str, connection_string: str) -> None:
    named = re.search(r"(?:^|;)\s*AccountName\s*=\s*([^;]+)", connection_string, re.IGNORECASE)
    if named is not None and named[1].strip() != account:
        raise WrongAccountError(f"the connection string is that of account {named[1].strip()!r}, not {account!r}")


def _credential(account: str, options: AzureOptions, fresh: bool) -> Any:
    if options.anonymous:
        return None
    if options.account_key:
        return {"account_name": account, "account_key": resolve(options.account_key, fresh=fresh)}
    if options.sas:
        return resolve(options.sas, fresh=fresh).lstrip("?")
    if options.endpoint.lower().startswith("http://"):
        raise KnownFault(
            FaultKind.LOCATION,
            "identities are not sent over plain http; give an https endpoint, or account_key, sas or anonymous=true",
        )
    try:
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
    except ImportError as error:
        raise ExtraMissingError("A location on Azure", "azure") from error
    if options.managed_identity:
        return ManagedIdentityCredential(client_id=options.client_id or None)
    return DefaultAzureCredential()


def fault_of(error: BaseException) -> Fault | None:
    """Translate an error of the SDK, or one of ours; None for what is no error of the storage."""
    from azure.core import exceptions

    if isinstance(error, WrongAccountError):
        return Fault(FaultKind.LOCATION, str(error))
    if isinstance(error, exceptions.HttpResponseError) and error.status_code:
        return _answered(error, error.status_code)
    if isinstance(error, exceptions.ClientAuthenticationError):
        # Of a key that is no base64, or of identities that give no token: nothing was sent.
        said = _line(error)
        words = "the account key is not one: it has to be base64" if "padding" in said.lower() else f"no way in: {said}"
        return Fault(FaultKind.CREDENTIALS, words)
    if isinstance(error, (exceptions.AzureError, OSError, EOFError)):
        return Fault(FaultKind.PASSING, _line(error))
    if isinstance(error, exceptions.DeserializationError):
        return Fault(FaultKind.PASSING, "its answer broke off in the middle")  # a header cut in two
    if isinstance(error, ValueError) and "onnection string" in str(error):
        return Fault(FaultKind.CREDENTIALS, "the connection string is not one")
    return None


def _answered(error: Any, status: int) -> Fault:
    code = str(getattr(error.error_code, "value", error.error_code) or "")
    kind = _MEANINGS.get(code) or _of_status(status)
    request = error.response.request
    if code in ("ConditionNotMet", "") and status == 412:
        # The condition of a new blob is that there is none.
        created = request.method == "PUT" and "If-None-Match" in request.headers
        kind = FaultKind.EXISTS if created else FaultKind.CHANGED
    words = _WORDS.get(code) or _line(error)
    if code in ("AuthorizationPermissionMismatch", "InsufficientAccountPermissions"):
        words = _missing_permission(request.method, str(request.url))
    elif status == 401 and kind == FaultKind.BROKEN:
        kind = FaultKind.CREDENTIALS
    return Fault(kind, f"{words} ({code})" if code else words)


def _of_status(status: int) -> FaultKind:
    if status in (408, 429) or status >= 500:
        return FaultKind.PASSING
    return {404: FaultKind.GONE, 403: FaultKind.FORBIDDEN}.get(status, FaultKind.BROKEN)


def _missing_permission(method: str, url: str) -> str:
    if "comp=tags" in url:
        letter, does, role = "t", "read and set tags", "Storage Blob Data Owner"
    elif "comp=tier" in url:
        letter, does, role = "w", "set tiers", _ROLES[1]
    elif "comp=list" in url:
        letter, does, role = "l", "list the container", _ROLES[0]
    elif method in ("GET", "HEAD"):
        letter, does, role = "r", "read blobs", _ROLES[0]
    elif method == "DELETE":
        letter, does, role = "d", "delete blobs", _ROLES[1]
    else:
        letter, does, role = "c", "create blobs", _ROLES[1]
    return f"we may not {does}: it takes the role {role!r}, or {letter!r} among the permissions (sp) of a SAS"


def _line(error: BaseException) -> str:
    """The first line of what the SDK says; the query of a URL may hold a signature and is left out."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    status = re.fullmatch(r"Operation returned an invalid status '(.*)'", text.strip())
    return re.sub(r"\?[^\s'\")]*", "?…", status[1] if status else text.strip())
