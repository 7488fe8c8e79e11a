"""The page of locations, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.location_acts import LocationActs
from deeplens_kit.service.pages import asked_address
from deeplens_kit.views.locations_view import LocationsView
from deeplens_kit.views.state.locations_state import LocationsState

with open_session(pn, "locations") as session:
    desk, state = session.desk, LocationsState()
    state.go_to(asked_address(pn.state.session_args))
    view = LocationsView(state, LocationActs(desk.workspace, session), desk.image_source)
    about = "Where pictures are kept. They are read there, and stay."
    session.show({"main": view.__panel__()}, heading="Locations", about=about)
