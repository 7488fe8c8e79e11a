"""The commands about how long pictures are kept, put together.

Takes the application, adds `retention`, `export`, `forget` and `kept-out`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import export_command, forget_command, kept_out_commands, retention_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    _add_retention(app)
    add(
        app, export_command.export, "export",
        "deeplens export share --to /mnt/handover/share",
        "deeplens export share --to s3://bucket/handover --option profile=handover",
    )  # fmt: skip
    add(
        app, forget_command.forget, "forget",
        "deeplens forget share/2019/party.jpg --why 'asked by the person shown'",
        "deeplens forget share/2019/party.jpg --why 'asked by the person shown' --really",
        "deeplens forget 3fa81c02… --why 'case 7' --really --json > forgotten.json",
        "deeplens forget share/2019/party.jpg --why 'asked by the person shown' --keep-out --really",
    )  # fmt: skip
    kept_out = new_group("kept-out")

    @kept_out.callback()
    def _kept_out(context: typer.Context) -> None:
        """List the pictures that were forgotten and must not come back, or let one in again."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(kept_out)
    add(kept_out, kept_out_commands.list_all, "list", "deeplens kept-out list", "deeplens kept-out list --json")
    add(kept_out, kept_out_commands.withdraw, "withdraw", "deeplens kept-out withdraw party.jpg")


def _add_retention(app: typer.Typer) -> None:
    retention = new_group("retention")

    @retention.callback()
    def _retention(context: typer.Context) -> None:
        """Say how long which pictures are kept, and plan what has to go; never a last copy. A hold always wins."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(retention)
    add(
        retention, retention_commands.add, "add",
        "deeplens retention add ten-years --older-than 3650d --location share",
        "deeplens retention add leavers --collection leavers",
        "deeplens retention add cold --older-than 365d --location archive --action storage_class "
        "--storage-class GLACIER",
    )  # fmt: skip
    add(retention, retention_commands.list_all, "list", "deeplens retention list", "deeplens retention list --json")
    add(retention, retention_commands.remove, "remove", "deeplens retention remove ten-years")
    add(retention, retention_commands.plan, "plan", "deeplens retention plan ten-years")
