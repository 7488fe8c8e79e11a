"""The page of search, as `deeplens serve` serves it; for development, with the workspace of DEEPLENS_WORKSPACE:

panel serve dashboards/search.py dashboards/duplicates.py --dev
"""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.views.page import served_page
from deeplens_kit.views.search_view import SearchView

with open_session(pn, "search") as desk:
    state = desk.search_state()
    view = SearchView(state, desk.findings, desk.image_source)
    served_page("search", desk.name, {"ask": view.question, "filters": view.filters, "main": view.answer}).servable()
