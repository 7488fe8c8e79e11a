"""Asking a person before something happens that matters.

Takes a question, returns where the answer is yes; anything else ends the command with nothing done.
"""

from __future__ import annotations

import sys

import typer

from deeplens_kit.errors import SettingsError

__all__ = ["confirm", "typed"]


def confirm(question: str) -> None:
    """Ask yes or no.

    Raises:
        SettingsError: No, or nobody is there to ask.
    """
    _require_person("--yes")
    if not typer.confirm(question, default=False, err=True):
        raise SettingsError("Nothing was done.")


def typed(question: str, wanted: str, option: str) -> None:
    """Have a word typed.

    Args:
        question: What for.
        wanted: The word.
        option: Says it on the command line instead.

    Raises:
        SettingsError: Another word, or nobody is there to ask.
    """
    _require_person(f"{option} {wanted}")
    if typer.prompt(question, default="", show_default=False, err=True).strip() != wanted:
        raise SettingsError(f"That is not {wanted!r}; nothing was done.")


def _require_person(option: str) -> None:
    if not sys.stdin.isatty():
        raise SettingsError(f"Nobody is there to ask; give {option}. Nothing was done.")
