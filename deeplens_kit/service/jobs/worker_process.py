"""A worker as a process of its own, as a server starts it.

Takes the folder of a workspace and how many jobs of each resource to do at a time; says "ready" on standard output when
it takes jobs. Must not print anything else there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import Resource
from deeplens_kit.service.jobs.worker import run_worker
from deeplens_kit.telemetry import configure_logging, redact

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do jobs until it is stopped; gives an exit code."""
    parser = argparse.ArgumentParser(description="Do jobs of a workspace.")
    parser.add_argument("--workspace", type=Path, required=True)
    for resource in Resource:
        parser.add_argument(f"--{resource}", type=int, help="By default as the settings say.")
    parser.add_argument("--with-parent", action="store_true", help="End when standard input is closed.")
    parser.add_argument("--json-logs", action="store_true")
    given = parser.parse_args(arguments)
    configure_logging(json=given.json_logs)
    asked = {resource: getattr(given, resource.value) for resource in Resource}
    places = {resource: places for resource, places in asked.items() if places is not None}
    try:
        run_worker(given.workspace, places, with_parent=given.with_parent, on_ready=_say_ready)
    except DeepLensError as error:
        sys.stderr.write(f"{redact(str(error))}\n")
        return error.exit_code
    return 0


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
