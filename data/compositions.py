"""Pictures that hold other pictures: collages, screenshots, frames. A photograph is a part of each of them.

Takes RGB pictures and gives new ones; must not read or write files. What is put together is no copy that could stand
for a photograph, and no photograph can stand for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["browser_screenshot", "chat_screenshot", "collage", "framed", "picture_in_picture", "side_by_side"]


def collage(pictures: Sequence[Image.Image], cell_px: int, gap_px: int = 6) -> Image.Image:
    """Four pictures in two rows of two, each cut to a square."""
    side = 2 * cell_px + 3 * gap_px
    sheet = Image.new("RGB", (side, side), "white")
    for number, picture in enumerate(pictures[:4]):
        cell = ImageOps.fit(picture, (cell_px, cell_px), Image.Resampling.LANCZOS)
        row, column = divmod(number, 2)
        sheet.paste(cell, (gap_px + column * (cell_px + gap_px), gap_px + row * (cell_px + gap_px)))
    return sheet


def side_by_side(left: Image.Image, right: Image.Image, height_px: int) -> Image.Image:
    """Two pictures of one height, edge to edge."""
    both = [ImageOps.contain(picture, (10 * height_px, height_px)) for picture in (left, right)]
    sheet = Image.new("RGB", (sum(picture.width for picture in both), height_px))
    sheet.paste(both[0], (0, 0))
    sheet.paste(both[1], (both[0].width, 0))
    return sheet


def picture_in_picture(ground: Image.Image, inset: Image.Image, share: float) -> Image.Image:
    """One picture in the lower right corner of another, `share` (0..1) of its width, with a thin white edge."""
    wide = round(share * ground.width)
    small = ImageOps.expand(ImageOps.contain(inset, (wide, wide)), border=3, fill="white")
    both = ground.copy()
    both.paste(small, (ground.width - small.width - 16, ground.height - small.height - 16))
    return both


def framed(picture: Image.Image, border_px: int, colour: str) -> Image.Image:
    """A border of one colour all round, wider below, as of an instant photograph."""
    return ImageOps.expand(picture, border=(border_px, border_px, border_px, 3 * border_px), fill=colour)


def chat_screenshot(picture: Image.Image) -> Image.Image:
    """A telephone's screen: a chat in which the picture was sent."""
    screen = Image.new("RGB", (540, 1110), "#ece5dd")
    draw = ImageDraw.Draw(screen)
    text, small = ImageFont.load_default(size=22), ImageFont.load_default(size=15)
    draw.rectangle((0, 0, 540, 96), fill="#0b6157")
    draw.text((20, 8), "09:41", fill="white", font=small)
    draw.text((84, 44), "Field team", fill="white", font=text)
    draw.ellipse((22, 36, 70, 84), fill="#cfd8dc")
    draw.rounded_rectangle((16, 120, 330, 190), 14, fill="white")
    draw.text((32, 140), "did you get the picture?", fill="#202020", font=text)
    shown = ImageOps.contain(picture, (430, 640))
    draw.rounded_rectangle((540 - shown.width - 28, 214, 532, 230 + shown.height + 30), 14, fill="#dcf8c6")
    screen.paste(shown, (540 - shown.width - 18, 224))
    draw.text((470, 230 + shown.height + 8), "09:38", fill="#5f6b66", font=small)
    draw.rounded_rectangle((16, 920, 300, 990), 14, fill="white")
    draw.text((32, 940), "thanks, that is the one", fill="#202020", font=text)
    draw.rounded_rectangle((12, 1040, 450, 1096), 26, fill="white")
    draw.ellipse((466, 1040, 522, 1096), fill="#0b6157")
    return screen


def browser_screenshot(picture: Image.Image) -> Image.Image:
    """A desktop's screen: a page with the picture, a headline and text beside it."""
    screen = Image.new("RGB", (1280, 800), "white")
    draw = ImageDraw.Draw(screen)
    title, text = ImageFont.load_default(size=30), ImageFont.load_default(size=17)
    draw.rectangle((0, 0, 1280, 84), fill="#dee1e6")
    draw.rounded_rectangle((12, 8, 250, 44), 8, fill="white")
    draw.text((28, 16), "Pictures of the week", fill="#303030", font=text)
    draw.rounded_rectangle((120, 48, 1160, 78), 15, fill="white")
    draw.text((140, 53), "example.org/pictures/week-14", fill="#505050", font=text)
    draw.text((60, 110), "What our readers saw this week", fill="#101010", font=title)
    shown = ImageOps.contain(picture, (640, 520))
    screen.paste(shown, (60, 170))
    for line in range(18):
        draw.text((740, 172 + 28 * line), _LINES[line % len(_LINES)], fill="#303030", font=text)
    draw.rectangle((0, 768, 1280, 800), fill="#1f2937")
    return screen


_LINES = (
    "Every Friday we show the pictures that you send us, with",
    "a few words on where they were taken and by whom. This",
    "week the weather was kind to all who went outdoors, and",
    "the editors had a hard time choosing. Our thanks to all",
    "who wrote to us; please keep the originals.",
)
