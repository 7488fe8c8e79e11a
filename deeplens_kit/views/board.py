"""A board: HTML that Panel shows, whose buttons are heard.

Takes HTML that was escaped by whoever made it, gives a component that tells which button was pressed; must not hold
state. A button says what it does by `data-act` and with what by `data-value`; an element with `data-focus` is given the
focus when it appears, so that who uses the keyboard stays where something happened, and while it is there a key presses
the button that has it as `data-key`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param

from deeplens_kit.views.heard import HeardComponent, with_hearing
from deeplens_kit.views.theme import viewer_style

__all__ = ["Board"]


class Board(HeardComponent):
    """HTML with buttons.

    Args:
        on_act: Told the `data-act` and the `data-value` of a button that was pressed; may be a coroutine function.

    Attributes:
        html: What is shown.
        busy: Something is under way: what is shown is dimmed and its buttons rest.
    """

    html = param.String(default="")
    busy = param.Boolean(default=False)

    _esm = with_hearing("board.js")

    def __init__(self, on_act: Callable[[str, str], Any] | None = None, **params: Any) -> None:
        params = {"stylesheets": [viewer_style()], "sizing_mode": "stretch_width"} | params
        super().__init__(**params)
        self._on_act = on_act

    def _handle_msg(self, data: Any) -> None:
        """Tell of a button; what is no message of ours is passed over, for a page can send anything."""
        if self._on_act is None or not isinstance(data, dict):
            return
        act, value = data.get("act"), data.get("value", "")
        if isinstance(act, str) and isinstance(value, str):
            self._on_act(act, value)
