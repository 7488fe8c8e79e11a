"""What is wrong with a file, in words for a person, whatever its decoder calls that.

Takes what a decoder raised, gives half a sentence; must not claim more than was said: what is not known here stays in
the decoder's own words.
"""

from __future__ import annotations

import re

__all__ = ["CUT_OFF", "fault_words"]

CUT_OFF = "the file is cut off"
_DAMAGED = "its samples are damaged"

_MOST_CHARACTERS = 160  # of a decoder's own words

# A part of what a decoder says, in lower case -> what that means.
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"jxl_dec_need_more_input|insufficient input data|unexpected end of file|truncated data"), CUT_OFF),
    (re.compile(r"premature end of jpeg|cannot read full meta box|outside of file bounds|file is truncated"), CUT_OFF),
    (re.compile(r"^input/output error$"), "the file is cut off or damaged"),  # LibRaw, where it reads behind the end
    (
        re.compile(r"^decoder error -?\d+|^(unrecognized data stream contents|broken data stream)|jxl_dec_error"),
        _DAMAGED,
    ),
)


def fault_words(error: BaseException) -> str:
    """The words for an error, without a full stop, one line of at most 160 characters."""
    first = error.args[0] if error.args else None
    said = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error)
    words = " ".join(said.split())
    meaning = next((meaning for mark, meaning in _MEANINGS if mark.search(words.lower())), None)
    return meaning or words[:_MOST_CHARACTERS].rstrip(".") or type(error).__name__
