"""The command `deeplens`: arguments in, an answer on standard output, an exit code.

Takes a command line, gives tables, JSON or CSV on standard output and everything else on standard error; must not
compute anything that the pipeline does not. Libraries load in the command that needs them, so that help is quick.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; see `deeplens_kit.errors` for what the codes mean.

    Args:
        arguments: The words after `deeplens`; None for those of the process.
    """
    from deeplens_kit.cli.boundary import run

    return run(arguments)
