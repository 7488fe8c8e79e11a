"""The commands that act on files, put together: apply, undo, quarantine, certificate.

Takes the application, adds the commands; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import apply_commands, certificate_command, quarantine_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    add(
        app, apply_commands.apply, "apply",
        "deeplens apply 4c1f0a72",
        "deeplens apply 4c1f0a72 --really",
        "deeplens apply --resume 9b20e7d1",
    )  # fmt: skip
    add(app, apply_commands.undo, "undo", "deeplens undo 9b20e7d1", "deeplens undo 9b20e7d1 --yes")
    quarantine = new_group("quarantine")

    @quarantine.callback()
    def _quarantine(context: typer.Context) -> None:
        """Look at the files that were moved away, move them back, or remove them for good."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(quarantine)
    add(
        quarantine, quarantine_commands.list_all, "list",
        "deeplens quarantine list",
        "deeplens quarantine list --application 9b20e7d1 --csv quarantine.csv",
    )  # fmt: skip
    add(quarantine, quarantine_commands.restore, "restore", "deeplens quarantine restore 0f3c9a1b2d4e5f60")
    add(
        quarantine, quarantine_commands.empty, "empty",
        "deeplens quarantine empty",
        "deeplens quarantine empty --application 9b20e7d1 --all",
        "deeplens quarantine empty --yes-empty 9b20e7d1",
    )  # fmt: skip
    add(
        app, certificate_command.certificate, "certificate",
        "deeplens certificate 9b20e7d1",
        "deeplens certificate 9b20e7d1 --html certificate.html",
        "deeplens certificate 9b20e7d1 --redirects moved.csv",
    )  # fmt: skip
