"""The pictures that are selected, as they are selected: what they add up to, and a gallery of them.

Takes the shared selection and the points of a map, gives something that Panel draws; must not select or compute.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.reporting.selection_words import add_up_selection, describe_selected, selected_points
from deeplens_kit.views.gallery import Gallery
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.views.state.selection import SelectionState

__all__ = ["SelectionView"]

_NOTHING = "Nothing is selected. Draw a box or a lasso around pictures on the map."


class SelectionView:
    """What is selected, and what it adds up to.

    Args:
        selection: Shared with the viewers that select.
        points: MAP_POINTS: what is known of each picture.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
    """

    def __init__(
        self, selection: SelectionState, points: pl.DataFrame, thumbnail: Callable[[str, int], bytes | None]
    ) -> None:
        from panel.layout import Column
        from panel.pane import HTML

        self._points = points
        self._selection = selection
        self._words = HTML("", stylesheets=[viewer_style()], sizing_mode="stretch_width", margin=(0, 0, 12, 0))
        self._gallery = Gallery(thumbnail, empty="No picture is selected.")
        self._layout = Column(self._words, self._gallery.__panel__(), sizing_mode="stretch_width")
        selection.param.watch(lambda _event: self._show(), ["digests"])
        self._show()

    def _show(self) -> None:
        selected = selected_points(self._points, self._selection.digests)
        said = add_up_selection(selected).sentence if selected.height else _NOTHING
        self._words.object = f'<p role="status" aria-live="polite">{escape(said)}</p>'
        self._gallery.show(describe_selected(selected))

    def __panel__(self) -> Viewable:
        return self._layout
