"""What is said beside an answer: how far it can be trusted.

Takes sentences that the pipeline gives, prints them to standard error; must not look into the stores itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

__all__ = ["say_notes"]


def say_notes(notes: Sequence[str]) -> None:
    """Print sentences to standard error, so that they are seen and no table or document holds them."""
    for note in notes:
        typer.echo(note, err=True)
