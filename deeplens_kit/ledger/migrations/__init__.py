"""Alembic's environment and the revisions of the ledger; run through `ledger.schema.migrate` only."""
