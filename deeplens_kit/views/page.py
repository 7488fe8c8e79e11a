"""The frame of a served page: the name, the way to the other pages, and where each component goes.

Takes components, gives a Panel template that asks for nothing outside its own server; must not know what they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

import panel as pn
from bokeh.events import DocumentReady
from bokeh.models import CustomJS

from deeplens_kit.views.slider_names import NAME_SLIDERS
from deeplens_kit.views.theme import viewer_style

__all__ = ["served_page"]

_PAGES = (("search", "Search"), ("duplicates", "Duplicates"))


def served_page(name: str, workspace: str, parts: Mapping[str, pn.viewable.Viewable]) -> pn.Template:
    """Put a page together.

    Args:
        name: Of the page: "search" or "duplicates".
        workspace: What to call the workspace; empty where there is none.
        parts: Components by the names that the template has for them: "main"; "top", "ask" and "filters" if wanted.
    """
    title = dict(_PAGES)[name]
    folder = files("deeplens_kit.views")
    page = pn.Template(folder.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    page.add_variable("page_title", escape(" · ".join(filter(None, (title, workspace, "DeepLens")))))
    page.add_variable("page_style", viewer_style() + folder.joinpath("page.css").read_text(encoding="utf-8"))
    page.add_variable("page_name", name)
    page.add_variable("page_heading", title)
    page.add_variable("pages", _PAGES)
    page.add_variable("workspace", escape(workspace))
    # Panel's own templates do this by themselves; ours has to.
    told = {"notifications": pn.state.notifications} if pn.state.notifications is not None else {}
    page.add_variable("parts", [*parts, *told])
    for part, component in {**parts, **told}.items():
        page.add_panel(part, component)
    if pn.state.curdoc is not None:
        pn.state.curdoc.js_on_event(DocumentReady, CustomJS(code=NAME_SLIDERS))
    return page
