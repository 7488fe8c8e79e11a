"""A piece of a report's page, and the previews that it may hold.

Takes the name of a template and values, gives escaped HTML; must not compute a number. Previews are bounded: a page
that a mail server or a browser refuses tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from markupsafe import Markup

from deeplens_kit.reporting.templating import page_environment, picture_data

__all__ = ["Previews", "Section", "drawn", "section_of"]

# Of WebP; as base64 within the page they are a third more, and all the rest of a page is below 1 MB.
_MAX_PREVIEW_BYTES = 2_700_000
# Of a picture in a table, twice as many as it is wide there: sharp on any screen.
_SMALL_PX = 96


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a page.

    Attributes:
        html: Escaped, of itself without style or script.
    """

    html: str

    def _repr_html_(self) -> str:
        """The section as a notebook shows it."""
        return self.html


class Previews:
    """Previews for one page, until there are as many bytes of them as a page may hold.

    Args:
        thumbnail: Gives WebP bytes for a digest, or None.
        max_bytes: Of all previews together.
    """

    def __init__(self, thumbnail: Callable[[str], bytes | None], max_bytes: int = _MAX_PREVIEW_BYTES) -> None:
        self._thumbnail = thumbnail
        self._left = max_bytes
        self.left_out = 0
        """Previews that there are and that had no room."""

    def data(self, digest: str) -> str:
        """A preview as the address of an image within the page; empty where there is none, or no room for it."""
        content = self._thumbnail(digest)
        if content is not None and len(content) > self._left:
            self.left_out += 1
            return ""
        self._left -= len(content or b"")
        return picture_data(content)

    def small(self, digest: str) -> bytes | None:
        """A preview for a table, WebP of a few kB; None where there is none."""
        from deeplens_kit.decode import decode_thumbnail, encode_thumbnail

        content = self._thumbnail(digest)
        rgb = decode_thumbnail(content) if content is not None else None
        return encode_thumbnail(rgb, _SMALL_PX) if rgb is not None else None


def section_of(template: str, part: str, **values: object) -> Section:
    """A part of a template as a section; one with nothing to say is empty.

    Args:
        template: Its file in `templates`.
        part: Which part of it.
        values: What it shows.
    """
    return Section(_template(template).render(part=part, **values).strip())


def drawn(html: str) -> Markup:
    """HTML that was made here, with its texts escaped, as a value for a template."""
    return Markup(html)


@cache
def _template(name: str) -> Template:
    return page_environment().get_template(name)
