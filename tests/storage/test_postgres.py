"""What is special to files in PostgreSQL: URLs, tables and columns, keys and names, tokens, passwords, rights."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectChangedError,
    ObjectGoneError,
    SettingsError,
)
from deeplens_kit.storage import LocationKind, open_location
from deeplens_kit.storage.database import postgres as database_module
from deeplens_kit.storage.database.postgres import Address, PostgresOptions, connection_arguments
from tests.servers import postgres as postgres_module
from tests.servers.postgres import PostgresServer

_COLUMNS = {"table": "pics", "blob_column": "data"}


class _Database:
    """A schema of its own on the shared server."""

    def __init__(self, server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
        self.server, self.connection, self.schema = server, connection, f"s{secrets.token_hex(6)}"
        self.opened_: list[LocationKind] = []
        self.run("CREATE SCHEMA {}", self.schema)
        self.run("SET search_path = {}", self.schema)

    def run(self, statement: str, *names: str, values: tuple[object, ...] | None = None) -> psycopg.Cursor[Any]:
        composed = sql.SQL(statement).format(*map(sql.Identifier, names))
        return self.connection.execute(composed, values)

    def opened(self, table: str, *, user: str = "", **options: object) -> LocationKind:
        server = self.server
        host = f"{server.host}:{server.port}" if "password" in options or "dsn" in options else ""
        query = "" if host else f"?host={server.sockets}&port={server.port}"
        url = f"postgresql://{user or server.user}@{host}/{server.database}{query}"
        given = {"table": f"{self.schema}.{table}", "blob_column": "data", **options}
        self.opened_.append(open_location("L", "pics", url, given))
        return self.opened_[-1]

    def close(self) -> None:
        for location in self.opened_:
            location.close()
        self.run("DROP SCHEMA {} CASCADE", self.schema)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[_Database]:
    with psycopg.connect(postgres_server.local_url, autocommit=True) as connection:
        made = _Database(postgres_server, connection)
        yield made
        made.close()


# --- URLs and options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "good", "place"),
    [
        ("postgresql://me@DB.example/pics", "postgresql://me@db.example:5432/pics", "//db.example:5432/pics/"),
        ("postgres://db.example:5432/a%20b", "postgresql://db.example:5432/a%20b", "//db.example:5432/a%20b/"),
        ("postgresql://[::1]:7/pics", "postgresql://[::1]:7/pics", "//%3A%3A1:7/pics/"),
        (
            "postgresql://m%40e@/pics?host=/run/pg",
            "postgresql://m%40e@/pics?host=/run/pg&port=5432",
            "//%2Frun%2Fpg:5432/pics/",
        ),
        ("postgresql:///pics", "postgresql:///pics?port=5432", "//localhost:5432/pics/"),
    ],
)
def test_urls_have_one_spelling(url: str, good: str, place: str) -> None:
    location = open_location("L", "pics", url, {**_COLUMNS, "base_path": "/é/"})
    assert location.url == good
    assert location.place == f"postgresql:{place}public/pics/data/é/"
    assert (
        open_location("L", "pics", good, {**_COLUMNS, "table": "public.pics", "base_path": "é"}).place == location.place
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hunter2@host/pics", "holds a password"),
        ("postgresql://me@host", "names no database"),
        ("postgresql://me:hunter2@host:port/pics", "names no database"),
        ("postgresql://me@host/pics?sslmode=disable", "only host and port"),
        ("postgresql://me@host/pics?port=0", "no port that could be"),
    ],
)
def test_urls_that_are_refused(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_location("L", "pics", url, _COLUMNS)
    assert "hunter2" not in str(caught.value)


def test_options_that_go_together_or_do_not() -> None:
    for options, message in (
        ({"blob_column": "data"}, "'table' is missing"),
        ({"table": "pics"}, "'blob_column' is missing"),
        ({**_COLUMNS, "password": "${A}", "dsn": "${B}"}, "exclude each other"),
    ):
        with pytest.raises(SettingsError, match=message):
            open_location("L", "pics", "postgresql://host/pics", options)


def test_a_server_on_another_machine_must_prove_who_it_is() -> None:
    options = PostgresOptions(table="pics", blob_column="data", ca_file="/ca.pem")
    far, near = Address("me", "db.example", 5432, "pics"), Address("me", "127.0.0.1", 5432, "pics")
    assert {**connection_arguments(far, options)}.items() >= {
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
    }.items()
    assert "sslmode" not in connection_arguments(near, options)
    off = PostgresOptions(table="pics", blob_column="data", tls="off")
    assert connection_arguments(far, off)["sslmode"] == "disable"


@pytest.mark.parametrize(
    ("given", "environment", "host", "proven"),
    [
        ({"host": "db.example", "sslmode": "disable"}, {}, "", True),
        ({"hostaddr": "203.0.113.7"}, {}, "localhost", True),
        ({"host": "/run/pg,db.example"}, {}, "", True),
        ({"service": "pics"}, {}, "localhost", True),
        ({}, {"PGHOST": "db.example"}, "", True),
        ({}, {"PGHOSTADDR": "203.0.113.7"}, "127.0.0.1", True),
        ({}, {"PGSERVICE": "pics"}, "", True),
        ({}, {"PGHOST": "db.example"}, "localhost", False),  # the URL stands above it
        ({"host": "db.example"}, {"PGHOST": "db.example"}, "/run/pg", False),
        ({"host": "/run/pg", "hostaddr": "127.0.0.1"}, {}, "", False),
        ({}, {}, "", False),
    ],
)
def test_what_leads_to_another_machine_counts_wherever_it_is_said(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], environment: dict[str, str], host: str, proven: bool
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = PostgresOptions(table="pics", blob_column="data")
    arguments = connection_arguments(Address("me", host, 5432, "pics"), options, given)
    assert (arguments.get("sslmode") == "verify-full") is proven


@pytest.mark.parametrize("option", ["password", "dsn"])
def test_a_refused_password_is_asked_for_past_a_cache(
    database: _Database, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    role = f"r{secrets.token_hex(6)}"
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    database.run("CREATE ROLE {} LOGIN SUPERUSER PASSWORD 'new-password-1'", role)
    asked: list[bool] = []

    def cached(text: str, *, fresh: bool = False, in_url: bool = False) -> str:
        asked.append(fresh)
        word = "new-password-1" if fresh else "old-password-1"
        return word if option == "password" else f"password={word}"

    monkeypatch.setattr(database_module, "resolve", cached)
    try:
        location = database.opened("pics", user=role, **{option: "${PICS_LOGIN}"})
        assert location.list().frame.is_empty()
        assert asked == [False, True]
    finally:
        location.close()
        database.run("DROP ROLE {}", role)


# --- Tables and columns --------------------------------------------------------------------------------------------


def test_names_that_the_database_lacks_are_told_with_the_nearest(database: _Database) -> None:
    database.run("CREATE TABLE pictures (id int PRIMARY KEY, name text, data bytea, size int)")
    database.run("CREATE TABLE keyless (id int, data bytea)")
    database.run("CREATE VIEW shown AS SELECT * FROM pictures")
    for table, options, message in (
        ("picturs", {}, f"no table 'picturs' in schema '{database.schema}'; the nearest name is 'pictures'"),
        ("pictures", {"blob_column": "dta"}, "no column 'dta' in table .*; the nearest name is 'data'"),
        ("pictures", {"name_column": 'na"me'}, "no column 'na\"me' in table .*; the nearest name is 'name'"),
        ("pictures", {"blob_column": "size"}, "'size' of table .* is of type int4, not bytea"),
        ("pictures", {"key_column": "name"}, "'name' of table .* has no unique index; those that do: id"),
        ("pictures", {"modified_column": "name"}, "is of type text; it must be a time"),
        ("keyless", {}, "has no primary key of one column: name a key_column"),
        ("shown", {}, "is a view or foreign"),
    ):
        location = database.opened(table, **options)
        for ask in (location.check, location.list):
            with pytest.raises(LocationUnavailableError, match=message):
                ask()


def test_names_are_quoted_whatever_they_hold(database: _Database) -> None:
    table, blob, name = 'Odd "table"; --', "da%ta", "na{me}"
    database.run("CREATE TABLE {} (id uuid PRIMARY KEY, {} bytea, {} text UNIQUE)", table, blob, name)
    database.run(f"INSERT INTO {{}} VALUES ('{secrets.token_hex(16)}', 'x', 'a.jpg')", table)
    location = database.opened(table, blob_column=blob, name_column=name)
    assert location.list().frame["path"].to_list() == ["a.jpg"]
    assert location.read("a.jpg", max_bytes=9) == b"x"


def test_rows_go_by_their_keys_where_there_are_no_names(database: _Database) -> None:
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    database.run("INSERT INTO pics SELECT n, n::text::bytea FROM generate_series(1, 2500) n")
    database.run("INSERT INTO pics VALUES (0, NULL)")
    location = database.opened("pics")
    assert location.list().frame["path"].to_list() == [str(number) for number in range(1, 2501)]
    assert location.read("2500", max_bytes=9) == b"2500"
    for path in ("2501", "0", "01", "x", "99999999999999", "a\0b", "\ufdd0ff"):
        with pytest.raises(ObjectGoneError):
            location.stat(path)


def test_rows_of_one_name_are_told_apart_by_their_keys(database: _Database) -> None:
    database.run("CREATE TABLE pics (id int PRIMARY KEY, name text, data bytea)")
    names = ["a.jpg", "a.jpg", None, "", "a.jpg", "a [key 2].jpg"]
    for number, name in enumerate(names, 1):
        database.run("INSERT INTO pics VALUES (%s, %s, %s)", values=(number, name, b"%d" % number))
    location = database.opened("pics", name_column="name")
    paths = location.list().frame["path"].to_list()
    assert paths[:3] == ["a.jpg", "a [key 2].jpg", " [key 3]"]
    assert [location.read(path, max_bytes=9) for path in paths] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert "'name' has no index" in location.check().remarks[0]
    database.run("DELETE FROM pics WHERE id = 2")
    with pytest.raises(ObjectGoneError):
        location.read("a [key 2].jpg", max_bytes=9)


# --- Tokens and digests --------------------------------------------------------------------------------------------


def test_a_kept_digest_is_the_checksum_and_part_of_the_token(database: _Database) -> None:
    database.run(
        "CREATE TABLE pics (id int PRIMARY KEY, data bytea, changed timestamp, md5 text, "
        "digest bytea GENERATED ALWAYS AS (sha256(data)) STORED)"
    )
    database.run(
        "INSERT INTO pics VALUES (1, 'one', '2020-01-02 03:04:05', upper(md5('one'))), (2, 'two', 'infinity', 'x')"
    )
    row = database.opened("pics", checksum_column="digest", modified_column="changed").stat("1")
    digest = hashlib.sha256(b"one").hexdigest()
    assert row.checksum == f"sha256:{digest}"
    assert row.change_token.endswith(f"|3|{digest}")
    assert row.modified_at is not None
    assert row.modified_at.isoformat() == "2020-01-02T03:04:05+00:00"
    other = database.opened("pics", checksum_column="md5", modified_column="changed")
    assert other.stat("1").checksum == f"md5:{hashlib.md5(b'one').hexdigest()}"
    assert (other.stat("2").checksum, other.stat("2").modified_at) == (None, None)


def test_a_row_that_was_written_to_has_another_token(database: _Database) -> None:
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    database.run("INSERT INTO pics VALUES (1, 'one'), (2, 'two')")
    location = database.opened("pics")
    states = {path: location.stat(path) for path in ("1", "2")}
    with location.open("1") as stream:
        database.run("UPDATE pics SET data = 'eno' WHERE id = 1")
        with pytest.raises(ObjectChangedError):
            stream.read()
    with pytest.raises(ObjectChangedError):
        location.read("1", expected=states["1"], max_bytes=9)
    assert location.read("2", expected=states["2"], max_bytes=9) == b"two"


# --- Rights, passwords, servers that go away -------------------------------------------------------------------------


def test_a_missing_right_is_named(database: _Database) -> None:
    role = f"r{secrets.token_hex(6)}"
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    database.run("CREATE ROLE {} LOGIN", role)
    try:
        location = database.opened("pics", user=role)
        with pytest.raises(LocationUnavailableError, match=r"lacks SELECT on columns data, id of"):
            location.check()
        database.run("GRANT SELECT ON pics TO {}", role)
        with pytest.raises(LocationUnavailableError, match="permission denied for schema"):
            location.list()
        database.run("GRANT USAGE ON SCHEMA {} TO {}", database.schema, role)
        assert location.list().frame.is_empty()
    finally:
        database.run("DROP OWNED BY {}", role)
        database.run("DROP ROLE {}", role)


@pytest.mark.parametrize("option", ["password", "dsn"])
def test_a_password_that_was_changed_is_used_without_a_restart(
    database: _Database, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    role, first, second = f"r{secrets.token_hex(6)}", "first-password-1", "second-password-2"
    text = "{}" if option == "password" else "password={} application_name=x"
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    database.run(f"CREATE ROLE {{}} LOGIN SUPERUSER PASSWORD '{first}'", role)
    try:
        monkeypatch.setenv("PICS_LOGIN", text.format(first))
        location = database.opened("pics", user=role, **{option: "${PICS_LOGIN}"})
        assert location.list().frame.is_empty()
        location.close()
        database.run(f"ALTER ROLE {{}} PASSWORD '{second}'", role)
        with pytest.raises(LocationUnavailableError, match="password authentication failed") as caught:
            location.list()
        assert first not in str(caught.value)
        monkeypatch.setenv("PICS_LOGIN", text.format(second))
        assert location.list().frame.is_empty()
    finally:
        database.run("DROP ROLE {}", role)


def test_a_dsn_that_cannot_be_read_is_not_shown(database: _Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICS_DSN", "secret-without-equals")
    with pytest.raises(LocationUnavailableError, match="the dsn is not as libpq writes it") as caught:
        database.opened("pics", dsn="${PICS_DSN}").list()
    assert "secret-without" not in str(caught.value)


def test_a_connection_that_was_ended_is_made_anew(database: _Database) -> None:
    database.run("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
    location = database.opened("pics")
    location.list()
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deeplens'")
    assert location.list().frame.is_empty()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside pytest's own, whose parents other runs on the machine close to the server's user."""
    with tempfile.TemporaryDirectory(prefix="deeplens-test-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def test_a_server_that_is_killed_and_started_again(folder: Path) -> None:
    with postgres_module.running(folder) as server:
        with psycopg.connect(server.local_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE pics (id int PRIMARY KEY, data bytea)")
            connection.execute("INSERT INTO pics SELECT n, 'x' FROM generate_series(1, 1500) n")
        url = f"postgresql://{server.user}@/{server.database}?host={server.sockets}&port={server.port}"
        location = open_location("L", "pics", url, {**_COLUMNS, "retries": 1})
        store = location.store  # type: ignore[attr-defined]
        page = store.page
        killed = []

        def page_and_kill(cursor: object) -> Any:
            found = page(cursor)
            if not killed:
                killed.append(True)
                server.kill()
            return found

        store.page = page_and_kill
        with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
            location.list()
        assert killed
        server.restart()
        assert location.list().frame.height == 1500
        location.close()
