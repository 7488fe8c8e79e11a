"""What holds for one call of the command: which workspace, how to log, how to answer.

Takes the context of a command, gives the opened workspace; must not answer anything itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import typer

from deeplens_kit.settings import WORKSPACE_VARIABLE

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["STANDARD_OUTPUT", "WORKSPACE_VARIABLE", "Invocation", "folder_of", "invocation", "logging_on", "opened"]

STANDARD_OUTPUT = Path("-")
"""In place of a file: standard output."""

_LOCAL = "file://"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options of one call.

    Attributes:
        workspace: Folder of the workspace.
        named: Whether the user named it; else it is the current folder.
        json_logs: Log lines as JSON.
        verbose: Show more of them.
        correlation_id: On every log line of this call.
    """

    workspace: Path
    named: bool
    json_logs: bool
    verbose: bool
    correlation_id: str


def invocation(context: typer.Context) -> Invocation:
    """The global options of a command's context."""
    options: Invocation = context.find_object(Invocation)  # type: ignore[assignment]
    return options


@contextmanager
def logging_on(context: typer.Context) -> Iterator[Invocation]:
    """Set up logging for a command; its lines bear the call's correlation id."""
    from deeplens_kit.telemetry import bound_context, configure_logging

    options = invocation(context)
    # For people, what went well is in the answer; a machine that reads JSON lines wants all events.
    level = "debug" if options.verbose else "info" if options.json_logs else "warning"
    configure_logging(json=options.json_logs, level=level)  # type: ignore[arg-type]
    with bound_context(correlation_id=options.correlation_id):
        yield options


@contextmanager
def opened(context: typer.Context, *targets: Path | None) -> Iterator[Workspace]:
    """Open the workspace of a command's context, with logging on.

    Args:
        context: Of the command.
        targets: Files that the command will write, as the user named them.

    Raises:
        WorkspaceMissingError: The folder is no workspace.
        WorkspaceSchemaError: It was made by another version.
        SettingsError: A target lies in a location or among the workspace's own files.
    """
    with logging_on(context) as options:
        from deeplens_kit.pipeline import Workspace
        from deeplens_kit.reporting.precious import refuse_precious

        with Workspace.open(options.workspace) as workspace:
            for target in targets:
                if target is not None and target != STANDARD_OUTPUT:
                    refuse_precious(workspace, target)
            yield workspace


def folder_of(url: str) -> Path | None:
    """The local folder that a URL names, to be held against what DeepLens looks after; None for one elsewhere."""
    if url.startswith(_LOCAL):
        return Path(os.fsdecode(unquote_to_bytes(url.removeprefix(_LOCAL))))
    return Path(url).expanduser().absolute() if "://" not in url else None
