"""The page of activity, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.activity_acts import ActivityActs
from deeplens_kit.views.activity_view import ActivityView
from deeplens_kit.views.state.activity_state import ActivityState

with open_session(pn, "activity") as session:
    desk = session.desk
    view = ActivityView(ActivityState(), ActivityActs(desk.workspace, session))
    session.show(
        {"main": view.__panel__()}, heading="Activity", about="What is done just now, what was, and who did it."
    )
