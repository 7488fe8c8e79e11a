"""The ledger's schema revision: what is there, what this release needs, and the way from one to the other.

Takes a connection and gives or sets the revision; must not make a backup (the ledger does that first). Opening
reads one row and does not load Alembic.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from deeplens_kit.errors import WorkspaceMissingError, WorkspaceSchemaError

__all__ = ["REVISIONS", "SCHEMA_REVISION", "migrate", "require_current", "require_known", "revision_of"]

# In order; a test holds them against the migration files.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013")
SCHEMA_REVISION = REVISIONS[-1]
_MIGRATIONS = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str | None:
    """The revision of the ledger behind a connection; None where there is no ledger."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def require_current(found: str | None, place: str) -> None:
    """Raise unless a revision is this release's.

    Raises:
        WorkspaceMissingError: There is no ledger.
        WorkspaceSchemaError: It is older (run `deeplens upgrade`), or newer or of another origin.
    """
    if found is None:
        raise WorkspaceMissingError(f"There is no ledger at {place}; make one with `deeplens init`.")
    if found != SCHEMA_REVISION:
        raise WorkspaceSchemaError("ledger", found, SCHEMA_REVISION, newer=found not in REVISIONS)


def require_known(found: str) -> None:
    """Raise unless a revision is one that this release can make.

    Raises:
        WorkspaceSchemaError: It is newer or of another origin.
    """
    if found not in REVISIONS:
        raise WorkspaceSchemaError("ledger", found, SCHEMA_REVISION, newer=True)


def migrate(connection: Connection, target: str = "head") -> None:
    """Run the migrations up to a revision within the transaction of `connection`: all of them or none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads % as the start of a reference.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, target)
