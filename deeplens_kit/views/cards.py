"""Pictures as pieces of HTML: a card with its thumbnail, the grid of them, a tier, a message.

Takes texts as they are shown and bytes of thumbnails, gives HTML strings with every text escaped; must not know Panel,
read a store or decide what is shown. Names of files come through `display_path` first: what hides or reorders text is
spelt out there, and here nothing of it is markup.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from deeplens_kit.reporting.related_view import RegionView

__all__ = [
    "PLACEHOLDER",
    "chip",
    "image_source",
    "marked",
    "message",
    "pager",
    "picture_address",
    "picture_card",
    "picture_frame",
    "picture_grid",
    "picture_src",
]

# Chips that have a colour of their own; any other text is a grey one.
_COLOURED = ("bytes", "pixels", "copy", "scene", "keeper", "query", "whole", "part", "contains", "composite")

_PLACEHOLDER_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" fill="none" stroke="#8b8f98" stroke-width="2">'
    '<rect x="7" y="11" width="34" height="26" rx="3"/><path d="M7 31l9-9 8 8 5-5 12 10"/><path d="M6 6l36 36"/></svg>'
)
_CODE = re.compile("`([^`]+)`")
PLACEHOLDER = f"data:image/svg+xml,{quote(_PLACEHOLDER_SVG)}"
"""Stands where there is no preview: a crossed-out picture."""


def picture_src(content: bytes | None) -> str:
    """A thumbnail as the address of an image that holds it; a placeholder where there is none.

    Args:
        content: WebP bytes, or None.
    """
    if not content:
        return PLACEHOLDER
    return f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"


def image_source(
    thumbnail: Callable[[str, int], bytes | None], src: Callable[[str, int], str] | None = None
) -> Callable[[str, int], str]:
    """What gives the address of an image for a digest and a side in pixels.

    Args:
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        src: Where a server has the images, gives their addresses; None for addresses that hold the image.
    """
    return src or (lambda digest, side_px: picture_src(thumbnail(digest, side_px)))


def picture_address(digest: str, side_px: int) -> str:
    """What stands for the address of a thumbnail where a board fetches it: "picture:DIGEST/SIDE"."""
    return f"picture:{digest}/{side_px}"


def picture_frame(
    *,
    src: str,
    alt: str,
    side_px: int = 150,
    over: str = "",
    regions: Sequence[RegionView] = (),
    shape: float | None = None,
) -> str:
    """A picture in a frame of a fixed height, so that nothing moves when it arrives.

    Args:
        src: Address of the image.
        alt: What it shows, for those who do not see it.
        side_px: Height of the frame.
        over: HTML that lies over its corner, for example a chip.
        regions: Outlines to draw over it; only where its shape is known.
        shape: Its width over its height.
    """
    outlined = regions if shape else ()
    alt = "; ".join([alt, *(region.says for region in outlined)])
    image = (
        f'<img src="{escape(src)}" alt="{escape(_one_line(alt))}" loading="lazy" decoding="async" draggable="false">'
    )
    if outlined:
        boxes = "".join(_outline(region) for region in outlined)
        image = f'<span class="shot" style="--shape: {shape:.4f}">{image}{boxes}</span>'
    return f'<div class="frame" style="height: {side_px + 20}px">{image}{over}</div>'


def _outline(region: RegionView) -> str:
    return (
        f'<i class="region" title="{escape(_one_line(region.says))}" style="left: {region.left_percent}%; '
        f'top: {region.top_percent}%; width: {region.width_percent}%; height: {region.height_percent}%"></i>'
    )


def picture_card(
    *,
    src: str,
    title: str,
    lines: Sequence[str],
    badge: str = "",
    alt: str,
    side_px: int = 150,
    more: str = "",
    kept: bool = False,
    corner: str = "",
    regions: Sequence[RegionView] = (),
    shape: float | None = None,
) -> str:
    """One picture with what is said of it.

    Args:
        src: Address of the image.
        title: Its name.
        lines: Short texts beneath the name.
        badge: A tier, "keeper", or another short text over the picture; empty for none.
        alt: What it shows, for those who do not see it.
        side_px: Height that the picture may fill.
        more: HTML that goes beneath the lines, escaped by whoever made it.
        kept: It is a keeper besides what the badge says.
        corner: HTML that lies over the other corner of the picture, escaped by whoever made it.
        regions: As of `picture_frame`, and so is `shape`.
    """
    over = (chip(badge) if badge else "") + (chip("keeper") if kept else "")
    chips = f'<div class="chips">{over}</div>' if over else ""
    frame = picture_frame(src=src, alt=alt, side_px=side_px, over=chips + corner, regions=regions, shape=shape)
    said = "".join(f'<p class="small quiet">{escape(line)}</p>' for line in lines)
    kind = " keeper" if kept or badge == "keeper" else ""
    return (
        f'<article class="picture{kind}">{frame}<div class="text">'
        f"<div><h4><bdi>{escape(title)}</bdi></h4>{said}</div>{more}</div></article>"
    )


def picture_grid(cards: Iterable[str], *, label: str) -> str:
    """Cards side by side, as many as fit, each an item of a list.

    Args:
        cards: HTML of `picture_card`.
        label: What the list is, for those who do not see it.
    """
    items = "".join(f"<li>{card}</li>" for card in cards)
    return f'<ul class="pictures" role="list" aria-label="{escape(label)}">{items}</ul>'


def chip(text: str) -> str:
    """A tier, "keeper" or another short text on a coloured ground."""
    colour = text if text in _COLOURED else "plain"
    return f'<span class="chip {colour}">{escape(text)}</span>'


def marked(text: str) -> str:
    """A text with names of commands between backticks set as such."""
    return _CODE.sub(r'<code class="mono">\1</code>', escape(text))


def message(heading: str, text: str = "", *, kind: str = "empty") -> str:
    """What is said in place of an answer.

    Args:
        heading: What happened, in a few words.
        text: What it means and what to do next, names of commands between backticks; empty for none.
        kind: "empty" (nothing to show), "problem" (it failed), "busy" (it is being worked on) or "note".
    """
    role = "alert" if kind == "problem" else "status"
    body = f"<p>{marked(text)}</p>" if text else ""
    return f'<div class="message {escape(kind)}" role="{role}"><h3>{escape(heading)}</h3>{body}</div>'


def pager(present: int, pages: int) -> str:
    """Buttons that turn pages, by the act "page" with the number; empty where there is one page.

    Args:
        present: Number of the page that shows, from 1.
        pages: How many there are.
    """
    if pages == 1:
        return ""

    def button(label: str, number: int, *, possible: bool) -> str:
        off = "" if possible else " disabled"
        return f'<button type="button" class="second" data-act="page" data-value="{number}"{off}>{label}</button>'

    return (
        '<nav class="pager" aria-label="Pages">'
        + button("First", 1, possible=present > 1)
        + button("Previous", present - 1, possible=present > 1)
        + f'<span class="small quiet">Page {present:,} of {pages:,}</span>'
        + button("Next", present + 1, possible=present < pages)
        + button("Last", pages, possible=present < pages)
        + "</nav>"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
