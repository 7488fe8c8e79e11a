"""Files in a table of PostgreSQL, in a column of type bytea, by psycopg.

Takes `postgresql://USER@HOST:PORT/DATABASE` and options; must not write: its sessions are read-only. Names of tables
and columns come from the database itself and are quoted by psycopg.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

from deeplens_kit.errors import ExtraMissingError, SettingsError
from deeplens_kit.storage.connections import ConnectionPool
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.database.postgres_table import PostgresTable, find_table, table_name
from deeplens_kit.storage.database.rows import PAGE_ROWS, DatabaseOptions, Row, RowStore
from deeplens_kit.storage.options import option
from deeplens_kit.storage.paths import encode_path
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault
from deeplens_kit.storage.store import Probe

__all__ = ["Address", "PostgresLocation", "PostgresOptions", "PostgresStore"]

_PORT = 5432
# After the server's own limit for a statement, so that its word of it can still arrive.
_GRACE_SECONDS = 0.5
_NOT_ACCEPTED = re.compile(r"authentication failed|no password supplied|fe_sendauth", re.IGNORECASE)
_NOT_THERE = re.compile(r'(database|role) ".*" does not exist|no pg_hba.conf entry|certificate|SSL', re.IGNORECASE)
# Classes of SQLSTATE (PostgreSQL's manual, appendix A): connections, transactions, resources, the operator.
_PASSING = frozenset({"08", "25", "40", "53", "55", "57", "58"})


@dataclass(frozen=True, slots=True)
class PostgresOptions(DatabaseOptions):
    """Options of a table of PostgreSQL."""

    password: str = option("", "Password of the user; by default libpq looks into ~/.pgpass.", secret=True)
    dsn: str = option("", "All that a connection needs beside the URL, as libpq writes it.", secret=True)
    tls: Literal["verify", "off"] = option("verify", "Whether a server on another machine must prove who it is.")
    ca_file: str = option("", "Certificates that the server's must be signed by; by default those of the system.")

    def __post_init__(self) -> None:
        DatabaseOptions.__post_init__(self)
        if self.password and self.dsn:
            raise SettingsError("Location options 'password' and 'dsn' exclude each other; give one of them.")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is.

    Attributes:
        user: Empty for that of the system.
        host: A name, an address, a folder of sockets, or empty for the default one.
        port: Of the server.
        database: Its name.
    """

    user: str
    host: str
    port: int
    database: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a URL apart.

        Raises:
            SettingsError: It names no database, or holds a password.
        """
        wanted = "write postgresql://USER@HOST:PORT/DATABASE, or postgresql://USER@/DATABASE?host=/FOLDER for a socket"
        try:
            parts = urlsplit(url)
            port, query = parts.port, parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        except ValueError as error:  # what it says may repeat the URL, and that a password
            raise SettingsError(f"The URL names no database; {wanted}.") from error
        if parts.password:
            raise SettingsError("The URL holds a password; leave it out and give a reference: password=${NAME}.")
        if unknown := query.keys() - {"host", "port"}:
            raise SettingsError(f"The URL asks for {sorted(unknown)}; only host and port may stand there, {wanted}.")
        database = unquote(parts.path[1:])
        if not database or "/" in database or "\0" in unquote(url):
            raise SettingsError(f"The URL names no database; {wanted}.")
        host = query.get("host", [unquote(parts.hostname or "")])[0]
        given_port = query.get("port", [str(port or _PORT)])[0]
        if not given_port.isdecimal() or not 0 < int(given_port) < 2**16:
            raise SettingsError(f"The URL has no port that could be: {given_port!r}; write 1 to 65535.")
        return cls(unquote(parts.username or ""), host, int(given_port), database)

    @property
    def place(self) -> str:
        """Names the database, whoever asks; ends in '/'."""
        host = quote(self.host.lower() if "/" not in self.host else self.host, safe="") or "localhost"
        return f"postgresql://{host}:{self.port}/{quote(self.database, safe='')}/"

    @property
    def url(self) -> str:
        """The one spelling that is kept."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        database = quote(self.database, safe="")
        if not self.host or self.host.startswith(("/", "@")):
            socket = f"host={quote(self.host)}&" if self.host else ""
            return f"postgresql://{user}/{database}?{socket}port={self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host.lower()
        return f"postgresql://{user}{host}:{self.port}/{database}"


