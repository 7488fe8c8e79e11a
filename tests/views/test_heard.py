"""A page in a notebook is told nothing until it says that it is drawn, then all of it, in whole messages."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("panel")

import panel as pn
import polars as pl
from bokeh.document import Document
from panel.io.model import add_to_doc
from panel.models.esm import DataEvent
from panel.viewable import Viewable
from pyviz_comms import Comm

from deeplens_kit.schemas import MAP_POINTS
from deeplens_kit.views import MapView, PairView, SelectionView
from deeplens_kit.views.board import Board
from deeplens_kit.views.heard import HeardComponent
from deeplens_kit.views.label_desk import LabelDesk
from deeplens_kit.views.state import MapState
from deeplens_kit.views.state.selection import SelectionState


class Line(Comm):
    """A channel to a page, open from the start; keeps the parts that were sent."""

    def __init__(self) -> None:
        super().__init__()
        self._comm = self
        self.parts: list[Any] = []

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = ()) -> None:
        self.parts.append(data)

    @property
    def told(self) -> str:
        """What arrived, once it came from its beginning."""
        assert not self.parts or '"PATCH-DOC"' in self.parts[0]
        return "".join(self.parts)


class Shown:
    """Something as a cell of a notebook shows it."""

    def __init__(self, what: Any) -> None:
        shown: Viewable = pn.panel(what)
        self.line, self.document = Line(), Document()
        self.root = shown.get_root(self.document, self.line)
        add_to_doc(self.root, self.document, hold=True)
        self._heard = [item for item in shown.select() if isinstance(item, HeardComponent)]

    def says_ready(self) -> None:
        """What the browser says of each component."""
        for item in self._heard:
            model, _ = item._models[self.root.ref["id"]]
            item._process_event(DataEvent(model, data={"act": "ready"}))


def test_what_comes_before_the_page_listens_comes_whole_when_it_does() -> None:
    board = Board(html="first")
    cell = Shown(board)
    board.html = "second"
    board.html = "third"
    assert cell.line.parts == []
    cell.says_ready()
    assert "third" in cell.line.told
    board.html = "fourth"
    assert "fourth" in cell.line.told


def test_another_cell_that_shows_the_same_waits_for_itself() -> None:
    board = Board(html="first")
    early, late = Shown(board), Shown(board)
    early.says_ready()
    board.html = "second"
    assert "second" in early.line.told
    assert late.line.parts == []
    late.says_ready()
    assert "second" in late.line.told


def test_what_comes_into_a_page_that_listens_holds_nothing_up() -> None:
    column = pn.Column(Board())
    cell = Shown(column)
    cell.says_ready()
    column.append(Board(html="later"))
    assert "later" in cell.line.told


def test_the_drawn_desk_is_told_of_once() -> None:
    heard: list[tuple[str, str]] = []
    desk = LabelDesk(lambda act, value: heard.append((act, value)))
    cell = Shown(desk)
    cell.says_ready()
    cell.says_ready()
    assert heard == [("ready", "")]


def test_each_viewer_waits() -> None:
    points = pl.DataFrame(schema=MAP_POINTS.polars)
    selection, state = SelectionState(), MapState()
    pair = PairView(lambda *_: None)
    changes = [
        (SelectionView(selection, points, lambda *_: None), lambda: selection.select(["a"], "cell")),
        (MapView(state, lambda *_: None), lambda: state.param.trigger("picture_map")),
        (pair, lambda: pair.clear("None was chosen.")),
    ]
    for view, change in changes:
        cell = Shown(view)
        change()
        assert cell.line.parts == []
        cell.says_ready()
        assert cell.line.told
