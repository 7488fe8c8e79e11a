"""A process that answers the API alone, as a server starts several of them on one socket.

Takes the folder of a workspace, an inherited socket and how it is served; says "ready" on standard output when it
answers. Must not serve pages: a page's session lives in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.errors import DeepLensError
from deeplens_kit.service.processes import READY, ChildSpec
from deeplens_kit.settings import ServiceSettings
from deeplens_kit.telemetry import configure_logging, redact

if TYPE_CHECKING:
    from deeplens_kit.service.context import Service

__all__ = ["api_child", "main"]


def api_child(name: str, service: Service, taken: socket.socket, *, json_logs: bool = False) -> ChildSpec:
    """What to start for a worker of the API.

    Args:
        name: What to call it.
        service: As the server's own process has it.
        taken: The socket, which listens.
        json_logs: Write log lines as JSON.
    """
    told = {"settings": asdict(service.settings), "hosts": sorted(service.hosts), "origins": sorted(service.origins)}
    words = [sys.executable, "-m", __name__]
    words += ["--workspace", str(service.workspace.directory), "--fd", str(taken.fileno()), "--told", json.dumps(told)]
    return ChildSpec(name, (*words, *(["--json-logs"] if json_logs else [])), (taken.fileno(),))


def main(arguments: list[str] | None = None) -> int:
    """Answer the API until it is stopped; gives an exit code."""
    parser = argparse.ArgumentParser(description="Answer the API of a workspace.")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True, help="Of a socket that listens.")
    parser.add_argument("--told", required=True, help="How it is served, as JSON.")
    parser.add_argument("--json-logs", action="store_true")
    given = parser.parse_args(arguments)
    configure_logging(json=given.json_logs)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _answer(given.workspace, socket.socket(fileno=given.fd), json.loads(given.told))
    except DeepLensError as error:
        sys.stderr.write(f"{redact(str(error))}\n")
        return error.exit_code
    return 0


def _answer(folder: Path, taken: socket.socket, told: dict[str, dict[str, object]]) -> None:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.application import make_application
    from deeplens_kit.service.context import Service
    from deeplens_kit.service.desk import BELIEVED_SECONDS, Desk
    from deeplens_kit.service.server import run

    values = {name: tuple(value) if isinstance(value, list) else value for name, value in told["settings"].items()}
    with Workspace.open(folder) as workspace:
        desk = Desk(workspace, has_thumbnail_route=True, asks_every_seconds=BELIEVED_SECONDS)
        desk.warm()
        service = Service(workspace, desk, ServiceSettings(**values))  # type: ignore[arg-type]
        service.hosts, service.origins = frozenset(told["hosts"]), frozenset(told["origins"])
        application = make_application(service, pages=False)
        run(service, application, taken, _say_ready, is_shared=service.settings.workers > 1)


def _say_ready(_url: str) -> None:
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """End in good order when standard input is closed: whoever started us is gone."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
