"""Where a picture is dropped, chosen or pasted.

Takes files from a browser in pieces, gives whole ones; must not look into them. A file above the limit is refused
before a byte of it is sent, and once more here: a page can be made to send anything. Each piece is sent when the one
before it has arrived, so that no message nears the 20 MB at which Tornado ends a connection, and a slow link does not
fill the memory of the browser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param

from deeplens_kit.reporting.words import format_bytes
from deeplens_kit.views.heard import HeardComponent, with_hearing
from deeplens_kit.views.state.search_state import MAX_UPLOAD_BYTES, too_large
from deeplens_kit.views.theme import viewer_style

__all__ = ["PictureDrop"]

_PIECE_BYTES = 2**20


class PictureDrop(HeardComponent):
    """A place for one picture at a time; the next replaces it.

    Args:
        on_picture: Given the bytes and the name of a file that has arrived.
        on_refused: Told why a file was not taken, and its name.

    Attributes:
        max_bytes: Larger files are refused; inclusive.
        limit_words: The same for people.
        kept_words: What becomes of a picture, in a sentence.
        piece_bytes: Bytes in a message.
        busy: A search is under way.
        compact: Take little room: a picture was given already.
    """

    max_bytes = param.Integer(default=MAX_UPLOAD_BYTES)
    limit_words = param.String(default="")
    kept_words = param.String(default="It is not kept.")
    piece_bytes = param.Integer(default=_PIECE_BYTES)
    busy = param.Boolean(default=False)
    compact = param.Boolean(default=False)

    _esm = with_hearing("picture_drop.js")

    def __init__(
        self, on_picture: Callable[[bytes, str], Any], on_refused: Callable[[str, str], Any], **params: Any
    ) -> None:
        params = {"stylesheets": [viewer_style()], "sizing_mode": "stretch_width"} | params
        super().__init__(**params)
        self.limit_words = format_bytes(self.max_bytes)
        self._on_picture, self._on_refused = on_picture, on_refused
        self._number = 0
        self._name = ""
        self._size = 0
        self._arrived = bytearray()

    def _handle_msg(self, data: Any) -> None:
        """Take the start or a piece of a file, and ask for what follows; anything else is passed over."""
        if not isinstance(data, dict):
            return
        kind = data.get("kind")
        if kind == "piece":
            self._piece(data)
        elif kind in ("start", "refused"):
            self._start(data)

    def _start(self, data: dict[str, Any]) -> None:
        name, size, number = data.get("name"), data.get("size"), data.get("number", 0)
        if not isinstance(name, str) or not isinstance(size, int) or not isinstance(number, int):
            return
        self._number, self._name, self._size, self._arrived = number, name, size, bytearray()
        if size > self.max_bytes:
            self._end()
            self._on_refused(too_large(name, size, self.max_bytes), name)
        elif size <= 0:
            self._end()
            self._on_refused(f"{name} is empty: 0 bytes. Choose a file that holds a picture.", name)
        else:
            self._send_msg({"number": number, "next": 0})

    def _piece(self, data: dict[str, Any]) -> None:
        content = data.get("data")
        if data.get("number") != self._number or not self._size or not isinstance(content, bytes | bytearray):
            return
        self._arrived += content
        if len(self._arrived) > self._size or not content:
            # Not what was announced: the page is not ours, or the file changed while it was sent.
            name = self._name
            self._end()
            self._on_refused(f"{name} changed while it was sent. Choose it again.", name)
        elif len(self._arrived) < self._size:
            self._send_msg({"number": self._number, "next": len(self._arrived)})
        else:
            whole, name = bytes(self._arrived), self._name
            self._end()
            self._on_picture(whole, name)

    def _end(self) -> None:
        self._send_msg({"number": self._number})
        self._size, self._arrived = 0, bytearray()
