"""The commands for schedules, put together.

Takes the application, adds `schedule`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import schedule_commands, schedule_runs
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    schedule = new_group("schedule")

    @schedule.callback()
    def _schedule(context: typer.Context) -> None:
        """Have reports and clean-ups recur, by a file: what, when, where to, and who is told."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(schedule)
    add(schedule, schedule_commands.example, "example", "deeplens schedule example > reports/schedules.yaml")
    add(schedule, schedule_commands.list_all, "list", "deeplens schedule list", "deeplens schedule list --json")
    add(schedule, schedule_runs.run, "run", "deeplens schedule run", "deeplens schedule run --once")
    add(
        schedule, schedule_runs.run_now, "run-now",
        "deeplens schedule run-now weekly-savings",
        "deeplens schedule run-now weekly-savings --if-due",
    )  # fmt: skip
    add(schedule, schedule_commands.history, "history", "deeplens schedule history weekly-savings")
    add(
        schedule, schedule_commands.export, "export",
        "deeplens schedule export --cron",
        "deeplens schedule export weekly-savings --k8s --image registry.example.org/deeplens:1",
    )  # fmt: skip
