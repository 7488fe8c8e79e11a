"""The frame of a served page: the name, the way to the other pages, who is signed in, and where each component goes.

Takes components and who sees them, gives a Panel template that asks for nothing outside its own server; must not know
what the components show, or judge who may see what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import panel as pn
from bokeh.events import DocumentReady
from bokeh.models import CustomJS
from panel.io.resources import _env

from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.plot_scripts import COLOURS_OF_PLOTS, PLOTS_OF_PAGES
from deeplens_kit.views.slider_names import NAME_SLIDERS
from deeplens_kit.views.theme import viewer_style

__all__ = ["Frame", "once_open", "served_page"]

_SIDE = ("ask", "filters")
_THEMES = (("system", "System"), ("light", "Light"), ("dark", "Dark"))


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the parts of a page.

    Attributes:
        name: Of the page, as in its path.
        label: Of the page, as in the navigation.
        pages: Name and label of each page that the person may see.
        workspace: What to call the workspace; empty where there is none.
        person: Who sees the page; empty where nobody is signed in.
        role: What they are, in a word.
        profile: Path of their own page; empty where there is none.
        sign_in: Path at which to sign in; empty where somebody is, or nobody need be.
        sign_out: Path that ends the session; empty where there is none.
        csrf_cookie: Name of the cookie whose value goes with signing out.
    """

    name: str
    label: str
    pages: tuple[tuple[str, str], ...] = ()
    workspace: str = ""
    person: str = ""
    role: str = ""
    profile: str = ""
    sign_in: str = ""
    sign_out: str = ""
    csrf_cookie: str = ""


def served_page(
    frame: Frame, parts: Mapping[str, pn.viewable.Viewable], *, heading: str = "", about: str = ""
) -> pn.Template:
    """Put a page together.

    Args:
        frame: What surrounds the parts.
        parts: Components by the names that the template has for them: "main"; "top", "ask" and "filters" if wanted.
            Without the last two the main part has the whole width.
        heading: Of the page, for all to see; else the label is it, for those who do not see the page. With a "top" that
            has a heading of its own, leave it out.
        about: A sentence beneath the heading.
    """
    page = _Page(_compiled())
    person = display_path(frame.person)
    told = {"notifications": pn.state.notifications} if pn.state.notifications is not None else {}
    variables = {
        "page_title": escape(" · ".join(filter(None, (frame.label, frame.workspace, "DeepLens")))),
        "page_style": _style(),
        "page_script": _text("page.js"),
        "page_name": escape(frame.name),
        "page_heading": escape(frame.label),
        "heading": escape(heading),
        "about": escape(about),
        "pages": [(escape(name), escape(label)) for name, label in frame.pages],
        "workspace": escape(frame.workspace),
        "person": escape(person),
        "initial": escape(person[:1].upper() or "?"),
        "themes": _THEMES,
        "sided": any(part in parts for part in _SIDE),
        # Panel's own templates do this by themselves; ours has to.
        "parts": [*parts, *told],
        **{name: escape(getattr(frame, name)) for name in ("role", "profile", "sign_in", "sign_out", "csrf_cookie")},
    }
    for name, value in variables.items():
        page.add_variable(name, value)
    for part, component in {**parts, **told}.items():
        page.add_panel(part, component)
    if pn.state.curdoc is not None:
        pn.state.curdoc.js_on_event(DocumentReady, CustomJS(code=COLOURS_OF_PLOTS + PLOTS_OF_PAGES + NAME_SLIDERS))
    return page


def once_open(callback: Callable[[], Any]) -> None:
    """Call something when a browser has opened the page that is being made; never, where it is made for nobody.

    Args:
        callback: May be a coroutine function.
    """
    document = pn.state.curdoc
    if document is not None and document.session_context is not None:
        pn.state.onload(callback)


class _Page(pn.Template):
    """A template of Panel's without what it draws of itself for a notebook: that takes a fifth of a page's time."""

    def _build_layout(self) -> Any:
        return [SimpleNamespace(object="")]

    def __repr__(self) -> str:
        return type(self).__name__


@cache
def _compiled() -> Any:
    return _env.from_string(_text("page.html.jinja"))


@cache
def _style() -> str:
    return viewer_style() + _text("page.css")


@cache
def _text(name: str) -> str:
    return files("deeplens_kit.views").joinpath(name).read_text(encoding="utf-8")
