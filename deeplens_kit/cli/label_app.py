"""The commands for labels and for what they prove, put together.

Takes the application, adds `label`, `evaluate` and `recommend`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import evidence_commands, label_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    label = new_group("label")

    @label.callback()
    def _label(context: typer.Context) -> None:
        """Say which pairs are the same picture: what to look at next, and labels in and out of files."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(label)
    add(
        label, label_commands.sample, "sample",
        "deeplens label sample --budget 400",
        "deeplens label sample --budget 50 --near-threshold 0.9",
    )  # fmt: skip
    add(label, label_commands.next_pair, "next", "deeplens label next", "deeplens label next --json")
    add(
        label, label_commands.set_label, "set",
        "deeplens label set pics:a.jpg share:b.jpg same",
        "deeplens label set 4c1f0a72 93be55d0 different --note 'another receipt'",
    )  # fmt: skip
    add(
        label, label_commands.withdraw, "withdraw",
        "deeplens label withdraw pics:a.jpg share:b.jpg",
        "deeplens label withdraw 4c1f0a72 93be55d0 --who ana@studio",
    )  # fmt: skip
    add(label, label_commands.list_all, "list", "deeplens label list", "deeplens label list --verdict unsure")
    add(
        label, label_commands.import_labels, "import",
        "deeplens label import labels.csv",
        "deeplens label import --benchmark ./benchmark --sample",
    )  # fmt: skip
    add(
        label, label_commands.export, "export",
        "deeplens label export labels.csv",
        "deeplens label export --benchmark ./new-benchmark",
    )  # fmt: skip
    add(label, label_commands.status, "status", "deeplens label status")
    add(
        app, evidence_commands.evaluate, "evaluate",
        "deeplens evaluate",
        "deeplens evaluate --likelihood-min 0.8 --json",
    )  # fmt: skip
    add(
        app, evidence_commands.recommend, "recommend",
        "deeplens recommend --precision 0.99",
        "deeplens recommend --precision 0.995 --confidence 0.99 --csv curve.csv",
    )  # fmt: skip
