"""The command that serves the dashboards.

Takes a port, serves until it is stopped; must not listen anywhere but on this machine.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import print_lines

__all__ = ["serve"]

_DEFAULT_PORT = 5006


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(metavar="P", help="The port; 0 for any that is free.")] = _DEFAULT_PORT,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
) -> None:
    """Serve the dashboards to a browser on this machine: search by picture, and the duplicates. Ctrl-C ends it."""
    with opened(context) as workspace:
        from deeplens_kit import service

        def ready(url: str) -> None:
            print_lines([f"Serving on {url} (Ctrl-C ends it)"])
            sys.stdout.flush()
            if not no_open and _has_screen():
                webbrowser.open(url)

        service.serve(workspace, port=port, on_ready=ready)
    print_lines(["Stopped."])


def _has_screen() -> bool:
    """Whether somebody sits here who would see a browser open: never from a script, never over SSH."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
