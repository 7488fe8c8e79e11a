"""The page of reports, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.report_acts import ReportActs
from deeplens_kit.views.reports_view import ReportsView
from deeplens_kit.views.state.reports_state import ReportsState

with open_session(pn, "reports") as session:
    view = ReportsView(ReportsState(), ReportActs(session.desk.workspace, session))
    session.show({"main": view.__panel__()}, heading="Reports", about="What was found, as pages that can be passed on.")
