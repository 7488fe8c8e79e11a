"""The commands for plans, put together.

Takes the application, adds `plan` and `references`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import plan_changes, plan_commands, plan_files, reference_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    plan = new_group("plan")

    @plan.callback()
    def _plan(context: typer.Context) -> None:
        """Say what is to be done with copies, look at it, and approve it. Nothing is done before it is applied."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(plan)
    add(
        plan, plan_commands.make, "make",
        "deeplens plan make",
        "deeplens plan make share --tier bytes --limit 1000",
        "deeplens plan make --action hardlink",
        "deeplens plan make --action move --to archive/duplicates",
    )  # fmt: skip
    add(plan, plan_commands.list_all, "list", "deeplens plan list", "deeplens plan list --all --json")
    add(plan, plan_commands.show, "show", "deeplens plan show 4c1f0a72", "deeplens plan show 4c1f --csv steps.csv")
    add(plan, plan_commands.diff, "diff", "deeplens plan diff 4c1f", "deeplens plan diff 4c1f --with 93be --json")
    add(
        plan, plan_files.export, "export",
        "deeplens plan export 4c1f plan.json",
        "deeplens plan export 4c1f steps.csv",
    )  # fmt: skip
    add(plan, plan_files.preview, "preview", "deeplens plan preview 4c1f plan.html")
    add(plan, plan_files.verify, "verify", "deeplens plan verify plan.json")
    add(
        plan, plan_changes.trim, "trim",
        "deeplens plan trim 4c1f --drop 3 --drop 17",
        "deeplens plan trim 4c1f --only-location share",
        "deeplens plan trim 4c1f --from-csv steps.csv",
    )  # fmt: skip
    add(plan, plan_changes.approve, "approve", "deeplens plan approve 4c1f --note 'looked at all of it'")
    add(plan, plan_changes.refuse, "refuse", "deeplens plan refuse 4c1f --why 'the printer needs these'")
    add(plan, plan_changes.refresh, "refresh", "deeplens plan refresh 4c1f")
    references = new_group("references")

    @references.callback()
    def _references(context: typer.Context) -> None:
        """Have texts and tables name the files that stay in place of those that went."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(references)
    add(
        references, reference_commands.plan, "plan",
        "deeplens references plan 7a90c3d1 --in share",
        "deeplens references plan moved.csv --in share --glob '*.csv' --glob '*.html'",
    )  # fmt: skip
