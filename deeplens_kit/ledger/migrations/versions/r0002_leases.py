"""Leases: one run at a time works on a location."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deeplens_kit.errors import WorkspaceError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "leases",
        sa.Column("location_id", sa.String(32), sa.ForeignKey("locations.location_id"), primary_key=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
