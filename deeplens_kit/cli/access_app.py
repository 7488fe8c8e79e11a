"""The commands about who may sign in, put together.

Takes the application, adds `users` and `keys`; must not import what a single command needs.
"""

from __future__ import annotations

import typer

from deeplens_kit.cli import access_commands as access
from deeplens_kit.cli.command_groups import add_command as add
from deeplens_kit.cli.command_groups import new_group, show_help

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    users = new_group("users")

    @users.callback()
    def _users(context: typer.Context) -> None:
        """Say who may sign in to a server, and what they may do."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(users)
    add(
        users, access.invite_user, "invite",
        "deeplens users invite ana --role admin",
        "deeplens users invite bo --role analyst --url https://pictures.example.org",
    )  # fmt: skip
    add(users, access.list_users, "list", "deeplens users list", "deeplens users list --json")
    add(users, access.set_role, "role", "deeplens users role bo approver")
    add(users, access.disable, "disable", "deeplens users disable bo")
    add(users, access.enable, "enable", "deeplens users enable bo")
    add(
        users, access.make_reset_link, "reset-link",
        "deeplens users reset-link bo", "deeplens users reset-link bo --keep-keys",
    )  # fmt: skip
    add(users, access.sign_out, "sign-out", "deeplens users sign-out bo")
    keys = new_group("keys")

    @keys.callback()
    def _keys(context: typer.Context) -> None:
        """Make API keys, by which programs ask a server in the name of a user."""
        if context.invoked_subcommand is None:
            show_help(context)

    app.add_typer(keys)
    add(
        keys, access.new_key, "make",
        "deeplens keys make nightly --user bo --scope search:read",
        "deeplens keys make scanner --user bo --scope images:read --scope images:write --expires 90d",
    )  # fmt: skip
    add(keys, access.list_keys, "list", "deeplens keys list", "deeplens keys list --user bo --revoked")
    add(keys, access.revoke_key, "revoke", "deeplens keys revoke 3fa81c02d4e5f607")
