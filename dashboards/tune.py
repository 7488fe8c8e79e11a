"""The page for thresholds, as `deeplens serve` serves it; for development see `search.py` beside it."""

from functools import partial

import panel as pn

from deeplens_kit.ledger import Scope
from deeplens_kit.service import open_session
from deeplens_kit.service.page_acts.tune_acts import TuneActs, ask_lab
from deeplens_kit.views.tune_page import TunePage

with open_session(pn, "tune") as session:
    desk = session.desk
    page = TunePage(
        partial(ask_lab, desk),
        partial(TuneActs, session),
        desk.thumbnail,
        desk.image_source,
        desk.looks,
        may_act=session.may(Scope.IMAGES_WRITE),
    )
    about = "Move a bound and see what it would find, and what the labels say of it. Nothing is removed."
    session.show({"main": page.main}, heading="Tune", about=about)
