"""Folders on a server of FTP, by the standard library's ftplib; with TLS (`ftps`) or in clear.

Takes `ftp://USER@HOST:PORT/PATH` and gives entries and bytes, always in binary; must not write. FTP has no exclusive
create: STOR overwrites, and so does a rename on most servers, so nothing could promise that no file is lost.
"""

from __future__ import annotations

import codecs
import contextlib
import ftplib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.addresses import inside, parse_address
from deeplens_kit.storage.connections import ConnectionPool
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.ftp_client import FtpClient, connect
from deeplens_kit.storage.ftp_listing import LineUnknownError, moment
from deeplens_kit.storage.listing import UNSETTLED, Entry, unsettled
from deeplens_kit.storage.options import Permission, RemoteOptions, option
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault
from deeplens_kit.storage.store import Page, Probe, TreeStore
from deeplens_kit.storage.tls import trusting, untrusted

__all__ = ["FtpLocation", "FtpOptions", "FtpStore"]

_PORT = 21
_ANONYMOUS = "anonymous"
_EXAMPLE = "ftps://USER@HOST/PATH, or ftp:// where the server knows no TLS"
_GRANULARITY_SECONDS = 60.0
"""Times come in whole seconds; but FTP does not tell the server's clock, which may differ from ours by this much."""
_ASKED_IN_ONE_GO = 8
"""For fewer files another connection costs more than it saves."""
_IN_CLEAR = "FTP sends passwords and pictures in clear; use ftps:// where the server has it."
_NO_TOKEN = "The server tells no times of modification in UTC (MLSD, MDTM): every object is read again by each run."
_NO_WRITING = "FTP can only be read: it has no way to store a file without the risk of overwriting another."


@dataclass(frozen=True, slots=True)
class FtpOptions(RemoteOptions):
    """Options of a folder on a server of FTP."""

    user: str = option("", "Who logs in; by default the user of the URL, else anonymous.")
    password: str = option("", "Password of the user.", secret=True)
    passive: bool = option(True, "Whether we open the connections for data (else the server does).")
    encoding: str = option("utf-8", "Of the names of files.")
    ca_file: str = option("", "File with the certificates that the server's is checked against, for ftps.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise SettingsError(
                f"Location option 'encoding' is {self.encoding!r}; it must be an encoding such as utf-8 or latin-1."
            ) from None


class FtpLocation(RemoteLocation):
    """A folder on a server of FTP.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `ftp://USER@HOST:PORT/PATH` or `ftps://...`; the path starts at the server's root.
        options: Fields of `FtpOptions`.
    """

    options_class = FtpOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = FtpOptions.of(options)
        address = parse_address(url, _EXAMPLE, _PORT)
        if address.scheme == "ftp" and parsed.ca_file:
            raise SettingsError("Location option 'ca_file' needs an address that starts with ftps://.")
        user = parsed.user or address.user or _ANONYMOUS
        if user != _ANONYMOUS and not parsed.password:
            raise SettingsError(f"The user {user!r} needs location option 'password'; give a reference like ${{NAME}}.")
        root = address.root(parsed.base_path)
        super().__init__(
            location_id,
            name,
            address.url,
            # What a server shows may depend on who asks; with TLS and without it shows the same.
            f"ftp://{user}@{address.server}{root}",
            parsed,
            FtpStore(address.name, address.port, user, root, parsed, tls=address.scheme == "ftps"),
        )


