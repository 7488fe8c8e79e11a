"""The page of plans, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.plan_acts import PlanActs
from deeplens_kit.service.pages import asked_address
from deeplens_kit.views.plans_view import PlansView
from deeplens_kit.views.state.plans_state import PlansState

with open_session(pn, "plans") as session:
    desk, state = session.desk, PlansState()
    state.go_to(asked_address(pn.state.session_args))
    view = PlansView(state, PlanActs(desk.workspace, session), desk.image_source)
    about = "What is proposed, approved and done, and how to take it back."
    session.show({"main": view.__panel__()}, heading="Plans", about=about)
