"""The commands for what people choose, put together: which copy stays, when a pair is one, what holds whatever that is.

Takes the application, adds `policy`, `decide` and `rules`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import decide_commands, policy_command, rules_commands
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    _add_policies(app)
    _add_decisions(app)
    _add_rules(app)


def _add_policies(app: typer.Typer) -> None:
    policy = new_group("policy")

    @policy.callback()
    def _policy(context: typer.Context) -> None:
        """Say which copy of a picture stays, and see what another policy would change."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(policy)
    add(policy, policy_command.list_all, "list", "deeplens policy list", "deeplens policy list --json")
    add(policy, policy_command.show, "show", "deeplens policy show", "deeplens policy show oldest")
    add(policy, policy_command.check, "check", "deeplens policy check archive-first.json")
    add(
        policy, policy_command.compare, "compare",
        "deeplens policy compare cheapest",
        "deeplens policy compare archive-first.json --with default --csv changes.csv",
    )  # fmt: skip
    add(policy, policy_command.use, "use", "deeplens policy use oldest", "deeplens policy use archive-first.json")


def _add_decisions(app: typer.Typer) -> None:
    decide = new_group("decide")

    @decide.callback()
    def _decide(context: typer.Context) -> None:
        """Say what stays and what may go, whatever the rule: kept by content, so that it holds when files move."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(decide)
    add(decide, decide_commands.keep_both, "keep-both", "deeplens decide keep-both 4c1f --why 'both were printed'")
    add(decide, decide_commands.alternates, "alternates", "deeplens decide alternates pics:a.jpg pics:a-mono.jpg")
    add(
        decide, decide_commands.approve, "approve",
        "deeplens decide approve pics:a.png share:old/a.jpg",
        "deeplens decide approve pics:logo.png --crowd",
    )  # fmt: skip
    add(decide, decide_commands.never_propose, "never-propose", "deeplens decide never-propose share:master.tif")
    add(decide, decide_commands.list_all, "list", "deeplens decide list", "deeplens decide list --withdrawn --json")
    add(decide, decide_commands.withdraw, "withdraw", "deeplens decide withdraw 12 13")
    add(decide, decide_commands.export, "export", "deeplens decide export decisions.csv")
    add(decide, decide_commands.import_file, "import", "deeplens decide import decisions.csv")


def _add_rules(app: typer.Typer) -> None:
    rules = new_group("rules")

    @rules.callback()
    def _rules(context: typer.Context) -> None:
        """Rules under a name: when a pair is a copy."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(rules)
    add(rules, rules_commands.list_all, "list", "deeplens rules list --versions")
    add(rules, rules_commands.show, "show", "deeplens rules show", "deeplens rules show archive@2 --json")
    add(
        rules, rules_commands.use, "use",
        "deeplens rules use archive", "deeplens rules use archive@2", "deeplens rules use --default",
    )  # fmt: skip
    add(rules, rules_commands.save, "save", "deeplens rules save archive --likelihood-min 0.99 --note 'as agreed'")
    add(
        rules,
        rules_commands.diff,
        "diff",
        "deeplens rules diff strict archive",
        "deeplens rules diff archive@1 archive",
    )
    add(rules, rules_commands.retire, "retire", "deeplens rules retire archive")
