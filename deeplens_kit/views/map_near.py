"""The pictures that are most like the one that is pinned on a map, by their vectors: each a button that points at it.

Takes the state of a map and a source of alike pictures, gives something that Panel draws; must not compare pictures
itself. They are asked for off the event loop, and what was asked for last is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.selection_words import selected_points
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message
from deeplens_kit.views.map_words import near_html
from deeplens_kit.views.state.map_state import MapState

if TYPE_CHECKING:
    import polars as pl
    from panel.viewable import Viewable

__all__ = ["NearPictures"]

_MOST = 8
_SIDE_PX = 150


class NearPictures:
    """Alike pictures beside a map; nothing where no source of them is given.

    Args:
        state: Of the map.
        src: Gives the address of an image for a digest and a side in pixels.
        nearest: Gives digest and cosine of the most alike of a digest, so many at most.
        sheets: Style sheets.
    """

    def __init__(
        self,
        state: MapState,
        src: Callable[[str, int], str],
        nearest: Callable[[str, int], pl.DataFrame] | None,
        sheets: Sequence[str],
    ) -> None:
        self._state, self._src, self._nearest = state, src, nearest
        self._board = Board(self._act, stylesheets=list(sheets))
        self._asked = ""
        if nearest is not None:
            state.param.watch(lambda *_: self._show(), ["pointed", "pinned"])
            self._show()

    def __panel__(self) -> Viewable:
        board: Viewable = self._board
        return board

    def _act(self, act: str, value: str) -> None:
        if act == "point":
            self._state.pin(value)
        elif act == "let_go":
            self._state.pinned = False

    def _show(self) -> None:
        wanted = self._state.pointed if self._state.pinned else ""
        if wanted == self._asked:
            return
        self._asked = wanted
        self._board.html = self._html(None)
        if wanted:
            import panel as pn

            pn.state.execute(self._fetch)

    async def _fetch(self) -> None:
        asked = self._asked
        try:
            shown = self._html(await asyncio.to_thread(self._rows, asked))
        except DeepLensError as error:
            shown = message("It cannot be compared", str(error), kind="problem")
        if asked and asked == self._asked:
            self._board.html = shown

    def _rows(self, digest: str) -> list[tuple[str, str, float, str]]:
        """Digest, name, cosine and address of the image of those on the map that are most like a picture."""
        if self._nearest is None or not digest:
            return []
        found = self._nearest(digest, _MOST)
        points = selected_points(self._state.points, found["digest"].to_list()).join(found, on="digest", how="left")
        return [
            (
                row["digest"],
                display_path(row["path"].rpartition("/")[2]),
                row["cosine"],
                self._src(row["digest"], _SIDE_PX),
            )
            for row in points.iter_rows(named=True)
        ]

    def _html(self, rows: list[tuple[str, str, float, str]] | None) -> str:
        found = self._state.picture_map
        return near_html(rows, pinned=bool(self._asked), feature=found.feature if found else "")
