"""The page of duplicates: one HTML file that shows every group with its pictures and its evidence.

Takes a described answer and a source of thumbnails, gives the page in pieces; must not decide what is shown, and
must not make a page that asks for anything outside itself: no script, no request, the pictures within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from deeplens_kit.reporting.duplicates_view import DuplicatesView
from deeplens_kit.reporting.templating import page_environment, picture_data

__all__ = ["THUMBNAIL_SIDE_PX", "render_duplicates_page"]

# Shown at half of it: sharp on screens with two pixels to one.
THUMBNAIL_SIDE_PX = 300

_TEMPLATE = "duplicates.html.jinja"
_STYLE = "duplicates.css"


def render_duplicates_page(view: DuplicatesView, thumbnail: Callable[[str], bytes | None]) -> Iterator[bytes]:
    """Draw the page; each piece is UTF-8, and a picture is asked for when its place comes.

    Args:
        view: What to show.
        thumbnail: Gives WebP bytes for a digest, or None: then the page says that there is no preview.
    """
    environment = page_environment()
    # The style sheet is ours, so it goes in as it is; every other value is escaped.
    style = Markup(environment.get_template(_STYLE).render())

    def picture(digest: str) -> str:
        return picture_data(thumbnail(digest))

    for piece in environment.get_template(_TEMPLATE).generate(view=view, style=style, picture=picture):
        # A lone surrogate cannot be written as UTF-8; paths hold none, but a name from a command line might.
        yield piece.encode("utf-8", "backslashreplace")
