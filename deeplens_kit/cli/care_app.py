"""The commands that look after what the workspace knows, put together: audit trail, legal holds, backups.

Takes the application, adds `holds`, `audit`, `backup` and `restore`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import audit_commands, backup_commands, holds_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import examples, new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    _add_holds(app)
    _add_audit(app)
    _add_backup(app)


def _add_holds(app: typer.Typer) -> None:
    holds = new_group("holds")

    @holds.callback()
    def _holds(context: typer.Context) -> None:
        """Say what must stay as it is, whatever a plan says: legal holds."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(holds)
    add(
        holds, holds_commands.add, "add",
        "deeplens holds add --location share --glob '2019/**' --why 'case 7'",
        "deeplens holds add --collection evidence --why 'asked by the court'",
    )  # fmt: skip
    add(holds, holds_commands.list_all, "list", "deeplens holds list", "deeplens holds list --released --json")
    add(holds, holds_commands.release, "release", "deeplens holds release 3fa81c02")


def _add_audit(app: typer.Typer) -> None:
    audit = new_group("audit")
    audit.callback(
        epilog=examples(
            "deeplens audit",
            "deeplens audit --action plan --since 7d",
            "deeplens audit --who ana@studio --since 2026-11-01 --json",
        )
    )(audit_commands.audit)
    app.add_typer(audit)
    add(
        audit, audit_commands.verify, "verify",
        "deeplens audit verify",
        "deeplens audit verify --head $(cat /elsewhere/audit-head.txt)",
    )  # fmt: skip
    add(audit, audit_commands.head, "head", "deeplens audit head >> /elsewhere/audit-head.txt")


def _add_backup(app: typer.Typer) -> None:
    backup = new_group("backup", acting=True)

    @backup.callback(epilog=examples("deeplens backup /mnt/backups/deeplens"))
    def _backup(context: typer.Context) -> None:
        """Back up all that cannot be made again, while others work; list and prove backups."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(backup)
    add(
        backup, backup_commands.make, "make",
        "deeplens backup /mnt/backups/deeplens",
        "deeplens backup s3://bucket/deeplens --option profile=backups",
    )  # fmt: skip
    add(backup, backup_commands.list_all, "list", "deeplens backup list /mnt/backups/deeplens")
    add(backup, backup_commands.verify, "verify", "deeplens backup verify s3://bucket/deeplens")
    add(
        backup, backup_commands.prune, "prune",
        "deeplens backup prune /mnt/backups/deeplens --keep 7",
        "deeplens backup prune s3://bucket/deeplens --keep 7 --yes --option profile=backups",
    )  # fmt: skip
    add(
        app, backup_commands.restore, "restore",
        "deeplens restore /mnt/backups/deeplens --to restored",
        "deeplens restore s3://bucket/deeplens --to restored --name 20261130T081500123456Z-3fa81c02",
    )  # fmt: skip
