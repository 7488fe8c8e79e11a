"""Saved searches have names of each person's own."""

from __future__ import annotations

from alembic import op

from deeplens_kit.errors import WorkspaceError

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLE, _NEW = "saved_searches", "uq_saved_searches_who_name"
# What 0005 left without a name has that of PostgreSQL there, and on SQLite the one that is given to it here.
_NAMES = {"postgresql": "saved_searches_name_key", "sqlite": "uq_saved_searches_name"}


def upgrade() -> None:
    """Have a name be taken only by who saved a search under it."""
    convention = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
    with op.batch_alter_table(_TABLE, naming_convention=convention) as batch:
        batch.drop_constraint(_NAMES[op.get_bind().dialect.name], type_="unique")
        batch.create_unique_constraint(_NEW, ["who", "name"])


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
