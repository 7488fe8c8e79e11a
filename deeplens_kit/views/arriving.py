"""What a part of a page shows while it is being read, when there is nothing, and when reading it failed.

Takes a slow function and what to draw of its answer, gives a Panel component; must not read on the event loop: what one
visitor waits for must not hold up the pages of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message
from deeplens_kit.views.state.search_state import UNEXPECTED

__all__ = ["Arriving"]

_Found = TypeVar("_Found")
_AGAIN = '<p class="acts"><button type="button" data-act="again">Try again</button></p>'


class Arriving(Generic[_Found]):
    """A part of a page that is read first: a message, and then what was read.

    Args:
        load: Reads, on a thread of its own; what it raises of ours is told with a button to try again.
        show: Gives the component, on the event loop.
        waiting: What is being read, as "Reading the groups".
        empty: Gives a heading and a text where what was read is nothing to show; else None.
        problem: Heading for what goes wrong.

    Attributes:
        found: What was read; None until it is.
    """

    def __init__(
        self,
        load: Callable[[], _Found],
        show: Callable[[_Found], pn.viewable.Viewable],
        *,
        waiting: str,
        empty: Callable[[_Found], tuple[str, str] | None] = lambda _found: None,
        problem: str = "This cannot be shown",
    ) -> None:
        self._load, self._show, self._waiting, self._empty, self._problem = load, show, waiting, empty, problem
        self.found: _Found | None = None
        self._board = Board(self._act, html=message(f"{waiting}…", kind="busy"))
        self._holder = pn.Column(self._board, sizing_mode="stretch_width", min_height=200)
        pn.state.onload(self.read)

    def __panel__(self) -> pn.viewable.Viewable:
        """The place of the part."""
        return self._holder

    async def read(self) -> None:
        """Read, or read anew, and show what came of it."""
        self._say(message(f"{self._waiting}…", kind="busy"))
        try:
            found = await asyncio.to_thread(self._load)
        except DeepLensError as error:
            self._say(message(self._problem, str(error), kind="problem") + _AGAIN)
            return
        except Exception:
            self._say(message(self._problem, UNEXPECTED, kind="problem") + _AGAIN)
            raise
        self.found = found
        nothing = self._empty(found)
        if nothing is not None:
            self._say(message(*nothing))
            return
        self._holder[:] = [self._show(found)]

    def _say(self, html: str) -> None:
        self._board.html = html
        self._holder[:] = [self._board]

    def _act(self, act: str, _value: str) -> None:
        if act == "again":
            pn.state.execute(self.read)
