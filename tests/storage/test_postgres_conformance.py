"""A table of a real PostgreSQL does what every kind of location must."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.postgres import PostgresServer
from tests.servers.server import free_ports
from tests.storage.conformance import ServedConformance

_COLUMNS = "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, data bytea, changed timestamptz"


class _Table:
    def __init__(self, server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
        self.name = f"pics_{secrets.token_hex(6)}"
        self.url = f"postgresql://{server.user}@/{server.database}?host={server.sockets}&port={server.port}"
        self._connection = connection
        self._opened: list[LocationKind] = []
        connection.execute(sql.SQL("CREATE TABLE {} (" + _COLUMNS + ")").format(self.identifier))

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.name)

    def opened(self, **options: object) -> LocationKind:
        columns = {"table": self.name, "blob_column": "data", "name_column": "name", "modified_column": "changed"}
        self._opened.append(open_location("L", "pics", self.url, {**columns, **options}))
        return self._opened[-1]

    def close(self) -> None:
        for location in self._opened:
            location.close()
        self._connection.execute(sql.SQL("DROP TABLE {}").format(self.identifier))

    def put(self, path: str, data: bytes) -> None:
        statement = sql.SQL(
            "INSERT INTO {} (name, data, changed) VALUES (%s, %s, now()) "
            "ON CONFLICT (name) DO UPDATE SET data = excluded.data, changed = excluded.changed"
        )
        self._connection.execute(statement.format(self.identifier), (path, data))

    def drop(self, path: str) -> None:
        self._connection.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(self.identifier), (path,))


class TestPostgres(ServedConformance):
    writes = False

    @pytest.fixture
    def place(self, postgres_server: PostgresServer) -> Iterator[_Table]:
        with psycopg.connect(postgres_server.local_url, autocommit=True) as connection:
            table = _Table(postgres_server, connection)
            yield table
            table.close()

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        options = {"table": "pics", "blob_column": "data", "retries": 0}
        return open_location("L", "pics", f"postgresql://me@127.0.0.1:{free_ports(1)[0]}/pics", options)

    @pytest.fixture
    def refused(self, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> tuple[LocationKind, str]:
        monkeypatch.setenv("WRONG_PASSWORD", "wrong-secret-1234")
        server = postgres_server
        options = {"table": "pics", "blob_column": "data", "password": "${WRONG_PASSWORD}"}
        url = f"postgresql://{server.user}@{server.host}:{server.port}/{server.database}"
        return open_location("L", "pics", url, options), "wrong-secret-1234"
