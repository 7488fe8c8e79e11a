"""Plans, what was done by them, holds and workflows; the audit trail as a chain.

The database itself refuses to change or remove lines of the audit trail and of journals. SQLite forgets its triggers
when a later revision makes one of the two tables anew: that revision has to make them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.ledger.audit import CHAIN, content
from deeplens_kit.ledger.chain import BEGINNING, line_digest
from deeplens_kit.ledger.models import UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PAGE = 1_000
_KEPT = ("audit", "journal")


def upgrade() -> None:
    """Make the tables, chain the lines that the audit trail has, and close both kinds of lines."""
    _make_plans()
    _make_applications()
    _make_quarantine()
    _make_holds()
    _make_workflows()
    _chain_audit()
    for table in _KEPT:
        _append_only(table)


def _make_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("steps_digest", sa.String(64), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.String(32), nullable=False),
    )
    op.create_table(
        "plan_parts",
        sa.Column("plan_id", sa.String(32), sa.ForeignKey("plans.plan_id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "plan_approvals",
        sa.Column("approval_id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("plan_id", sa.String(32), sa.ForeignKey("plans.plan_id"), nullable=False),
        sa.Column("steps_digest", sa.String(64), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_index("ix_plan_approvals_plan_id", "plan_approvals", ["plan_id"])


def _make_applications() -> None:
    op.create_table(
        "applications",
        sa.Column("application_id", sa.String(32), primary_key=True),
        sa.Column("plan_id", sa.String(32), sa.ForeignKey("plans.plan_id"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("journal_lines", sa.BigInteger(), nullable=False),
        sa.Column("journal_digest", sa.String(64), nullable=False),
    )
    op.create_index("ix_applications_plan_id", "applications", ["plan_id"])
    application = sa.ForeignKey("applications.application_id")
    op.create_table(
        "journal",
        sa.Column("application_id", sa.String(32), application, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(50), nullable=False),
        sa.Column("phase", sa.String(20), nullable=False),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )


def _make_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("item_id", sa.String(32), primary_key=True),
        sa.Column("application_id", sa.String(32), sa.ForeignKey("applications.application_id"), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.String(32), sa.ForeignKey("locations.location_id"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("quarantine_path", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("keeper_location_id", sa.String(32), nullable=True),
        sa.Column("keeper_path", sa.Text(), nullable=True),
        sa.Column("keeper_digest", sa.String(64), nullable=True),
        sa.Column("keeper_token", sa.Text(), nullable=True),
        sa.Column("kept", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
    )
    for column in ("application_id", "digest", "keeper_digest", "state"):
        op.create_index(f"ix_quarantine_{column}", "quarantine", [column])


def _make_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("hold_id", sa.String(32), primary_key=True),
        sa.Column("location_id", sa.String(32), sa.ForeignKey("locations.location_id"), nullable=True),
        sa.Column("glob", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("collection", sa.String(200), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
    )


def _make_workflows() -> None:
    op.create_table(
        "workflows",
        sa.Column("workflow_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("live_name", sa.String(200), nullable=True, unique=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bounds", sa.JSON(), nullable=False),
        sa.Column("bounds_by", sa.Text(), nullable=False),
        sa.Column("bounds_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("baseline_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "workflow_runs",
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("workflow_id", sa.String(32), sa.ForeignKey("workflows.workflow_id"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("plan_id", sa.String(32), nullable=False),
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    )
    op.create_index("ix_workflow_runs_workflow_id", "workflow_runs", ["workflow_id"])


def _chain_audit() -> None:
    heads = op.create_table(
        "chain_heads",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    with op.batch_alter_table("audit") as batch:
        batch.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("digest", sa.String(64), nullable=True))
    lines, digest = _chained()
    op.bulk_insert(heads, [{"name": CHAIN, "lines": lines, "digest": digest}])
    with op.batch_alter_table("audit") as batch:
        batch.alter_column("sequence", existing_type=sa.BigInteger(), nullable=False)
        batch.alter_column("digest", existing_type=sa.String(64), nullable=False)
    op.create_index("ix_audit_sequence", "audit", ["sequence"], unique=True)


def _chained() -> tuple[int, str]:
    """Give each line that is there its place and digest; how many there are, and the last digest."""
    audit = sa.table(
        "audit",
        sa.column("audit_id", sa.Integer()),
        sa.column("at", UtcTime()),
        sa.column("who", sa.Text()),
        sa.column("action", sa.String()),
        sa.column("details", sa.JSON()),
        sa.column("sequence", sa.BigInteger()),
        sa.column("digest", sa.String()),
    )
    connection = op.get_bind()
    change = sa.update(audit).where(audit.c.audit_id == sa.bindparam("key"))
    change = change.values(sequence=sa.bindparam("place"), digest=sa.bindparam("proof"))
    names = (audit.c.audit_id, audit.c.at, audit.c.who, audit.c.action, audit.c.details)
    lines, digest, last = 0, BEGINNING, None
    while True:
        query = sa.select(*names).order_by(audit.c.audit_id).limit(_PAGE)
        rows = connection.execute(query if last is None else query.where(audit.c.audit_id > last)).all()
        if not rows:
            return lines, digest
        given = []
        for audit_id, at, who, action, details in rows:
            lines += 1
            digest = line_digest(digest, content(lines, at, who, action, details))
            given.append({"key": audit_id, "place": lines, "proof": digest})
        connection.execute(change, given)
        last = rows[-1].audit_id


def _append_only(table: str) -> None:
    """Let the database refuse whatever changes or removes a line."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'lines of {table} are never changed or removed'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION deeplens_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'lines of % are never changed or removed', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION deeplens_append_only()"
    )


def downgrade() -> None:
    """Refused: a ledger goes back by its backup."""
    raise WorkspaceError("A ledger is not taken back to an older schema; restore the backup that the upgrade made.")
