"""A board whose buttons have keys and whose pictures arrive when they are needed.

Takes HTML that was escaped by whoever made it and a source of thumbnails, gives a component that tells which button was
pressed; must not hold state. A button says what it does by `data-act`, with what by `data-value`, and by which key by
`aria-keyshortcuts`; keys count while the focus is within. An image with a `picture_address` is fetched.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import param
from panel.viewable import Child

from deeplens_kit.views.cards import picture_src
from deeplens_kit.views.heard import HeardComponent, with_hearing

__all__ = ["ReviewBoard"]

_AT_ONCE = 6
_MOST_ASKED = 400
# A page of groups and the pictures of one: about half a megabyte.
_MOST_EMBEDDED = 60
_ADDRESS = re.compile('src="picture:([0-9a-f]{64})/([0-9]+)"')


class ReviewBoard(HeardComponent):
    """HTML with buttons, keys and pictures.

    Args:
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None; called off the event loop.
        on_act: Told the `data-act` and the `data-value` of a button that was pressed.
        src: Where a server has the images, gives their addresses; then none is sent.

    Attributes:
        html: What is shown.
        pictures: Sources of the pictures that show first, by DIGEST/SIDE; what a saved notebook keeps.
        closer: A viewer that is put where an element has `data-closer`; None for none.
        busy: Something is under way: what is shown is dimmed and its buttons rest.
        eager: It takes the focus when it appears, so that keys count at once.
    """

    html = param.String(default="")
    pictures = param.Dict(default={})
    closer = Child()
    busy = param.Boolean(default=False)
    eager = param.Boolean(default=False)

    _esm = with_hearing("review_board.js")

    def __init__(
        self,
        thumbnail: Callable[[str, int], bytes | None],
        on_act: Callable[[str, str], Any],
        src: Callable[[str, int], str] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", **params})
        self._thumbnail, self._on_act, self._src = thumbnail, on_act, src

    def put(self, html: str) -> None:
        """Show something else."""
        src = self._src
        if src is not None:
            html = _ADDRESS.sub(lambda found: f'src="{escape(src(found[1], int(found[2])))}"', html)
        self.html = html

    def source(self, key: str) -> str:
        """The source of the picture DIGEST/SIDE; a placeholder where there is none."""
        digest, _, side = key.partition("/")
        return picture_src(self._thumbnail(digest, int(side)))

    def embed_first(self) -> None:
        """Put the pictures that show now into the component, so that they are there at once and in a saved notebook."""
        found = dict.fromkeys("/".join(found) for found in _ADDRESS.findall(self.html))
        self.pictures = {key: self.source(key) for key in list(found)[:_MOST_EMBEDDED]}

    def _handle_msg(self, data: Any) -> None:
        """Hear a button or a wish for pictures; what is no message of ours is passed over."""
        if not isinstance(data, dict):
            return
        wanted = data.get("want")
        if isinstance(wanted, list):
            keys = [key for key in wanted[:_MOST_ASKED] if isinstance(key, str) and _is_key(key)]
            import panel as pn

            pn.state.execute(partial(self._fetch, keys))
            return
        act, value = data.get("act"), data.get("value", "")
        if isinstance(act, str) and isinstance(value, str):
            self._on_act(act, value)

    async def _fetch(self, keys: list[str]) -> None:
        """Send the pictures that were asked for, some at a time."""
        for first in range(0, len(keys), _AT_ONCE):
            part = keys[first : first + _AT_ONCE]
            found = await asyncio.to_thread(self._sources, part)
            self._send_msg({"pictures": found})

    def _sources(self, keys: list[str]) -> dict[str, str]:
        return {key: self.source(key) for key in keys}


def _is_key(text: str) -> bool:
    digest, _, side = text.partition("/")
    return len(digest) == 64 and set(digest) <= set("0123456789abcdef") and side in ("150", "300", "600")