class PostgresLocation(RemoteLocation):
    """A table of PostgreSQL.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `postgresql://USER@HOST:PORT/DATABASE`; of a socket `postgresql://USER@/DATABASE?host=/FOLDER`.
        options: Fields of `PostgresOptions`.
    """

    options_class = PostgresOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = PostgresOptions.of(options)
        address = Address.of(url)
        schema, table = table_name(parsed.table)
        prefix = parsed.base_path.strip("/") + "/" if parsed.base_path.strip("/") else ""
        # Two columns of names of one table call the same files, so they are no part of it.
        place = address.place + "".join(f"{quote(part, safe='')}/" for part in (schema, table, parsed.blob_column))
        super().__init__(
            location_id, name, address.url, place + encode_path(prefix), parsed, PostgresStore(address, prefix, parsed)
        )


class PostgresStore(RowStore):
    """A table; see `storage.database.rows.RowStore`."""

    proves_by_token = True

    def __init__(self, address: Address, prefix: str, options: PostgresOptions) -> None:
        super().__init__(prefix)
        self._address, self._options = address, options
        self._pool: ConnectionPool[Any] = ConnectionPool(self._connect, lambda made: made.close(), _is_answer)
        self._table: PostgresTable | None = None
        self._lock = threading.Lock()
        self._fresh = False

    def rows_after(self, last: object) -> tuple[list[Row], int, bool]:
        """One page by the key's index."""
        with self._pool.lent() as connection, _within(connection, self._options.timeout_seconds):
            if last is None:
                self._table = find_table(connection, self._options)
            table = self._found(connection)
            found = connection.execute(*table.page(last, PAGE_ROWS)).fetchall()
        return [table.row(values) for values in found], 0, len(found) == PAGE_ROWS

    def row(self, key: str | None, name: str) -> Row | None:
        """One row without its bytes."""
        with self._pool.lent() as connection, _within(connection, self._options.timeout_seconds):
            table = self._found(connection)
            found = connection.execute(*table.one(key, name)).fetchone()
        return None if found is None else table.row(found)

    def bytes_of(self, key: str | None, name: str, start: int, length: int | None, token: str | None) -> bytes | None:
        """One statement: the bytes are only sent where the row is in the state that is asked for."""
        with self._pool.lent() as connection, _within(connection, self._options.timeout_seconds):
            table = self._found(connection)
            found = connection.execute(*table.bytes_of(key, name, start, length, token), binary=True).fetchone()
        if found is None:
            return None
        row = table.row(found[1:])
        if row.name != name:
            return None
        if (token and row.token != token) or found[0] is None:
            raise KnownFault(FaultKind.CHANGED, "the row changed")
        return bytes(found[0])

    def probe(self) -> Probe:
        """The clock of the server, and whether rows are found by their names without looking through all."""
        with self._pool.lent() as connection, _within(connection, self._options.timeout_seconds):
            table = self._found(connection)
            now = connection.execute("SELECT now()").fetchone()[0]
        return Probe(now=now, remarks=table.remarks)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate psycopg's errors."""
        import psycopg

        if isinstance(error, UnicodeEncodeError):
            return Fault(FaultKind.GONE, "no row can have this name")
        if isinstance(error, UnicodeDecodeError):
            return Fault(FaultKind.LOCATION, "the database holds text that is not in its encoding")
        if isinstance(error, psycopg.Error):
            state = error.sqlstate or ""
            said = str(error.diag.message_primary or error).strip().partition("\n")[0]
            return Fault(_meaning(state, str(error), isinstance(error, psycopg.DataError)), said)
        return Fault(FaultKind.PASSING, str(error)) if isinstance(error, OSError) else None

    def renew(self) -> None:
        """Resolve credentials anew, past what keeps them for a while."""
        with self._lock:
            self._fresh = True
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _found(self, connection: Any) -> PostgresTable:
        if self._table is None:
            self._table = find_table(connection, self._options)
        return self._table

    def _connect(self) -> Any:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise ExtraMissingError("A location in PostgreSQL", "postgres") from error
        with self._lock:
            fresh, self._fresh = self._fresh, False
        given: dict[str, Any] = {}
        if self._options.dsn:
            try:
                given = dict(conninfo_to_dict(resolve(self._options.dsn, fresh=fresh)))
            except psycopg.ProgrammingError:
                # Without its cause, which quotes what it cannot read.
                raise KnownFault(FaultKind.LOCATION, "the dsn is not as libpq writes it: KEY=VALUE ...") from None
        arguments = connection_arguments(self._address, self._options, given, fresh=fresh)
        # Poolers between us and the server do not keep what is prepared.
        connection: Any = psycopg.connect(autocommit=True, prepare_threshold=None, **arguments)
        try:
            with _within(connection, self._options.timeout_seconds):
                self._set(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set(self, connection: Any) -> None:
        settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(self._options.timeout_seconds * 1000)),
            # Keys as text are the same in every session.
            "datestyle": "ISO",
            "intervalstyle": "iso_8601",
            "timezone": "UTC",
            "bytea_output": "hex",
        }
        calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
        connection.execute(f"SELECT {calls}", [text for pair in settings.items() for text in pair])


