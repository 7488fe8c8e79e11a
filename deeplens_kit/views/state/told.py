"""What a page tells of an act, and what it asks before one; takes words, gives frozen values, must not act."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Question", "Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an act, in words.

    Attributes:
        heading: In a few words; empty for nothing to tell.
        text: What it means, and what to do next.
        failed: It did not happen.
    """

    heading: str = ""
    text: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before an act that matters.

    Attributes:
        act: The act.
        value: What it is done with.
        heading: What would happen, with numbers.
        text: What that means, and whether it can be taken back.
        button: What the button says, a verb first.
        word: To be typed first; empty for nothing.
        note: What a note to it is called; empty for none.
        danger: It cannot be taken back.
    """

    act: str
    value: str
    heading: str
    text: str
    button: str
    word: str = ""
    note: str = ""
    danger: bool = False
