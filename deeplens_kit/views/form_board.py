"""A board with forms: HTML that Panel shows, whose buttons are heard together with what was filled in beside them.

Takes HTML that was escaped by whoever made it, gives a component that tells which button was pressed and the fields of
its form; must not hold state, or keep what was typed. A button says what it does by `data-act`, a form by the
`data-act` of its own what Enter does; an element with `data-change` tells when another value is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from deeplens_kit.views.theme import viewer_style

__all__ = ["Fields", "FormBoard"]

Fields = Mapping[str, tuple[str, ...]]
"""What was filled in: names of fields with all of their values."""

_MOST_FIELDS, _MOST_VALUES = 200, 1000


class FormBoard(JSComponent):
    """HTML with buttons and forms.

    Args:
        on_act: Told the `data-act` and the `data-value` of what was pressed, and the fields of its form.

    Attributes:
        html: What is shown.
        busy: Something is under way: what is shown is dimmed and its buttons rest.
    """

    html = param.String(default="")
    busy = param.Boolean(default=False)

    _esm = Path(__file__).with_name("form_board.js")

    def __init__(self, on_act: Callable[[str, str, Fields], Any] | None = None, **params: Any) -> None:
        sheet = files("deeplens_kit.views").joinpath("forms.css").read_text(encoding="utf-8")
        params = {"stylesheets": [viewer_style(), sheet], "sizing_mode": "stretch_width"} | params
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._on_act = on_act

    def _handle_msg(self, data: Any) -> None:
        """Tell of a button; what is no message of ours is passed over, for a page can send anything."""
        if self._on_act is None or self.busy or not isinstance(data, dict):
            return
        act, value, fields = data.get("act"), data.get("value", ""), _fields(data.get("fields", {}))
        if isinstance(act, str) and isinstance(value, str) and fields is not None:
            self._on_act(act, value, fields)


def _fields(given: Any) -> dict[str, tuple[str, ...]] | None:
    """What a page says of a form; None where it is none."""
    if not isinstance(given, dict) or len(given) > _MOST_FIELDS:
        return None
    for name, values in given.items():
        fits = isinstance(name, str) and isinstance(values, list) and len(values) <= _MOST_VALUES
        if not fits or not all(isinstance(value, str) for value in values):
            return None
    return {name: tuple(values) for name, values in given.items()}
