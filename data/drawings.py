"""Drawn pictures that look alike and are no copies: forms and receipts on one template, blank pages, plain icons.

Takes numbers and words, gives RGB pictures; must not read or write files. They are what breaks thresholds in
practice: two forms share nearly every pixel and no meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

__all__ = ["Purchase", "blank_page", "form", "icon", "receipt", "scanned"]

_PAGE_PX = (620, 877)
"""A4 at 75 dots per inch."""
_ICON_PX = (256, 256)
_RECEIPT_WIDTH_PX = 460
_SCANNER_SHADE = 14.0
"""Levels by which a scanner's light falls off towards one side."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a till prints that differs from one receipt to the next.

    Attributes:
        number: Of the receipt.
        when: Date and time.
        items: What was bought, with its price in cents.
        cashier: Who sold it.
    """

    number: int
    when: str
    items: tuple[tuple[str, int], ...]
    cashier: str


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


def receipt(shop: Sequence[str], purchase: Purchase) -> Image.Image:
    """A till receipt: the shop's lines are the same on every one of them, the purchase is not.

    Args:
        shop: Name first, then address and what else the till prints at the top.
        purchase: The rest.
    """
    text, large = ImageFont.load_default(size=21), ImageFont.load_default(size=34)
    height = 520 + 30 * (len(shop) + len(purchase.items))
    page = Image.new("RGB", (_RECEIPT_WIDTH_PX, height), "#fdfcf8")
    draw = ImageDraw.Draw(page)
    middle, right, top = _RECEIPT_WIDTH_PX // 2, _RECEIPT_WIDTH_PX - 28, 40
    draw.text((middle, top), shop[0], fill="#1a1a1a", font=large, anchor="mm")
    for line in shop[1:]:
        top += 30
        draw.text((middle, top + 8), line, fill="#1a1a1a", font=text, anchor="mm")
    top += 44
    draw.line((20, top, right + 8, top), fill="#1a1a1a", width=2)
    draw.text((28, top + 12), f"Receipt {purchase.number:06d}", fill="#1a1a1a", font=text)
    draw.text((right, top + 12), purchase.when, fill="#1a1a1a", font=text, anchor="ra")
    draw.text((28, top + 42), f"Served by {purchase.cashier}", fill="#1a1a1a", font=text)
    top += 84
    for name, cents in purchase.items:
        draw.text((28, top), name, fill="#1a1a1a", font=text)
        draw.text((right, top), f"{cents / 100:.2f}", fill="#1a1a1a", font=text, anchor="ra")
        top += 30
    total = sum(cents for _, cents in purchase.items)
    draw.line((20, top + 8, right + 8, top + 8), fill="#1a1a1a", width=2)
    for label, value, font in (
        ("TOTAL", f"{total / 100:.2f}", large),
        ("of which VAT 20 %", f"{total / 600:.2f}", text),
        ("Card", f"{total / 100:.2f}", text),
    ):
        draw.text((28, top + 24), label, fill="#1a1a1a", font=font)
        draw.text((right, top + 24), value, fill="#1a1a1a", font=font, anchor="ra")
        top += 44
    draw.text((middle, top + 50), "Thank you for your visit", fill="#1a1a1a", font=text, anchor="mm")
    draw.text((middle, top + 80), "Goods may be returned within 14 days", fill="#1a1a1a", font=text, anchor="mm")
    bars = np.random.default_rng(purchase.number).integers(2, 6, 48)
    left = 60
    for number, wide in enumerate(bars.tolist()):
        if number % 2 == 0:
            draw.rectangle((left, top + 110, left + wide, top + 190), fill="#1a1a1a")
        left += wide + 3
    return page


def scanned(page: Image.Image, seed: int) -> Image.Image:
    """A page as a scanner gives it: a little askew, with uneven light, soft edges and grain."""
    random = np.random.default_rng(seed)
    askew = page.rotate(
        random.uniform(-0.8, 0.8),
        Image.Resampling.BICUBIC,
        translate=(int(random.integers(-4, 5)), int(random.integers(-4, 5))),
        fillcolor=(244, 243, 240),
    )
    samples = np.asarray(askew.filter(ImageFilter.GaussianBlur(0.5)), dtype=np.float64)
    fall = np.linspace(0.0, random.uniform(0.3, 1.0) * _SCANNER_SHADE, page.width)
    light = (fall if random.random() < 0.5 else fall[::-1])[None, :, None]
    grain = random.normal(0.0, 2.5, (page.height, page.width, 1))
    return Image.fromarray(np.clip(samples - light + grain, 0, 255).round().astype(np.uint8))
