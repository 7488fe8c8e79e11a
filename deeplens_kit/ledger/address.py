"""The address of the ledger, checked before anything is opened.

Takes a ledger URL as written in `workspace.toml` and gives a SQLAlchemy URL; must not connect, and must not show
a password. `${NAME}` is read from the environment, so that no password stands in a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from deeplens_kit.errors import SettingsError, WorkspaceError
from deeplens_kit.ledger.mounts import refuse_network_file_system
from deeplens_kit.telemetry import register_secret

__all__ = ["ledger_address", "shown", "sqlite_file"]

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ALLOWED = "sqlite:////path/to/ledger.sqlite or postgresql://user:${NAME}@host/database"


def ledger_address(url: str, environment: Mapping[str, str] | None = None, mountinfo: str | None = None) -> URL:
    """The SQLAlchemy URL of a ledger.

    Args:
        url: As in `workspace.toml`.
        environment: Where `${NAME}` is looked up; the process's by default.
        mountinfo: Table of mounts, see `mounts.file_system_of`.

    Raises:
        SettingsError: It is no URL of a database that can be used, or names a variable that is not set.
        WorkspaceError: SQLite on a network file system or an object store.
    """
    values = os.environ if environment is None else environment

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise SettingsError(
                f"ledger_url refers to ${{{match[1]}}}, which is not set; set that environment variable."
            )
        register_secret(values[match[1]])
        return quote(values[match[1]], safe="")

    try:
        address = make_url(_REFERENCE.sub(value_of, url))
    except ArgumentError as error:
        raise SettingsError(f"ledger_url is not a database URL; write {_ALLOWED}.") from error
    if address.password:
        register_secret(str(address.password))
    backend = address.drivername.partition("+")[0]
    if backend == "sqlite":
        file = sqlite_file(address)
        refuse_network_file_system(file, mountinfo)
        return address.set(drivername="sqlite", database=str(file))
    if backend in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    raise SettingsError(f"ledger_url names {backend!r}; allowed are SQLite and PostgreSQL: {_ALLOWED}.")


def sqlite_file(address: URL) -> Path:
    """The file of an SQLite URL.

    Raises:
        SettingsError: It is in memory or relative to nothing.
        WorkspaceError: It is on an object store.
    """
    database = address.database or ""
    if not database or database == ":memory:" or database.startswith("file:"):
        raise SettingsError(f"ledger_url must name a file that stays; write {_ALLOWED}.")
    if "://" in database or re.match(r"[a-z0-9]+:/", database):
        raise WorkspaceError(
            f"The ledger cannot be SQLite on an object store ({database!r}); "
            "put it on a local disk, or set ledger_url to a PostgreSQL server."
        )
    return Path(database).absolute()


def shown(address: URL) -> str:
    """The address as it may be shown: without password and query."""
    return address.set(query={}).render_as_string(hide_password=True)
