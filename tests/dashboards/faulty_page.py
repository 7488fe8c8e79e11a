"""A page whose callbacks raise, served by `panel serve` in a test: what users of a defect would see."""

import asyncio

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.views.search_view import SearchView
from deeplens_kit.views.state import SearchState


def broken(*_positional: object, **_named: object) -> None:
    """Stand in for a search with a defect."""
    raise RuntimeError("a defect of the search")


def at_once(_event: object) -> None:
    """Raise in a plain callback."""
    raise RuntimeError("a defect at once")


async def later(_event: object) -> None:
    """Raise in a coroutine."""
    await asyncio.sleep(0)
    raise RuntimeError("a defect later")


with open_session(pn, "search") as session:
    desk = session.desk
    state = SearchState(broken, desk.searcher.facets())
    view = SearchView(state, desk.findings, desk.image_source)
    buttons = pn.Row(
        pn.widgets.Button(label="Raise at once", on_click=at_once),
        pn.widgets.Button(name="Raise later", on_click=later),
    )
    session.show({"ask": view.question, "filters": buttons, "main": view.answer})
