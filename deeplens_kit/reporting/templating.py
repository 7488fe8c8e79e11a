"""How pages are made from templates: every value is escaped, and a missing one is an error.

Takes nothing, gives the environment of templates and the pictures of a page; must not decide what a page shows.
"""

from __future__ import annotations

import base64
import re
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from deeplens_kit.reporting.label_words import format_share
from deeplens_kit.reporting.words import format_bytes, format_count, format_percent, format_score, place_words, plural

__all__ = ["page_environment", "picture_data"]

_CODE = re.compile("`([^`]+)`")


def page_environment() -> Environment:
    """The templates of this package with the words that they use."""
    environment = Environment(
        loader=PackageLoader("deeplens_kit.reporting"),
        autoescape=select_autoescape(enabled_extensions=("jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        coded=_coded,
        size=format_bytes,
        count=format_count,
        score=format_score,
        unbroken=_unbroken,
        whole_place=partial(place_words, with_all=True),
    )
    environment.globals.update(plural=plural, percent=format_percent, share=_share)
    environment.globals.update(floor_share=format_share)
    return environment


def _coded(text: str) -> Markup:
    """A sentence with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _unbroken(text: str) -> str:
    """A value and its unit, never on two lines."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _share(share: float) -> str:
    """A share of 0..1 in percent, cut off to one decimal: "97.4 %", "95 %" for 0.95."""
    return format_percent(int(share * 1_000_000 + 1e-3), 1_000_000).replace(".0 %", " %")


def picture_data(content: bytes | None) -> str:
    """A picture as the address of an image that is within the page; empty where there is none.

    Args:
        content: WebP.
    """
    return f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}" if content else ""
