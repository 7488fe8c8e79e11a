"""Alembic's environment: runs revisions on the connection that `ledger.schema.migrate` hands in.

Takes that connection and leaves its transaction open for the caller; must not connect by itself.
"""

from __future__ import annotations

from alembic import context

from deeplens_kit.ledger import (  # noqa: F401 - maps all tables
    access_models,
    act_models,
    job_models,
    preference_models,
    report_models,
    request_models,
    workflow_models,
)
from deeplens_kit.ledger.models import Base

__all__ = ["run"]


def run() -> None:
    """Run the revisions that Alembic chose."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata)
    context.run_migrations()


# Alembic loads this file under that name; imported as a module of the package it does nothing.
if __name__ == "env_py":
    run()
