"""The page of duplicates: one HTML file that shows every group with its pictures and its evidence.

Takes a described answer and a source of thumbnails, gives the page in pieces; must not decide what is shown, and
must not make a page that asks for anything outside itself: no script, no request, the pictures within.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from deeplens_kit.reporting.duplicates_view import DuplicatesView
from deeplens_kit.reporting.words import format_bytes, format_count, format_percent, format_score, plural

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
    environment = Environment(
        loader=PackageLoader("deeplens_kit.reporting"),
        autoescape=select_autoescape(enabled_extensions=("jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(size=format_bytes, count=format_count, score=format_score)
    environment.globals.update(plural=plural, percent=format_percent)
    # The style sheet is ours, so it goes in as it is; every other value is escaped.
    style = Markup(environment.get_template(_STYLE).render())

    def picture(digest: str) -> str:
        data = thumbnail(digest)
        return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}" if data else ""

    for piece in environment.get_template(_TEMPLATE).generate(view=view, style=style, picture=picture):
        # A lone surrogate cannot be written as UTF-8; paths hold none, but a name from a command line might.
        yield piece.encode("utf-8", "backslashreplace")
