"""A desk for labels: what is asked, the pair looked at closely, and the other pairs, worked with buttons or keys.

Takes HTML that was escaped by whoever made it and the viewer of a pair, gives a component that tells which button was
pressed; must not hold state. A button says what it does by `data-act`, with what by `data-value`, and by which key by
`aria-keyshortcuts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param
from panel.viewable import Child

from deeplens_kit.views.heard import READY, HeardComponent, with_hearing

__all__ = ["LabelDesk"]


class LabelDesk(HeardComponent):
    """HTML with buttons and keys around the viewer of a pair.

    Args:
        on_act: Told the `data-act` and the `data-value` of a button that was pressed; "way" with "1" to "4" for keys
            that mean a way to look, and "ready" once it is drawn.

    Attributes:
        above: What is shown above the viewer.
        closer: The viewer of a pair.
        below: What is shown beneath it.
    """

    above = param.String(default="")
    closer = Child()
    below = param.String(default="")

    _esm = with_hearing("label_desk.js")

    def __init__(self, on_act: Callable[[str, str], Any], **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", **params})
        self._on_act = on_act

    def _handle_msg(self, data: Any) -> None:
        """Hear a button; what is no message of ours is passed over, for a page can send anything."""
        if not isinstance(data, dict):
            return
        act, value = data.get("act"), data.get("value", "")
        if isinstance(act, str) and isinstance(value, str):
            self._on_act(act, value)

    def on_drawn(self) -> None:
        """Tell of it as of a button."""
        self._on_act(READY, "")
