"""Short notices in a corner of a page: that something was done, or was not.

Takes a sentence, shows it for a while; must not be the only place of what somebody has to know.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["notice"]

_SHOWN_MILLISECONDS = {"done": 5_000, "note": 8_000, "problem": 12_000}


def notice(text: str, *, kind: Literal["done", "note", "problem"] = "done") -> None:
    """Tell who sees the page; without a page, as in a notebook or a test, nothing is told.

    Args:
        text: A sentence; it is text and never markup.
        kind: "done" (it worked), "note" (worth knowing) or "problem" (it did not).
    """
    from html import escape

    from panel.io.state import state

    if state.curdoc is None or state.notifications is None:
        return
    tell = {"done": state.notifications.success, "note": state.notifications.info, "problem": state.notifications.error}
    tell[kind](escape(text), duration=_SHOWN_MILLISECONDS[kind])  # type: ignore[no-untyped-call]
