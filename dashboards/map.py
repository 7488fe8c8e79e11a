"""The page of the map, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.ledger import Scope
from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.map_acts import MapActs, MapSource
from deeplens_kit.views.map_page import MapPage

with open_session(pn, "map") as session:
    desk = session.desk
    source = MapSource(desk)
    page = MapPage(
        source.ask,
        source.ask_clusters,
        source.nearest,
        source.features(),
        desk.thumbnail,
        desk.image_source,
        acts=MapActs(session) if session.may(Scope.IMAGES_WRITE) else None,
        looks=desk.looks,
    )
    about = "Pictures that are alike lie together. Draw around some to see what they add up to."
    session.show({"main": page.main}, heading="Map", about=about)
