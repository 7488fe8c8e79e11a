"""What people decide: rules, labels with the samples they were asked for, and decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deeplens_kit.errors import WorkspaceError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rules",
        sa.Column("rule_id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_by", sa.Text(), nullable=True),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "label_samples",
        sa.Column("sample_id", sa.String(32), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
    )
    op.create_table(
        "label_sample_items",
        sa.Column("sample_id", sa.String(32), sa.ForeignKey("label_samples.sample_id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest_a", sa.String(64), nullable=False),
        sa.Column("digest_b", sa.String(64), nullable=False),
        sa.Column("stratum", sa.String(200), nullable=False),
    )
    op.create_table(
        "labels",
        sa.Column("digest_a", sa.String(64), primary_key=True),
        sa.Column("digest_b", sa.String(64), primary_key=True),
        sa.Column("who", sa.Text(), primary_key=True),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("labelled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sample_id", sa.String(32), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("act_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("keeper_digest", sa.String(64), nullable=True),
        sa.Column("member_digest", sa.String(64), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
    )
    for table, column in (
        ("labels", "digest_b"),
        ("labels", "sample_id"),
        ("decisions", "act_id"),
        ("decisions", "keeper_digest"),
        ("decisions", "member_digest"),
        ("decisions", "withdrawn_at"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
