"""The page of users, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.user_acts import UserActs
from deeplens_kit.views.people_view import UsersView
from deeplens_kit.views.state.people_state import PeopleState

with open_session(pn, "users") as session:
    state = PeopleState(name=pn.state.session_args.get("user", [b""])[0].decode("utf-8", "replace"))
    view = UsersView(state, UserActs(session.desk.workspace, session))
    session.show({"main": view.__panel__()}, heading="Users", about="Who may sign in here, and what each may do.")
