"""The edge of the process: every error becomes one line on standard error and an exit code.

Takes the words of a command line, gives an exit code; must not let a traceback reach a user who did not ask for it
with --verbose. An interrupted pipe is quiet, as with any command that feeds `head`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

import typer

from deeplens_kit.cli.app import app
from deeplens_kit.cli.command_groups import PipeClosed, built
from deeplens_kit.errors import DeepLensError, StoreFullError
from deeplens_kit.telemetry.redaction import redact

__all__ = ["EXIT_PIPE_CLOSED", "EXIT_UNEXPECTED", "run"]

# sysexits.h: an internal software error has been detected.
EXIT_UNEXPECTED = 70
# What a shell reports of a command that SIGPIPE ended.
EXIT_PIPE_CLOSED = 141

_VALUED = ("--workspace", "--log-format")
_FLAGS = ("--verbose",)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `deeplens`; None for those of the process.
    """
    first, rest = _global_options_first(sys.argv[1:] if arguments is None else list(arguments))
    words = first + rest
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is escaped; it must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = built(app, rest[0] if rest else "")(words, prog_name="deeplens", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except DeepLensError as error:
        return _say(str(error), error.exit_code)
    except typer.TyperException as error:
        return _say(_usage(error), error.exit_code)
    except (PipeClosed, BrokenPipeError):
        _silence(sys.stdout)
        return EXIT_PIPE_CLOSED
    except OSError as error:
        if error.errno not in _FULL:
            return _unexpected(error, verbose="--verbose" in words)
        _silence(sys.stdout)
        return _say(f"there is no space left to write the answer to: {error.strerror}.", StoreFullError.exit_code)
    except Exception as error:  # noqa: BLE001 - the edge of the process
        return _unexpected(error, verbose="--verbose" in words)


def _unexpected(error: Exception, *, verbose: bool) -> int:
    if verbose:
        with contextlib.suppress(OSError):
            sys.stderr.write(redact("".join(traceback.format_exception(error))))
        return _say(f"unexpected error: {type(error).__name__}.", EXIT_UNEXPECTED)
    message = f"unexpected error: {type(error).__name__}: {error}"
    return _say(f"{message}; run `deeplens --verbose` with the same words for the traceback.", EXIT_UNEXPECTED)


def _global_options_first(words: list[str]) -> tuple[list[str], list[str]]:
    """Let the global options stand anywhere: `deeplens index --workspace W` means `deeplens --workspace W index`.

    Returns:
        The global options, and the words of the command.
    """
    first: list[str] = []
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            rest += words[at:]
            break
        if word in _VALUED:
            first += words[at : at + 2]
            at += 1
        elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _VALUED)):
            first.append(word)
        else:
            rest.append(word)
        at += 1
    return first, rest


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see `{context.command_path} --help`." if context is not None else f"{message}."


def _say(message: str, code: int) -> int:
    line = " ".join(redact(message).split())
    with contextlib.suppress(OSError):
        sys.stderr.write(f"deeplens: {line}\n")
        sys.stderr.flush()
    return code


def _silence(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that closing the stream at exit does not complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
