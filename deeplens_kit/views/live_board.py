"""A board that changes while somebody works on it: buttons, boxes, lists, short forms, and cards walked by arrow keys.

Takes HTML that was escaped by whoever made it, gives a component that tells what was done on it; must not hold state.
When it is drawn anew, the focus, what is unfolded and how far a list is scrolled stay, by the `id` of the element.
Besides what a `Board` hears it hears boxes and lists with `data-act` (`on`, `text`) and forms with `data-act`
(`fields`). An element with `data-card` is one stop of the Tab key among all of them: arrows go to the others, Space
ticks its box, and letters press the button within it that has the letter as `data-key`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deeplens_kit.views.board import Board
from deeplens_kit.views.heard import with_hearing

__all__ = ["BoardAct", "LiveBoard"]

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class BoardAct:
    """What somebody did on a board.

    Attributes:
        act: The `data-act` of the element.
        value: Its `data-value`.
        text: What a list or box has now.
        on: A box is ticked.
        cards: The cards between this one and the one before, where Shift was held.
        fields: Of a form, by name.
    """

    act: str
    value: str = ""
    text: str = ""
    on: bool = False
    cards: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


class LiveBoard(Board):
    """HTML with buttons, boxes and forms.

    Args:
        on_act: Told what was done.
    """

    _esm = with_hearing("live_board.js")

    def __init__(self, on_act: Callable[[BoardAct], Any] | None = None, **params: Any) -> None:
        super().__init__(None, **params)
        self._on_live_act = on_act

    def _handle_msg(self, data: Any) -> None:
        """Tell what was done; what is no message of ours is passed over, for a page can send anything."""
        if self._on_live_act is None or not isinstance(data, dict):
            return
        act, value, text = data.get("act"), data.get("value", ""), data.get("text", "")
        cards, fields = data.get("all", []), data.get("fields", {})
        if not (isinstance(act, str) and isinstance(value, str) and isinstance(text, str)):
            return
        if not isinstance(cards, list) or len(cards) > _MOST or not isinstance(fields, dict) or len(fields) > _MOST:
            return
        told = {str(name): given for name, given in fields.items() if isinstance(given, str)}
        self._on_live_act(BoardAct(act, value, text, data.get("on") is True, tuple(filter(_is_text, cards)), told))


def _is_text(value: object) -> bool:
    return isinstance(value, str)
