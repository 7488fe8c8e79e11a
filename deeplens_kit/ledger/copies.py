"""The ledger written out while it is used, and a ledger made from that.

Takes ledgers and folders; must not write over a ledger. A ledger is made whole or not at all, at the revision that it
was written out at: an older one is brought up to date by `deeplens upgrade`.
"""

from __future__ import annotations

from pathlib import Path

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.ledger.address import ledger_address, shown
from deeplens_kit.ledger.engine import open_engine, writing
from deeplens_kit.ledger.faults import translated
from deeplens_kit.ledger.schema import migrate, require_known, revision_of
from deeplens_kit.ledger.table_files import export_tables, import_tables
from deeplens_kit.ledger.transactions import Transactions

__all__ = ["Copies", "restore_ledger"]


class Copies(Transactions):
    """The ledger as files."""

    def export(self, folder: Path) -> str:
        """Write every table into a folder as JSON lines, as they stand at one moment; others may write meanwhile.

        Returns:
            The schema revision.

        Raises:
            StoreFullError: No space is left.
            WorkspaceError: The ledger cannot be read, or the folder cannot be written.
        """
        with translated("copy", self._place):
            return export_tables(self._engine, folder)


def restore_ledger(url: str, folder: Path, revision: str) -> None:
    """Make a ledger from what `Ledger.export` wrote, in whichever database; everything, or nothing.

    Args:
        url: SQLAlchemy URL of a database without a ledger.
        folder: With the JSON lines.
        revision: At which they were written.

    Raises:
        SettingsError: The URL cannot be used.
        WorkspaceSchemaError: The revision is newer than this release.
        WorkspaceError: There is a ledger already, or the place cannot be written.
    """
    require_known(revision)
    address = ledger_address(url)
    engine, place = open_engine(address), shown(address)
    try:
        with translated("restore", place):
            if address.get_backend_name() == "sqlite":
                Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
            with writing(engine).begin() as connection:
                if revision_of(connection) is not None:
                    raise WorkspaceError(f"There is a ledger at {place} already; name another place.")
                migrate(connection, revision)
                import_tables(connection, folder)
    finally:
        engine.dispose()
