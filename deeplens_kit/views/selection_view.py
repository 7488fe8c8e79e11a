"""The pictures that are selected, as they are selected: what they add up to, a gallery, and what can be done with them.

Takes the shared selection and the points of a map, gives something that Panel draws; must not select or compute. Its
buttons make records that can be taken back: no file is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.selection_files import SELECTION_ENDINGS, selection_file
from deeplens_kit.reporting.selection_words import add_up_selection, describe_selected, selected_points
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import image_source
from deeplens_kit.views.file_saver import FileSaver
from deeplens_kit.views.gallery import Gallery
from deeplens_kit.views.selection_cards import acts_html, outcome_html, pair_html
from deeplens_kit.views.state.selection_desk import COPY_TIERS, EQUAL_TIERS, SelectionActs, SelectionDesk
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.views.state.selection import SelectionState

__all__ = ["SelectionView"]

_Answer = TypeVar("_Answer")

_NONE = "There is no picture to select."
_NOTHING = "Nothing is selected. Draw a box or a lasso around pictures on the map."


class PairCloser(Protocol):
    """A viewer of one pair, see `PairView`."""

    def show(self, digest_a: str, digest_b: str) -> None:
        """Show two pictures."""

    def __panel__(self) -> Viewable:
        """What Panel draws."""


class SelectionView:
    """What is selected, what it adds up to, and what can be done with it.

    Args:
        selection: Shared with the viewers that select.
        points: MAP_POINTS: what is known of each picture.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        acts: Labels, keeps and plans for pictures, as a workbench does; None for a view that only looks.
        closer: Shows a pair that is being labelled closely; None for both pictures side by side alone.
        src: Where a server has the images, gives their addresses.
    """

    def __init__(
        self,
        selection: SelectionState,
        points: pl.DataFrame,
        thumbnail: Callable[[str, int], bytes | None],
        acts: SelectionActs | None = None,
        closer: PairCloser | None = None,
        src: Callable[[str, int], str] | None = None,
    ) -> None:
        from panel.layout import Column

        self._points, self._selection, self._src = points, selection, image_source(thumbnail, src)
        self._closer = closer
        self._desk = SelectionDesk(selection, acts) if acts is not None else None
        self._words = Board(margin=(0, 0, 12, 0))
        self._gallery = Gallery(thumbnail, empty="No picture is selected.", src=src)
        sheets = [viewer_style(), files("deeplens_kit.views").joinpath("map.css").read_text(encoding="utf-8")]
        self._acts = Board(self._act, margin=(0, 0, 8, 0))
        self._told = Board(self._act, stylesheets=sheets, margin=(0, 0, 12, 0))
        self._files = FileSaver()
        self._close = Column(sizing_mode="stretch_width")
        parts: list[Any] = [self._words]
        if self._desk is not None:
            parts += [self._acts, self._files, self._told, self._close]
            self._desk.param.watch(lambda *_: self._tell(), ["outcome", "pair", "left", "busy"])
        # A ground of its own, as the map has.
        self._layout = Column(
            *parts, self._gallery.__panel__(), sizing_mode="stretch_width", stylesheets=[viewer_style()],
            styles={"background": "var(--page)", "padding": "16px"},
        )  # fmt: skip
        selection.param.watch(lambda _event: self._show(), ["digests"])
        self._show()

    def __panel__(self) -> Viewable:
        return self._layout

    @property
    def _selected(self) -> pl.DataFrame:
        return selected_points(self._points, self._selection.digests)

    def _show(self) -> None:
        selected = self._selected
        nothing = _NONE if self._points.is_empty() else _NOTHING
        said = add_up_selection(selected).sentence if selected.height else nothing
        self._words.html = f'<p role="status" aria-live="polite">{escape(said)}</p>'
        self._gallery.show(describe_selected(selected))
        self._acts.html = acts_html(selected) if selected.height else ""

    def _act(self, act: str, value: str) -> None:
        desk = self._desk
        if desk is None or desk.busy:
            return
        if act == "label":
            self._in_thread(desk, desk.find_pairs, desk.start_labelling)
        elif act == "answer" and value in ("", "same", "different", "unsure"):
            desk.answer(value)
        elif act == "stop":
            desk.stop_labelling()
        elif act == "save" and value in SELECTION_ENDINGS:
            self._files.hand_over(f"selection{value}", selection_file(self._selected, value))
        elif act == "keep":
            desk.keep()
        elif act == "undo":
            desk.undo()
        elif act == "plan":
            tiers = COPY_TIERS if value == "copies" else EQUAL_TIERS
            self._in_thread(desk, partial(desk.plan, tiers), desk.stop_labelling, stands=True)

    @staticmethod
    def _in_thread(
        desk: SelectionDesk, work: Callable[[], _Answer], then: Callable[[_Answer], None], *, stands: bool = False
    ) -> None:
        """Do what may take seconds off the event loop; what does not stand alone is for the same selection only."""
        import panel as pn

        asked = desk.asked

        async def do() -> None:
            desk.busy = True
            try:
                answer = await asyncio.to_thread(work)
            except DeepLensError as error:
                desk.fail(error)
                return
            finally:
                desk.busy = False
            if stands or desk.asked == asked:
                then(answer)

        pn.state.execute(do)

    def _tell(self) -> None:
        desk = self._desk
        assert desk is not None, "an answer without a desk"
        self._acts.busy = self._told.busy = desk.busy
        self._told.html = pair_html(desk.pair, desk.left, self._points, self._src) if desk.pair else outcome_html(
            desk.outcome
        )  # fmt: skip
        if self._closer is None:
            return
        if desk.pair:
            self._closer.show(desk.pair["digest_a"], desk.pair["digest_b"])
        self._close[:] = [self._closer.__panel__()] if desk.pair else []
