"""The page of a plan: one HTML file that shows each step with the file that is acted on beside the one that stays.

Takes a described plan and a source of thumbnails, gives the page in pieces; must not decide what is shown, and must not
make a page that asks for anything outside itself: no script, no request, the pictures within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from deeplens_kit.reporting.plan_view import PlanView
from deeplens_kit.reporting.templating import page_environment, picture_data

__all__ = ["render_plan_page"]

_TEMPLATE = "plan.html.jinja"
_STYLES = ("duplicates.css", "plan.css")


def render_plan_page(view: PlanView, thumbnail: Callable[[str], bytes | None]) -> Iterator[bytes]:
    """Draw the page; each piece is UTF-8, and a picture is asked for when its place comes.

    Args:
        view: What to show.
        thumbnail: Gives WebP bytes for a digest, or None: then the page says that there is no preview.
    """
    environment = page_environment()
    # The style sheets are ours, so they go in as they are; every other value is escaped.
    style = Markup("\n".join(environment.get_template(name).render() for name in _STYLES))

    def picture(digest: str) -> str:
        return picture_data(thumbnail(digest))

    for piece in environment.get_template(_TEMPLATE).generate(view=view, style=style, picture=picture):
        # A lone surrogate cannot be written as UTF-8; paths hold none, but a name from a command line might.
        yield piece.encode("utf-8", "backslashreplace")
