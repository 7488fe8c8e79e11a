"""Folders on a server of WebDAV (Nextcloud, ownCloud, Apache, SharePoint ...), by httpx.

Takes `webdavs://USER@HOST:PORT/PATH` (or `webdav://`, in clear) and gives entries and bytes; must not follow a redirect
to another server, which would be given the credentials. A new object is stored under a name of its own and then moved
to a free one, so that nobody ever sees half of it.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.addresses import Address, inside, parse_address, unescaped
from deeplens_kit.storage.base import ListingProblem
from deeplens_kit.storage.listing import UNSETTLED, Entry, settled, unsettled
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault, PassingFault
from deeplens_kit.storage.store import Page, Probe, TreeStore
from deeplens_kit.storage.tls import untrusted
from deeplens_kit.storage.webdav_answers import (
    PROPERTIES,
    QUOTAS,
    AnswerUnreadableError,
    Resource,
    parse_multistatus,
    untold,
)
from deeplens_kit.storage.webdav_client import Login, StatusError, WebdavClient, meaning_of, taken

__all__ = ["WebdavLocation", "WebdavOptions", "WebdavStore"]

_PORTS = {"webdav": 80, "webdavs": 443}
_WRITTEN = {"dav": "webdav", "davs": "webdavs"}
_EXAMPLE = "webdavs://USER@HOST/PATH, or webdav:// where the server knows no TLS"
_GRANULARITY_SECONDS = 1.0
"""Of getlastmodified; and many servers make the ETag of nothing but such a time and the size."""
_MOST_LISTING_BYTES = 2**28
_WITHOUT_FOLDER = (403, 404, 409)
"""What is answered where the folder of a new object is missing: 409 by the standard, 403 and 404 by some (rclone)."""
_TEMPORARY = ".deeplens-{}.part"
_IN_CLEAR = "Passwords and pictures travel in clear; use webdavs:// where the server has it."


@dataclass(frozen=True, slots=True)
class WebdavOptions(RemoteOptions):
    """Options of a folder on a server of WebDAV."""

    user: str = option("", "Who logs in; by default the user of the URL.")
    password: str = option("", "Password of the user.", secret=True)
    auth: Literal["basic", "digest"] = option("basic", "How user and password are sent.")
    token: str = option("", "A bearer token instead of user and password.", secret=True)
    ca_file: str = option("", "File with the certificates that the server's is checked against.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        if self.token and (self.user or self.password):
            raise SettingsError(
                "Location option 'token' stands instead of 'user' and 'password'; give one or the other."
            )


class WebdavLocation(RemoteLocation):
    """A folder on a server of WebDAV.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `webdavs://USER@HOST:PORT/PATH`, or `webdav://...` without TLS.
        options: Fields of `WebdavOptions`.
    """

    options_class = WebdavOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = WebdavOptions.of(options)
        scheme, colon, rest = url.partition(":")
        scheme = _WRITTEN.get(scheme.lower(), scheme.lower())
        address = parse_address(scheme + colon + rest, _EXAMPLE, _PORTS.get(scheme, 0))
        user = parsed.user or address.user
        if user and not (parsed.password or parsed.token):
            raise SettingsError(f"The user {user!r} needs location option 'password'; give a reference like ${{NAME}}.")
        if parsed.password and not user:
            raise SettingsError("Location option 'password' needs a user: in the URL or as option 'user'.")
        if parsed.ca_file and scheme == "webdav":
            raise SettingsError("Location option 'ca_file' needs an address that starts with webdavs://.")
        root = address.root(parsed.base_path)
        super().__init__(
            location_id,
            name,
            address.url,
            # The same address may be another folder for another user (Nextcloud's /remote.php/webdav).
            f"{scheme}://{user}@{address.server}{root}" if user else f"{scheme}://{address.server}{root}",
            parsed,
            WebdavStore(address, user, root, parsed),
        )


class WebdavStore(TreeStore):
    """A folder on a server; see `storage.store.Store`.

    Nothing is read conditionally in the sense of `Store`: a server over plain files tells the ETag of the moment at
    which it started to send.

    Args:
        address: Of the server.
        user: Who logs in; empty for nobody.
        root: Path from the server's root, with '/' at both ends.
        options: Of the kind.
    """

    def __init__(self, address: Address, user: str, root: str, options: WebdavOptions) -> None:
        self._tls, self._root = address.scheme == "webdavs", root
        self._client = WebdavClient(
            f"{'https' if self._tls else 'http'}://{address.server}",
            Login(user, options.password, options.auth, options.token),
            connections=options.connections,
            timeout_seconds=options.timeout_seconds,
            ca_file=options.ca_file,
        )
        self._moving = threading.Lock()
        self._keeps_taken_names: set[str] = set()  # by which methods
        # Until a server is found to give other ETags in listings than it compares with.
        self._conditional = True

    def folder(self, path: str) -> Page:
        """One PROPFIND of depth 1."""
        try:
            resources = self._resources(path, "1", PROPERTIES)
        except StatusError as error:
            if path == "" and error.status in (404, 405, 410, 501):
                raise KnownFault(FaultKind.LOCATION, f"there is no WebDAV folder at its address ({error})") from error
            raise
        entries: list[Entry] = []
        folders: list[str] = []
        problems: list[ListingProblem] = []
        special = 0
        for resource in resources:
            name = self._name_within(path, resource)
            if resource.status != 200:
                if name == "":  # RFC 4918 lets a server say so of a list that it cut off
                    raise StatusError("PROPFIND", resource.status, "of the folder itself")
                problems += untold(path + name, resource)
            elif name == "":
                continue
            elif resource.is_folder:
                folders.append(f"{path}{name}/")
            elif resource.size_bytes is None:
                special += 1
            else:
                entries.append(self._entry(path + name, resource))
        return Page(entries, folders, special, problems=problems, may_loop=True)

    def stat(self, path: str) -> Entry:
        """One PROPFIND of depth 0."""
        for resource in self._resources(path, "0", PROPERTIES):
            if resource.status != 200:
                raise StatusError("PROPFIND", resource.status, "of the file itself")
            if resource.is_folder or resource.size_bytes is None:
                raise KnownFault(FaultKind.BROKEN, "it is no file")
            return self._entry(path, resource)
        raise KnownFault(FaultKind.GONE, "the server names nothing")

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """One GET, of the very ETag where it is a strong one."""
        headers = {"Accept-Encoding": "identity", **self._condition(token)}
        if start or length is not None:
            headers["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
        try:
            with self._client.answer("GET", self._full(path), headers) as answer:
                said = answer.headers.get("Content-Range", "")
                if answer.status_code == 206 and said and not said.startswith(f"bytes {start}-"):
                    raise PassingFault(f"the server sent {said!r} where bytes from {start} were asked for")
                # A server that knows no ranges sends the whole.
                return taken(answer, 0 if answer.status_code == 206 else start, length)
        except StatusError as error:
            if error.status == 416:  # beyond the end
                return b""
            if error.status == 412 and token and settled(self.stat(path).change_token) == token:
                self._conditional = False
                return self.read(path, start, length, None)
            raise

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """PUT under a name of its own, then MOVE to the name if that is free (RFC 4918, 9.9.3)."""
        folder = path[: path.rfind("/") + 1]
        temporary = folder + _TEMPORARY.format(secrets.token_hex(8))
        try:
            self._put(temporary, data)
            self._try_a_taken_name("MOVE", temporary, folder)
            self._to_free_name("MOVE", temporary, path, None)
        except Exception:
            with contextlib.suppress(Exception):  # what went wrong is said already
                self._done("DELETE", temporary)
            raise

    def copy(self, path: str, target: str, token: str) -> None:
        """One COPY by the server."""
        self._arrange("COPY", path, target, token)

    def move(self, path: str, target: str, token: str) -> None:
        """One MOVE by the server."""
        self._arrange("MOVE", path, target, token)

    def remove(self, path: str, token: str) -> None:
        """One DELETE, of the very ETag where it is a strong one."""
        self._done("DELETE", path, self._condition(token))

    def probe(self) -> Probe:
        """Clock and quota, where the server tells them (RFC 4331)."""
        available = used = None
        for resource in self._resources("", "0", QUOTAS):
            available, used = resource.available_bytes, resource.used_bytes
        capacity = None if available is None or used is None else available + used
        return Probe(self._client.told_at, capacity, available, () if self._tls else (_IN_CLEAR,))

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate answers and httpx's errors."""
        if isinstance(error, StatusError):
            return Fault(meaning_of(error), f"the server answers {error}")
        if isinstance(error, AnswerUnreadableError):
            return Fault(FaultKind.PASSING, f"the server's list cannot be read: {error}")
        if (fault := untrusted(error)) is not None:
            return fault
        if isinstance(error, OSError):
            return Fault(FaultKind.PASSING, str(error))
        try:
            import httpx
        except ImportError:
            return None
        if isinstance(error, httpx.TimeoutException):
            return Fault(FaultKind.PASSING, "the server did not answer in time")
        return Fault(FaultKind.PASSING, str(error)) if isinstance(error, httpx.HTTPError) else None

    def renew(self) -> None:
        """Log in with the credentials as they are now."""
        self._client.renew()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _resources(self, path: str, depth: str, wanted: bytes) -> list[Resource]:
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        with self._client.answer("PROPFIND", self._full(path), headers, wanted) as answer:
            if answer.status_code != 207:
                reason = f"no WebDAV is spoken at its address ({answer.status_code} to PROPFIND)"
                raise KnownFault(FaultKind.LOCATION, reason)
            body = taken(answer, 0, _MOST_LISTING_BYTES)
        return list(parse_multistatus(body))

    def _name_within(self, folder: str, resource: Resource) -> str:
        """The name of an entry of a folder; empty for the folder itself."""
        above, path = self._root + folder, unescaped(resource.path)
        if path.strip("/") == above.strip("/"):
            return ""
        name = path.removeprefix(above).removesuffix("/")
        if not path.startswith(above) or "/" in name or inside("/", name) is None:
            reason = f"the server names {path!r} as an entry of the folder {above!r}"
            raise KnownFault(FaultKind.BROKEN, reason)
        return name

    def _entry(self, path: str, resource: Resource) -> Entry:
        size, at = resource.size_bytes or 0, resource.modified_at
        now = self._client.told_at or datetime.now(UTC)
        if resource.etag and not resource.is_weak:
            token = f"{resource.etag}|{size}"
            # The ETag of a file that was written within this second may be that of its next content too.
            return Entry(path, size, unsettled(token, at, _GRANULARITY_SECONDS, now) if at else token, at)
        if at is None:
            return Entry(path, size, f"{size}{UNSETTLED}")
        token = f"{size}-{at:%Y%m%d%H%M%S}"
        return Entry(path, size, unsettled(token, at, _GRANULARITY_SECONDS, now), at)

    def _condition(self, token: str | None) -> dict[str, str]:
        etag, bar, _ = (token or "").rpartition("|")
        return {"If-Match": f'"{etag}"'} if bar and self._conditional else {}

    def _put(self, path: str, data: bytes) -> None:
        folder = path[: path.rfind("/") + 1]
        try:
            self._done("PUT", path, content=data)
        except StatusError as error:
            if not folder or error.status not in _WITHOUT_FOLDER:
                raise
            self._make_folders(folder)
            self._done("PUT", path, content=data)

    def _arrange(self, method: str, path: str, target: str, token: str) -> None:
        if method not in self._keeps_taken_names:
            folder = target[: target.rfind("/") + 1]
            trial = folder + _TEMPORARY.format(secrets.token_hex(8))
            try:
                self._put(trial, b"deeplens")
                self._try_a_taken_name(method, trial, folder)
            finally:
                with contextlib.suppress(Exception):  # what went wrong is said already; it may be gone
                    self._done("DELETE", trial)
        try:
            self._to_free_name(method, path, target, token)
        except StatusError as error:
            folder = target[: target.rfind("/") + 1]
            if error.status not in _WITHOUT_FOLDER or not folder:
                raise
            self._make_folders(folder)
            self._to_free_name(method, path, target, token)

    def _to_free_name(self, method: str, path: str, target: str, token: str | None) -> None:
        headers = {"Destination": self._client.url(self._full(target)), "Overwrite": "F", **self._condition(token)}
        try:
            # Not every server looks and renames in one step: of our own threads at least only one does it at a time.
            with self._moving:
                self._done(method, path, headers)
        except StatusError as error:
            if error.status != 412:
                raise
            # Which of the two conditions was not met the server does not say.
            if token is not None and not self._is_there(target):
                raise KnownFault(FaultKind.CHANGED, str(error)) from error
            raise KnownFault(FaultKind.EXISTS, str(error)) from error

    def _is_there(self, path: str) -> bool:
        try:
            return any(resource.status not in (404, 410) for resource in self._resources(path, "0", PROPERTIES))
        except StatusError as error:
            if error.status in (404, 410):
                return False
            raise

    def _try_a_taken_name(self, method: str, temporary: str, folder: str) -> None:
        """Find out, once, whether the server keeps to `Overwrite: F`: two objects of our own are at stake."""
        if method in self._keeps_taken_names:
            return
        taken_name = folder + _TEMPORARY.format(secrets.token_hex(8))
        self._done("PUT", taken_name, content=b"deeplens")
        try:
            self._to_free_name(method, temporary, taken_name, None)
        except KnownFault as error:
            if error.fault.kind != FaultKind.EXISTS:
                raise
            self._keeps_taken_names.add(method)
        finally:
            self._done("DELETE", taken_name)
        if method not in self._keeps_taken_names:
            reason = "the server overwrites what it is asked to keep (Overwrite: F), so nothing is stored there"
            raise KnownFault(FaultKind.BROKEN, reason)

    def _make_folders(self, folder: str) -> None:
        parts = folder.rstrip("/").split("/")
        for count in range(1, len(parts) + 1):
            try:
                self._done("MKCOL", "/".join(parts[:count]) + "/")
            except StatusError as error:
                if error.status != 405:  # it is there
                    raise

    def _done(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> None:
        with self._client.answer(method, self._full(path), headers or {}, content) as answer:
            if answer.status_code == 207:  # done in part
                raise StatusError(method, 207, "in part only")

    def _full(self, path: str) -> str:
        full = inside(self._root, path)
        if full is None:
            raise KnownFault(FaultKind.BROKEN, "the path leads out of the location")
        return full
