"""Groups of commands: how they are made, listed and ended.

Takes names and functions, gives typer groups; must not import a command.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from deeplens_kit.errors import Interrupted

__all__ = ["PipeClosed", "add_command", "built", "examples", "new_group", "show_help"]


class PipeClosed(Exception):
    """Whoever read our output has stopped reading."""


# The order in which a newcomer needs them; typer would put the groups last.
_ORDER = (
    "init",
    "locations",
    "index",
    "ingest",
    "watch",
    "status",
    "failures",
    "duplicates",
    "savings",
    "policy",
    "prices",
    "pairs",
    "search",
    "searches",
    "clusters",
    "compare",
    "explain",
    "label",
    "evaluate",
    "recommend",
    "decide",
    "rules",
    "plan",
    "apply",
    "undo",
    "quarantine",
    "certificate",
    "references",
    "retention",
    "workflows",
    "metadata",
    "tag",
    "collections",
    "models",
    "convert",
    "report",
    "schedule",
    "jobs",
    "serve",
    "users",
    "keys",
    "holds",
    "audit",
    "backup",
    "restore",
    "export",
    "forget",
    "kept-out",
    "upgrade",
    "catalog",
)


class _Group(TyperGroup):
    """A group that hands a closed pipe and an interrupt to our own boundary; typer would end the process by itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error
        except (KeyboardInterrupt, typer.Abort) as error:
            raise Interrupted("Interrupted; what was committed is kept.") from error


class _ActingGroup(_Group):
    """A group whose own name acts: `deeplens backup URL` means `deeplens backup make URL`."""

    acting = "make"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self.acting, *args]
        return super().parse_args(ctx, args)


def examples(*lines: str) -> str:
    """Examples as an epilogue: one to a line."""
    return "\n".join(["[bold]Examples[/bold]", *(f"  {line}" for line in lines)])


def new_group(name: str | None = None, *, acting: bool = False) -> typer.Typer:
    """A group of commands; without a name the one that holds all others.

    Args:
        name: Of the group.
        acting: Words after its name that are no command of it are arguments of its command "make".
    """
    return typer.Typer(
        name=name,
        cls=_ActingGroup if acting else _Group,
        invoke_without_command=True,
        add_completion=name is None,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )


def show_help(context: typer.Context) -> None:
    """Print the help of a group and end."""
    typer.echo(context.get_help())
    raise typer.Exit


def add_command(group: typer.Typer, command: Callable[..., None], name: str, *lines: str) -> None:
    """Add a command to a group, with examples below its help."""
    group.command(name, epilog=examples(*lines))(command)


@functools.cache
def built(app: typer.Typer, name: str) -> Any:
    """What runs the command, or group of commands, of this name; any other name gets what knows all of them.

    Each option of a command takes typer time to read, and there are hundreds: those of the others are left alone.
    """
    alone = copy.copy(app)
    alone.registered_commands = [one for one in app.registered_commands if one.name == name]
    alone.registered_groups = [
        one for one in app.registered_groups if one.typer_instance and one.typer_instance.info.name == name
    ]
    if alone.registered_commands or alone.registered_groups:
        return typer.main.get_command(alone)
    return built(app, "") if name else typer.main.get_command(app)
