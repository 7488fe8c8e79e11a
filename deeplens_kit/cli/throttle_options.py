"""The options by which a command that works long is held back; takes what was given, gives a throttle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.sizes import given_bytes
from deeplens_kit.settings import MOST_NICENESS

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Throttle

__all__ = ["IoLimit", "MemoryLimit", "Nice", "throttle_of"]

Nice = Annotated[
    int | None,
    typer.Option("--nice", min=0, max=MOST_NICENESS, help="Step back for other programs: 0 not at all, 19 the most."),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option("--memory-limit", metavar="SIZE", help="The most memory that the run takes, for example 2GB."),
]
IoLimit = Annotated[
    str | None,
    typer.Option("--io-limit", metavar="SIZE", help="Read so much a second at most, for example 20MB."),
]


def throttle_of(nice: int | None, memory_limit: str | None, io_limit: str | None) -> Throttle:
    """What the options come to; a niceness holds for this process from now on.

    Raises:
        SettingsError: A size that cannot be read.
    """
    from deeplens_kit.pipeline import Throttle

    throttle = Throttle(
        niceness=nice,
        max_memory_bytes=given_bytes("--memory-limit", memory_limit),
        max_read_bytes_per_second=given_bytes("--io-limit", io_limit),
    )
    if nice:
        # The threads of the libraries too, which step back by themselves nowhere.
        os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    return throttle
