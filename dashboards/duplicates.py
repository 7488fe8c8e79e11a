"""The page of duplicates, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.views.duplicates_view import DuplicatesView
from deeplens_kit.views.page import served_page
from deeplens_kit.views.state import DuplicatesState

with open_session(pn, "duplicates") as desk:
    state = DuplicatesState(desk.findings())
    state.open_group(pn.state.session_args.get("group", [b""])[0].decode("utf-8", "replace"))
    view = DuplicatesView(state, desk.image_source)
    served_page("duplicates", desk.name, {"top": view.summary, "filters": view.filters, "main": view.groups}).servable()
