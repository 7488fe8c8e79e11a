"""What holds for one call of the command: which workspace, how to log, how to answer.

Takes the context of a command, gives the opened workspace; must not answer anything itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["WORKSPACE_VARIABLE", "Invocation", "invocation", "logging_on", "opened"]

WORKSPACE_VARIABLE = "DEEPLENS_WORKSPACE"


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
def opened(context: typer.Context) -> Iterator[Workspace]:
    """Open the workspace of a command's context, with logging on.

    Raises:
        WorkspaceMissingError: The folder is no workspace.
        WorkspaceSchemaError: It was made by another version.
    """
    with logging_on(context) as options:
        from deeplens_kit.pipeline import Workspace

        with Workspace.open(options.workspace) as workspace:
            yield workspace
