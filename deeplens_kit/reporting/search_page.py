"""The page of a search: one HTML file that shows what was asked and every picture that was found.

Takes a described answer and sources of thumbnails, gives the page in pieces; must not decide what is shown, and must
not make a page that asks for anything outside itself: no script, no request, the pictures within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from deeplens_kit.reporting.search_view import SearchView
from deeplens_kit.reporting.templating import page_environment, picture_data

__all__ = ["THUMBNAIL_SIDE_PX", "render_search_page"]

# Shown at half of it: sharp on screens with two pixels to one.
THUMBNAIL_SIDE_PX = 300

_TEMPLATE = "search.html.jinja"
_STYLES = ("duplicates.css", "search.css")


def render_search_page(
    view: SearchView, thumbnail: Callable[[str], bytes | None], asked: Callable[[int], bytes | None]
) -> Iterator[bytes]:
    """Draw the page; each piece is UTF-8, and a picture is asked for when its place comes.

    Args:
        view: What to show.
        thumbnail: Gives WebP bytes for a digest, or None: then the page says that there is no preview.
        asked: The same for a picture that was searched for, by its number in the query.
    """
    environment = page_environment()
    # The style sheets are ours, so they go in as they are; every other value is escaped.
    style = Markup("\n".join(environment.get_template(name).render() for name in _STYLES))

    def picture(digest: str) -> str:
        return picture_data(thumbnail(digest))

    def asked_picture(number: int) -> str:
        return picture_data(asked(number))

    pieces = environment.get_template(_TEMPLATE).generate(
        view=view, style=style, picture=picture, asked_picture=asked_picture
    )
    for piece in pieces:
        # A lone surrogate cannot be written as UTF-8; paths hold none, but a name from a command line might.
        yield piece.encode("utf-8", "backslashreplace")
