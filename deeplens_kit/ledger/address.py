"""The address of the ledger, checked before anything is opened.

Takes a ledger URL as written in `workspace.toml` and gives a SQLAlchemy URL; must not connect, and must not show
a password. That stands in it as a reference (see `storage.credentials`), and in no file.
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from deeplens_kit.errors import SettingsError, WorkspaceError
from deeplens_kit.ledger.mounts import refuse_network_file_system
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.telemetry import register_secret

__all__ = ["ledger_address", "shown", "sqlite_file"]

_ALLOWED = "sqlite:////path/to/ledger.sqlite or postgresql://user:${NAME}@host/database"


def ledger_address(url: str, mountinfo: str | None = None) -> URL:
    """The SQLAlchemy URL of a ledger.

    Args:
        url: As in `workspace.toml`.
        mountinfo: Table of mounts, see `mounts.file_system_of`.

    Raises:
        SettingsError: It is no URL of a database that can be used.
        CredentialMissingError: A credential that it refers to is not there.
        WorkspaceError: SQLite on a network file system or an object store.
    """
    try:
        address = make_url(resolve(url, in_url=True))
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