class FtpStore(TreeStore):
    """A folder on a server; see `storage.store.Store`.

    Args:
        host: Name or address.
        port: Of its control connections.
        user: Who logs in.
        root: Path from the server's root, with '/' at both ends.
        options: Of the kind.
        tls: Whether all connections are encrypted.
    """

    writes = False

    def __init__(self, host: str, port: int, user: str, root: str, options: FtpOptions, *, tls: bool) -> None:
        self._host, self._port, self._user, self._root = host, port, user, root
        self._options, self._tls = options, tls
        self._link_id = f"ftp:{host}:{port}:"
        self._ascii_as_it_is = codecs.lookup(options.encoding).name in ("utf-8", "iso8859-1", "ascii")
        self._fresh = False
        self._pool = ConnectionPool(self._connect, FtpClient.close, _is_answer, lambda client: client.sock is not None)

    def folder(self, path: str) -> Page:
        """The entries of one folder: by MLSD where the server has it, else by LIST and a question for each file."""
        with self._lent() as client:
            try:
                if "MLST" in client.features:
                    return self._page_of_facts(client, path)
                rows = client.rows(self._wire(path))
                times = "MDTM" in client.features
            except ftplib.error_perm as error:
                raise _refused_folder(path, error) from error
        now = datetime.now(UTC)
        names = [row.name for row in rows if row.kind == "file"]
        told = self._moments([self._native(path, name) for name in names]) if times else [None] * len(names)
        sizes = {row.name: row.size_bytes for row in rows}
        entries = [
            self._entry(self._native(path, name), sizes[name], at, "", now)
            for name, at in zip(names, told, strict=True)
        ]
        kinds = [row.kind for row in rows]
        folders = [self._native(path, row.name) + "/" for row in rows if row.kind == "folder"]
        return Page(entries, folders, kinds.count("special"), kinds.count("link"))

    def stat(self, path: str) -> Entry:
        """By MLST, or by SIZE and MDTM, or from the listing of its folder."""
        name = self._wire(path)
        with self._lent() as client:
            now = datetime.now(UTC)
            if "MLST" in client.features:
                facts = client.fact(name).facts
                if facts.get("type", "file").lower() != "file":
                    raise KnownFault(FaultKind.BROKEN, "it is no file")
                size = facts.get("size", "")
                bytes_told = int(size) if size.isdecimal() else self._size(client, path)
                return self._entry(path, bytes_told, facts.get("modify"), facts.get("unique", ""), now)
            if {"SIZE", "MDTM"} <= client.features.keys():
                return self._entry(path, self._size(client, path), client.modified(name), "", now)
        for entry in self.folder(path[: path.rfind("/") + 1]).entries:
            if entry.path == path:
                return entry
        raise KnownFault(FaultKind.GONE, "it is not in its folder")

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """By RETR, from `start` by REST."""
        name = self._wire(path)
        with self._lent() as client:
            try:
                return client.fetch(name, start, length)
            except ftplib.error_perm as error:
                # vsftpd says "Failed to open file." of both what is not there and what may not be read.
                if str(error).startswith("550") and _is_there(client, name):
                    raise KnownFault(FaultKind.FORBIDDEN, f"the server says {_said(error)!r}") from error
                raise

    def probe(self) -> Probe:
        """FTP tells neither its clock nor its space."""
        with self._lent() as client:
            features = client.features
        remarks = [] if self._tls else [_IN_CLEAR]
        if not {"MLST", "MDTM"} & features.keys():
            remarks.append(_NO_TOKEN)
        if self._options.permissions != Permission.READ:
            remarks.append(_NO_WRITING)
        return Probe(remarks=tuple(remarks))

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate replies (RFC 959, 4.2) and the errors of sockets."""
        if isinstance(error, ftplib.error_perm):
            return Fault(_meaning(error), f"the server says {_said(error)!r}")
        if isinstance(error, ftplib.Error):
            kind = FaultKind.CREDENTIALS if str(error).startswith("430") else FaultKind.PASSING
            return Fault(kind, f"the server says {_said(error)!r}")
        if isinstance(error, LineUnknownError):
            return Fault(FaultKind.BROKEN, f"its listing has a line in a form that is not known: {str(error)[:200]!r}")
        if (fault := untrusted(error)) is not None:
            return fault
        if isinstance(error, EOFError):
            return Fault(FaultKind.PASSING, "the server closed the connection")
        if isinstance(error, TimeoutError):
            return Fault(FaultKind.PASSING, "the server did not answer in time")
        return Fault(FaultKind.PASSING, str(error)) if isinstance(error, OSError) else None

    def renew(self) -> None:
        """Connect anew, with the credentials as they are now."""
        self._fresh = True
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[FtpClient]:
        try:
            with self._pool.lent() as client:
                yield client
        except (OSError, EOFError, ftplib.Error) as error:
            if not _is_answer(error):
                # Servers end connections that were idle, and then all of them: the next try shall not meet another.
                self._pool.close()
            raise

    def _connect(self) -> FtpClient:
        options = self._options
        password = resolve(options.password, fresh=self._fresh) if options.password else "deeplens@"
        client = connect(
            self._host,
            self._port,
            self._user.encode(options.encoding, "replace").decode("latin-1"),
            password.encode(options.encoding, "replace").decode("latin-1"),
            timeout_seconds=options.timeout_seconds,
            passive=options.passive,
            utf8=codecs.lookup(options.encoding).name == "utf-8",
            context=trusting(options.ca_file) if self._tls else None,
        )
        self._fresh = False
        return client

    def _page_of_facts(self, client: FtpClient, path: str) -> Page:
        folder_ids: dict[str, str] = {}
        if not path:
            with contextlib.suppress(ftplib.error_perm):  # some answer for files alone
                folder_ids[""] = client.fact(self._root).facts.get("unique", "")
        entries, folders, special, links = [], [], 0, 0
        unsized: list[tuple[str, dict[str, str]]] = []
        now = datetime.now(UTC)
        # Taken as they come, while the server still writes them.
        for name, facts in client.facts(self._wire(path)):
            kind = facts.get("type", "file").lower()
            native = self._native(path, name)
            if kind == "file":
                size = facts.get("size", "")
                if size.isdecimal():
                    entries.append(self._entry(native, int(size), facts.get("modify"), facts.get("unique", ""), now))
                else:
                    unsized.append((native, facts))
            elif kind in ("cdir", "pdir") or name in (".", ".."):
                continue
            elif kind == "dir":
                folders.append(native + "/")
                folder_ids[native + "/"] = facts.get("unique", "")
            elif "link" in kind:
                links += 1
            else:
                special += 1
        for native, facts in unsized:
            size_bytes = self._size(client, native)
            entries.append(self._entry(native, size_bytes, facts.get("modify"), facts.get("unique", ""), now))
        # Servers say "dir" of links to folders too.
        return Page(entries, folders, special, links, folder_ids=folder_ids, may_loop=True)

    def _entry(self, path: str, size: int, modified: str | None, unique: str, now: datetime) -> Entry:
        at = moment(modified)
        link_id = self._link_id + unique if unique else None
        if at is None:
            # Nothing that changes with the content but its size: read again by every run.
            return Entry(path, size, f"{size}{UNSETTLED}", link_id=link_id)
        token = f"{size}-{modified}-{unique}" if unique else f"{size}-{modified}"
        return Entry(path, size, unsettled(token, at, _GRANULARITY_SECONDS, now), at, None, None, link_id)

    def _size(self, client: FtpClient, path: str) -> int:
        size = client.size(self._wire(path))
        if size is None:
            raise KnownFault(FaultKind.BROKEN, "the server tells no size")
        return size

    def _moments(self, paths: Sequence[str]) -> list[str | None]:
        """When files were modified, in the order of their paths; asked over several connections."""

        def ask(some: Sequence[str]) -> list[str | None]:
            with self._lent() as client:
                return [_modified(client, self._wire(path)) for path in some]

        threads = min(self._options.connections, -(-len(paths) // _ASKED_IN_ONE_GO))
        if threads <= 1:
            return ask(paths) if paths else []
        step = -(-len(paths) // threads)
        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(ask, [paths[at : at + step] for at in range(0, len(paths), step)])
            return [at for part in parts for at in part]

    def _native(self, folder: str, name: str) -> str:
        """The path of an entry, of its name as it came: ftplib reads every byte as a character (latin-1)."""
        if name.isascii() and self._ascii_as_it_is:
            return folder + name
        return folder + name.encode("latin-1").decode(self._options.encoding, "surrogateescape")

    def _wire(self, path: str) -> str:
        """What the server is asked for, as ftplib is to send it."""
        full = inside(self._root, path)
        if full is None or "\r" in full or "\n" in full:
            raise KnownFault(FaultKind.BROKEN, "no server of FTP can be asked for this path")
        try:
            return full.encode(self._options.encoding, "surrogateescape").decode("latin-1")
        except UnicodeEncodeError:
            reason = f"its name cannot be written in {self._options.encoding} (option encoding)"
            raise KnownFault(FaultKind.BROKEN, reason) from None


def _modified(client: FtpClient, name: str) -> str | None:
    try:
        return client.modified(name)
    except ftplib.error_perm:
        return None  # listed, but gone or not ours to ask about: reading it will tell


def _is_there(client: FtpClient, name: str) -> bool:
    try:
        return client.size(name) is not None
    except ftplib.error_perm:
        return False


def _refused_folder(path: str, error: ftplib.error_perm) -> Exception:
    """What it means that a folder cannot be entered: it was listed a moment ago, so it is there."""
    if _meaning(error) not in (FaultKind.GONE, FaultKind.FORBIDDEN):
        return error
    if path:
        return KnownFault(FaultKind.FORBIDDEN, f"the server says {_said(error)!r}")
    return KnownFault(FaultKind.LOCATION, f"its folder is not there or may not be entered: {_said(error)!r}")


def _meaning(error: ftplib.error_perm) -> FaultKind:
    code, text = str(error)[:3], str(error).lower()
    if code == "530":
        return FaultKind.CREDENTIALS
    if code in ("522", "532", "533", "534", "535", "536"):  # TLS, accounts and what is protected (RFC 2228, 4217)
        return FaultKind.LOCATION
    if code in ("550", "553"):
        return FaultKind.FORBIDDEN if "denied" in text or "permi" in text else FaultKind.GONE
    return FaultKind.BROKEN


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _is_answer(error: BaseException) -> bool:
    """Whether the connection goes on: all but 421, which says that it was closed."""
    if isinstance(error, KnownFault):
        return True
    return isinstance(error, (ftplib.error_perm, ftplib.error_temp)) and not str(error).startswith("421")
