"""The command that serves the dashboards and the API.

Takes how to serve, serves until it is stopped; must not decide what may be served where.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.tables import print_lines

__all__ = ["serve"]


class Only(StrEnum):
    """A part of what is served."""

    PAGES = "pages"
    API = "api"


class Access(StrEnum):
    """Whether one has to sign in."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


_ADDRESS_HELP = "Where to listen, in numbers; 127.0.0.1 unless the workspace says otherwise."
_ORIGIN_HELP = "The address by which browsers know this server, as https://pictures.example.org; may be repeated."
_PROXY_HELP = "Address or network of a proxy whose X-Forwarded-* is believed; may be repeated."
_WORKERS_HELP = "Processes that answer the API alone, at a port of their own."
_JOBS_HELP = "Processes that do jobs; 0 for none here."
_ACCESS_HELP = "Whether one has to sign in; off is for 127.0.0.1 alone."


def serve(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(metavar="P", help="The port; 0 for any that is free.")] = None,
    address: Annotated[str | None, typer.Option(metavar="A", help=_ADDRESS_HELP)] = None,
    origin: Annotated[list[str] | None, typer.Option(metavar="URL", help=_ORIGIN_HELP)] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="F", help="File of the certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="F", help="File of its private key.")] = None,
    behind_proxy: Annotated[list[str] | None, typer.Option(metavar="A", help=_PROXY_HELP)] = None,
    access: Annotated[Access | None, typer.Option(help=_ACCESS_HELP)] = None,
    only: Annotated[Only | None, typer.Option(help="Serve this part alone.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help=_WORKERS_HELP)] = None,
    api_port: Annotated[int | None, typer.Option(metavar="P", help="Their port; the one after --port.")] = None,
    job_workers: Annotated[int | None, typer.Option(metavar="N", help=_JOBS_HELP)] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
) -> None:
    """Serve the dashboards and the API: to a browser on this machine, or to others who sign in. Ctrl-C ends it."""
    with opened(context) as workspace:
        from deeplens_kit import service
        from deeplens_kit.service.settings import with_options

        def ready(url: str) -> None:
            print_lines([f"Serving on {url} (Ctrl-C ends it)"])
            sys.stdout.flush()
            if not no_open and only is not Only.API and _has_screen():
                webbrowser.open(url)

        settings = with_options(
            workspace.settings.service,
            port=port,
            address=address,
            origins=tuple(origin) if origin else None,
            tls_cert=str(tls_cert.absolute()) if tls_cert else None,
            tls_key=str(tls_key.absolute()) if tls_key else None,
            behind_proxy=tuple(behind_proxy) if behind_proxy else None,
            access=access.value if access else None,
            workers=workers,
            api_port=api_port,
            job_workers=job_workers,
        )
        part = service.Part(only.value) if only else service.Part.ALL
        json_logs = invocation(context).json_logs
        service.serve(workspace, settings=settings, part=part, json_logs=json_logs, on_ready=ready)
    print_lines(["Stopped."])


def _has_screen() -> bool:
    """Whether somebody sits here who would see a browser open: never from a script, never over SSH."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
