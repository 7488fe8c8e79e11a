"""The commands for jobs, put together.

Takes the application, adds `jobs`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import jobs_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    jobs = new_group("jobs")

    @jobs.callback()
    def _jobs(context: typer.Context) -> None:
        """Look after what is done outside the server: which jobs there are, cancel, try again, and a worker."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(jobs)
    add(jobs, jobs_commands.list_all, "list", "deeplens jobs list", "deeplens jobs list --state dead --json")
    add(jobs, jobs_commands.show, "show", "deeplens jobs show 3fa81c02", "deeplens jobs show 3fa81c02 --json")
    add(jobs, jobs_commands.events, "events", "deeplens jobs events 3fa81c02", "deeplens jobs events --after 1200")
    add(jobs, jobs_commands.cancel, "cancel", "deeplens jobs cancel 3fa81c02")
    add(jobs, jobs_commands.retry, "retry", "deeplens jobs retry 3fa81c02", "deeplens jobs retry --dead")
    add(jobs, jobs_commands.work, "work", "deeplens jobs work", "deeplens jobs work --cpu 0 --io 4 --until-idle")
