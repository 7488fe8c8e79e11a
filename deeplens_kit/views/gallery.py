"""A gallery: pictures side by side with a few words each.

Takes a frame of what to show and a source of thumbnails, gives something that Panel draws in a notebook or a page;
must not choose or order the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.views.cards import image_source, message, picture_card, picture_grid
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

__all__ = ["MAX_PICTURES", "Gallery"]

MAX_PICTURES = 200
"""Cards at once; the thumbnails are within the page, about 10 kB each. What is left out is counted."""

# Cached sides; a card shows the smaller one at its size and sharp screens want the next.
_SIDE_PX = 300
_SHOWN_PX = 150


class Gallery:
    """Cards of pictures.

    Args:
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        empty: What to say where there is nothing to show.
        src: Where a server has the images, gives their addresses.
    """

    def __init__(
        self,
        thumbnail: Callable[[str, int], bytes | None],
        *,
        empty: str = "No pictures.",
        src: Callable[[str, int], str] | None = None,
    ) -> None:
        from panel.pane import HTML

        self._src = image_source(thumbnail, src)
        self._empty = empty
        self._pane = HTML(message(empty), stylesheets=[viewer_style()], sizing_mode="stretch_width")

    def show(self, rows: pl.DataFrame) -> None:
        """Replace the pictures.

        Args:
            rows: In the order to show. Columns: digest and title (texts), lines (list of texts); badge (text) if
                wanted: a tier, "keeper" or other words over the picture.
        """
        if rows.is_empty():
            self._pane.object = message(self._empty)
            return
        shown = rows.head(MAX_PICTURES)
        grid = picture_grid((self._card(row) for row in shown.iter_rows(named=True)), label="Pictures")
        left_out = rows.height - shown.height
        self._pane.object = grid + (f'<p class="more">and {left_out:,} more</p>' if left_out else "")

    def _card(self, row: dict[str, Any]) -> str:
        return picture_card(
            src=self._src(row["digest"], _SIDE_PX),
            title=row["title"],
            lines=row["lines"] or (),
            badge=row.get("badge") or "",
            alt=f"Preview of {row['title']}",
            side_px=_SHOWN_PX,
        )

    def __panel__(self) -> Viewable:
        return self._pane
