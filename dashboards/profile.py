"""One's own page, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.profile_acts import ProfileActs
from deeplens_kit.views.people_view import ProfileView
from deeplens_kit.views.state.people_state import PeopleState

with open_session(pn, "profile") as session:
    view = ProfileView(PeopleState(), ProfileActs(session.desk.workspace, session))
    session.show({"main": view.__panel__()}, heading="Your profile", about="Your password, keys and sign-ins.")
