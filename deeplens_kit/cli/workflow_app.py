"""The commands for standing workflows, put together.

Takes the application, adds `workflows`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import workflow_commands, workflow_runs
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    workflows = new_group("workflows")

    @workflows.callback()
    def _workflows(context: typer.Context) -> None:
        """Clean-ups that recur: plan, approval within bounds or by a person, quarantine, certificate, notice."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(workflows)
    add(
        workflows, workflow_commands.add, "add",
        "deeplens workflows add nightly --every '0 3 * * *' --location share",
        "deeplens workflows add nightly --every @daily --auto-approve-objects 500 --auto-approve-bytes 5GB "
        "--auto-approve-share 5%",
    )  # fmt: skip
    add(
        workflows, workflow_commands.bounds, "bounds",
        "deeplens workflows bounds nightly --objects 500 --bytes 5GB --share 5%",
        "deeplens workflows bounds nightly --none",
    )  # fmt: skip
    add(workflows, workflow_commands.list_all, "list", "deeplens workflows list", "deeplens workflows list --json")
    add(
        workflows, workflow_commands.show, "show",
        "deeplens workflows show nightly",
        "deeplens workflows show nightly --form crontab --index",
    )  # fmt: skip
    add(workflows, workflow_runs.preview, "preview", "deeplens workflows preview nightly")
    add(workflows, workflow_runs.run, "run", "deeplens workflows run nightly", "deeplens workflows run nightly --index")
    add(workflows, workflow_commands.pause, "pause", "deeplens workflows pause nightly --why 'the share moves'")
    add(workflows, workflow_commands.resume, "resume", "deeplens workflows resume nightly --note 'looked at it'")
    add(workflows, workflow_runs.history, "history", "deeplens workflows history nightly")
    add(workflows, workflow_commands.remove, "remove", "deeplens workflows remove nightly")
