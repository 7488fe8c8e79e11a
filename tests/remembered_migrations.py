"""The migrations of the ledger, run once in a process for each kind of database; further ledgers get what they said.

Migrating an empty ledger takes a tenth of a second, most of it for making the same statements anew, and a thousand
tests make one. Ledgers that hold something already are migrated as ever, and so are those of every other process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, inspect

from deeplens_kit.ledger import ledger, schema

__all__ = ["remembered"]

Said = dict[str, list[tuple[str, Any, bool]]]


@pytest.fixture(scope="session", autouse=True)
def remembered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "migrate", partial(_migrate, schema.migrate, {}))
        yield


def _migrate(really: Callable[..., None], said: Said, connection: Connection, target: str = "head") -> None:
    kind = connection.dialect.name
    if target != "head" or inspect(connection).get_table_names():
        really(connection, target)
    elif kind in said:
        for statement, values, many in said[kind]:
            connection.exec_driver_sql(statement, values if many or values else None)
    else:
        told: list[tuple[str, Any, bool]] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
            if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
                told.append((statement, values, many))

        event.listen(connection, "before_cursor_execute", note)
        try:
            really(connection)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        said[kind] = told
