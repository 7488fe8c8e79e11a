"""Drawn pictures that look alike and are no copies: forms on one template, blank pages, plain icons.

Takes numbers and words, gives RGB pictures; must not read or write files. They are what breaks thresholds in
practice: two forms share nearly every pixel and no meaning.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["blank_page", "form", "icon"]

_PAGE_PX = (620, 877)
"""A4 at 75 dots per inch."""
_ICON_PX = (256, 256)


def form(answers: Sequence[tuple[str, str]], scribble_seed: int) -> Image.Image:
    """An expense form, filled in.

    Args:
        answers: Field names with what was written there.
        scribble_seed: Decides the signature.
    """
    page = Image.new("RGB", _PAGE_PX, "white")
    draw = ImageDraw.Draw(page)
    title, text = ImageFont.load_default(size=34), ImageFont.load_default(size=20)
    draw.rectangle((30, 30, 590, 847), outline="black", width=3)
    draw.rectangle((30, 30, 590, 96), fill="#d5dbe6", outline="black", width=3)
    draw.text((310, 63), "EXPENSE CLAIM", fill="black", font=title, anchor="mm")
    for row, (field, answer) in enumerate(answers):
        top = 120 + 76 * row
        draw.text((50, top), field, fill="#404040", font=text)
        draw.rectangle((50, top + 26, 570, top + 62), outline="black")
        draw.text((60, top + 33), answer, fill="#10208a", font=text)
    steps = np.random.default_rng(scribble_seed).normal(0.0, 13.0, (70, 2)).cumsum(axis=0)
    steps -= steps.mean(axis=0)
    points = [(310 + 1.6 * x, 770 + 0.6 * y) for x, y in steps.tolist()]
    draw.line([(min(max(x, 50.0), 570.0), min(max(y, 715.0), 830.0)) for x, y in points], fill="#10208a", width=3)
    return page


def blank_page(seed: int) -> Image.Image:
    """A scan of an empty sheet: paper white with the faint grain of the scanner."""
    grain = np.random.default_rng(seed).normal(250.0, 1.2, (_PAGE_PX[1], _PAGE_PX[0], 1))
    return Image.fromarray(np.repeat(np.clip(grain, 0, 255).astype(np.uint8), 3, axis=2))


def icon(shape: str, colour: str) -> Image.Image:
    """A plain icon on white: "ring", "disc" or "cross"."""
    picture = Image.new("RGB", _ICON_PX, "white")
    draw = ImageDraw.Draw(picture)
    box = (48, 48, 208, 208)
    if shape == "ring":
        draw.ellipse(box, outline=colour, width=28)
    elif shape == "disc":
        draw.ellipse(box, fill=colour)
    else:
        draw.line((56, 56, 200, 200), fill=colour, width=30)
        draw.line((200, 56, 56, 200), fill=colour, width=30)
    return picture
