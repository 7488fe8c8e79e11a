"""The page of search, as `deeplens serve` serves it; for development, with the workspace of DEEPLENS_WORKSPACE:

panel serve dashboards/search.py dashboards/duplicates.py --dev
"""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.pages import asked_address
from deeplens_kit.service.search_acts import open_search

with open_session(pn, "search") as session:
    view = open_search(session, asked_address(pn.state.session_args))
    session.show({"ask": view.question, "filters": view.filters, "main": view.answer})
