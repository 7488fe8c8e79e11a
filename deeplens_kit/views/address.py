"""The address of a page: what is asked stands in it, so that a link to it can be passed on and "back" goes back.

Takes what stands behind the question mark, gives an invisible component that writes it into the browser's address and
tells when a person goes back or forth; must not know what it means.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

__all__ = ["Address"]

# Browsers and proxies cut longer ones.
_LONGEST = 4_000


class Address(JSComponent):
    """The part of the address behind the question mark.

    Args:
        on_back: Told the text when somebody goes back or forth in the history of the browser.

    Attributes:
        text: As it stands, without the question mark.
        is_new: The last change is a step of its own: "back" leads to what was before it.
        turn: Number of changes that the page made.
    """

    text = param.String(default="")
    is_new = param.Boolean(default=False)
    turn = param.Integer(default=0)

    _esm = Path(__file__).with_name("address.js")

    def __init__(self, on_back: Callable[[str], Any] | None = None, **params: Any) -> None:
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._on_back = on_back

    def push(self, text: str) -> None:
        """Make this the address, as a step of its own."""
        self._write(text, is_new=True)

    def replace(self, text: str) -> None:
        """Make this the address in the place of the present one, as for a filter that slides."""
        self._write(text, is_new=False)

    def _write(self, text: str, *, is_new: bool) -> None:
        if text == self.text or len(text) > _LONGEST:
            return
        self.param.update(text=text, is_new=is_new)
        self.turn += 1

    def _handle_msg(self, data: Any) -> None:
        text = data.get("text") if isinstance(data, dict) else None
        if self._on_back is None or not isinstance(text, str) or len(text) > _LONGEST:
            return
        self.text = text
        self._on_back(text)
