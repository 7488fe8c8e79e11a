"""What each person prefers, and how they rated what searches found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deeplens_kit.errors import WorkspaceError

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "preferences",
        sa.Column("who", sa.String(300), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "ratings",
        sa.Column("rating_id", sa.Integer(), primary_key=True),
        sa.Column("who", sa.String(300), nullable=False),
        sa.Column("asked_key", sa.String(64), nullable=False),
        sa.Column("asked_digest", sa.String(64), nullable=True),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("is_labelled", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("who", "asked_key", "digest"),
    )
    op.create_index("ix_ratings_asked_digest", "ratings", ["asked_digest"])


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
