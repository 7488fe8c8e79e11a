"""The page of duplicates, as `deeplens serve` serves it; for development see `search.py` beside it."""

import panel as pn

from deeplens_kit.ledger import Scope
from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.review_acts import ReviewSourceOfPage
from deeplens_kit.views.duplicates_page import DuplicatesPage

with open_session(pn, "duplicates") as session:
    desk, asked = session.desk, pn.state.session_args
    source = ReviewSourceOfPage(session)
    page = DuplicatesPage(
        source.recent,
        source,
        desk.thumbnail,
        desk.image_source,
        desk.looks,
        may_act=session.may(Scope.IMAGES_WRITE),
        group=asked.get("group", [b""])[0].decode("utf-8", "replace"),
        way=asked.get("way", [b""])[0].decode("utf-8", "replace"),
    )
    session.show({"top": page.summary, "filters": page.filters, "main": page.main})
