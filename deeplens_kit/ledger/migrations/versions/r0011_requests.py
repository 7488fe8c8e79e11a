"""Answers to requests that may come twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deeplens_kit.errors import WorkspaceError

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
    )
    op.create_index("ix_requests_began_at", "requests", ["began_at"])


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