@contextmanager
def _within(connection: Any, seconds: float) -> Iterator[None]:
    """Give up on a server that says nothing any more: libpq waits for an answer without end.

    The connection is cut, upon which whoever waits for it is told that it is lost.
    """
    timer = threading.Timer(seconds + _GRACE_SECONDS, _cut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: Any) -> None:
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as its:
        its.shutdown(socket.SHUT_RDWR)  # unless it was closed meanwhile


def connection_arguments(
    address: Address, options: PostgresOptions, given: Mapping[str, Any] | None = None, *, fresh: bool = False
) -> dict[str, Any]:
    """What libpq is given; what the URL says stands above a dsn.

    Args:
        address: As the URL has it.
        options: Of the location.
        given: What a dsn says.
        fresh: Take no credential from a cache.
    """
    seconds = options.timeout_seconds
    arguments: dict[str, Any] = {
        **(given or {}),
        "dbname": address.database,
        "port": address.port,
        "client_encoding": "UTF8",
        "application_name": "deeplens",
        "connect_timeout": max(2, math.ceil(seconds)),  # libpq takes no less
        "tcp_user_timeout": int(seconds * 1000),
        "keepalives_idle": max(1, int(seconds)),
    }
    if address.host:
        arguments["host"] = address.host
    if address.user:
        arguments["user"] = address.user
    if options.password:
        arguments["password"] = resolve(options.password, fresh=fresh)
    if options.tls == "off":
        arguments["sslmode"] = "disable"
    elif _goes_out(arguments):
        # psycopg's wheel brings an OpenSSL that does not know where this system keeps its certificates.
        known = options.ca_file or ssl.get_default_verify_paths().cafile or "system"
        arguments |= {"sslmode": "verify-full", "sslrootcert": known}
    return arguments


def _goes_out(arguments: Mapping[str, Any]) -> bool:
    """Whether libpq may connect to another machine: its environment and a file of services name hosts as well."""
    if arguments.get("service") or os.environ.get("PGSERVICE"):
        return True
    hosts = arguments.get("host") or os.environ.get("PGHOST") or ""
    addresses = arguments.get("hostaddr") or os.environ.get("PGHOSTADDR") or ""
    return not all(_is_local(host.strip()) for host in (*hosts.split(","), *addresses.split(",")))


def _is_local(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_answer(error: BaseException) -> bool:
    return isinstance(error, KnownFault) or (getattr(error, "sqlstate", None) or "")[:2] in ("22", "42")


def _meaning(state: str, text: str, is_data: bool) -> FaultKind:
    if state[:2] == "28" or (not state and _NOT_ACCEPTED.search(text)):
        return FaultKind.CREDENTIALS
    if state == "42501":
        return FaultKind.FORBIDDEN
    if state[:2] in ("42", "3D", "3F", "0A") or (not state and _NOT_THERE.search(text)):
        return FaultKind.LOCATION
    if is_data or state[:2] == "22":  # a key that its column cannot have
        return FaultKind.GONE
    return FaultKind.PASSING if not state or state[:2] in _PASSING else FaultKind.BROKEN
