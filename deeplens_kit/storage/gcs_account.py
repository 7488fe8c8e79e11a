"""Google Cloud Storage: how we come in, and what its answers mean.

Takes the options of a location and gives the library's client, or the meaning of an error; must not retry. A location
that is only read asks for a token that can only read, whatever the account may do besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.storage.options import Permission
from deeplens_kit.storage.resilience import Fault, FaultKind

if TYPE_CHECKING:
    from deeplens_kit.storage.gcs import GcsOptions

__all__ = ["AccountFileError", "connect", "fault_of", "unprotected"]

_SCOPE = "https://www.googleapis.com/auth/devstorage."
_BUSY = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
# https://cloud.google.com/storage/docs/access-control/iam-roles
_ROLES: Mapping[str, str] = {
    "list": "Storage Object Viewer",
    "get": "Storage Object Viewer",
    "create": "Storage Object Creator",
    "delete": "Storage Object User",
}


class AccountFileError(Exception):
    """The file of a service account cannot be used; `str` says why."""


def connect(options: GcsOptions, hear: Callable[..., object]) -> Any:
    """The library's client; threads may share it, as its session and connections may be.

    Args:
        options: Of the location.
        hear: Called with each response.

    Raises:
        ExtraMissingError: The library is not installed.
        AccountFileError: The file of the service account is not one.
    """
    try:
        from google.cloud.storage import Client
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise ExtraMissingError("A location on Google Cloud Storage", "gcs") from error
    client = Client(
        # None: the project matters for what we never do, and would be looked for on a server of the machine's cloud.
        project=None,
        credentials=_credentials(options),
        client_options={"api_endpoint": options.endpoint.rstrip("/")} if options.endpoint else None,
    )
    # For traces that nobody takes the library asks for the bucket itself, by a thread with retries of its own: that is
    # one more permission (storage.buckets.get), and refusals in the owner's audit log.
    client._bucket_metadata_cache = None
    session = client._http
    if not session.is_mtls:
        # As many connections as there are requests at once: those beyond the pool's size would be opened each time.
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=options.connections, max_retries=0))
    session.hooks["response"].append(hear)
    return client


def _credentials(options: GcsOptions) -> Any:
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.oauth2 import service_account

    if options.anonymous:
        return AnonymousCredentials()
    scopes = [_SCOPE + ("read_only" if options.permissions == Permission.READ else "read_write")]
    if not options.service_account_file:
        return google.auth.default(scopes=scopes)[0]
    path = Path(options.service_account_file).expanduser()
    try:
        return service_account.Credentials.from_service_account_file(path, scopes=scopes)
    except OSError as error:
        raise AccountFileError(f"the service account file {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:  # also of the library's own: no JSON, no such fields, no key
        raise AccountFileError(f"{str(path)!r} is no service account file of Google") from error


def unprotected(path: str) -> bool:
    """Whether others than its owner may read a file."""
    try:
        return bool(Path(path).expanduser().stat().st_mode & 0o077)
    except OSError:
        return False


def fault_of(error: BaseException) -> Fault | None:
    """Translate an error of the library, or one of ours; None for what is no error of the storage."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from urllib3.exceptions import HTTPError

    if isinstance(error, AccountFileError):
        return Fault(FaultKind.LOCATION, str(error))
    if isinstance(error, GoogleAPICallError):
        return _answered(error)
    if isinstance(error, DataCorruption):
        return Fault(FaultKind.PASSING, "the bytes that came do not have the checksum that they were sent with")
    if isinstance(error, auth.InvalidOperation):  # of being nobody: there is no token to be renewed
        return Fault(FaultKind.CREDENTIALS, "the bucket is not public; give credentials in place of anonymous=true")
    if isinstance(error, auth.GoogleAuthError):
        passing = isinstance(error, (auth.TransportError, auth.TimeoutError)) or getattr(error, "retryable", False)
        return Fault(FaultKind.PASSING if passing else FaultKind.CREDENTIALS, _line(error))
    # What breaks off within the bytes of an object comes from below the library.
    broken_off = isinstance(error, (InvalidResponse, HTTPError, OSError, EOFError))
    return Fault(FaultKind.PASSING, _line(error)) if broken_off else None


def _answered(error: Any) -> Fault:
    status = int(error.code or 0)
    message, reasons = _said(error)
    url = str(getattr(getattr(error.response, "request", None), "url", ""))
    if status in (408, 429) or status >= 500 or reasons & _BUSY:
        return Fault(FaultKind.PASSING, message)
    if "requester pays" in message.lower() or "UserProjectMissing" in reasons:
        return Fault(FaultKind.LOCATION, f"{message}; name a project that pays in option 'project'")
    if status == 404:
        # What is asked is the bucket's list, or a place for a new object in it.
        of_bucket = re.search(r"/b/[^/]+/o(\?|$)", url) or "bucket does not exist" in message
        return Fault(FaultKind.LOCATION, "the bucket does not exist") if of_bucket else Fault(FaultKind.GONE, message)
    if status == 412:
        # New objects and copies are made on the condition that there is none of the name.
        return Fault(FaultKind.EXISTS if "ifGenerationMatch=0" in url else FaultKind.CHANGED, message)
    if status == 403:
        return Fault(FaultKind.FORBIDDEN, _missing_permission(message))
    return Fault({401: FaultKind.CREDENTIALS, 416: FaultKind.CHANGED}.get(status, FaultKind.BROKEN), message)


def _said(error: Any) -> tuple[str, set[str]]:
    """Message and reasons of the service; of a download the library gives its own words in place of them."""
    try:
        said = error.response.json()["error"]
        return _line(said["message"]), {str(item["reason"]) for item in said.get("errors", ())}
    except (AttributeError, ValueError, KeyError, TypeError):
        return _line(getattr(error.response, "text", "") or error), set()


def _missing_permission(message: str) -> str:
    named = re.search(r"storage\.[a-zA-Z]+\.([a-zA-Z]+)", message)
    if named is None:
        return message
    role = _ROLES.get(named[1])
    return f"the permission {named[0]!r} is missing" + (f", which the role {role!r} has" if role else "")


def _line(said: object) -> str:
    """The first line; of a connection that failed what it comes from, and no query of a URL."""
    text = next((line.strip() for line in str(said).splitlines() if line.strip()), type(said).__name__)
    cause = re.search(r"\(Caused by [A-Za-z]+\(['\"]?(.*?)['\"]?\)\)$", text)
    return re.sub(r"\?[^\s'\")]*", "?…", cause[1] if cause else text)[:300]
