"""The page of search, as `deeplens serve` serves it; for development, with the workspace of DEEPLENS_WORKSPACE:

panel serve dashboards/search.py dashboards/duplicates.py --dev
"""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.views.page import served_page
from deeplens_kit.views.search_view import SearchView
from deeplens_kit.views.state import SearchState

with open_session(pn, "search") as desk:
    state = SearchState(
        desk.searcher.search, desk.searcher.facets(), fetch=desk.fetch, preview=desk.preview, keepers=desk.keepers
    )
    view = SearchView(state, desk.findings, desk.image_source)
    served_page("search", desk.name, {"ask": view.question, "filters": view.filters, "main": view.answer}).servable()
