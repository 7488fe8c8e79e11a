"""Real files that trap a finder of copies: pictures that look alike and are none, and copies that hold less.

Takes the sample library's photographs and scikit-image's stereo pair, gives encoded files; writes none.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage import data

from data.drawings import Purchase
from data.edits import added_noise, encoded, exif_block
from data.photographs import photograph

Pixels = NDArray[np.uint8]

SHOPS = {
    "market": ("CORNER MARKET", "12 Harbour Road, Leeds", "VAT 410 2207 18", "Tel. 0113 496 0717"),
    "taxi": ("CITY CABS", "Licence 4471", "Tariff 2"),
}
_FINER = 4
"""Columns per column while a viewpoint is made, so that parts of a pixel are moved."""


def purchases(shop: str) -> tuple[Purchase, ...]:
    """Four receipts of one shop; the first two differ in the amount, the number and the minute alone."""
    if shop == "taxi":
        return (
            Purchase(7101, "11.06.2024 08:14", (("Ride", 1840), ("Luggage", 200)), "car 12"),
            Purchase(7103, "11.06.2024 08:41", (("Ride", 1310), ("Luggage", 200)), "car 12"),
            Purchase(7342, "02.09.2024 22:05", (("Ride", 2975), ("Waiting", 450)), "car 31"),
            Purchase(7399, "17.09.2024 05:50", (("Ride", 4180), ("Luggage", 400)), "car 8"),
        )
    return (
        Purchase(20417, "04.03.2024 17:42", (("Bread, rye", 320), ("Milk 2 l", 189), ("Apples", 245)), "Anna"),
        Purchase(20418, "04.03.2024 17:44", (("Bread, rye", 320), ("Milk 2 l", 189), ("Apples", 312)), "Anna"),
        Purchase(20966, "09.03.2024 09:03", (("Coffee", 649), ("Sugar", 115), ("Oranges", 298)), "Marek"),
        Purchase(21307, "12.03.2024 12:26", (("Rice", 275), ("Olive oil", 899), ("Eggs, ten", 329)), "Anna"),
    )


_CLAUSES = (
    "Thank you for your application, which reached us in good time. We are glad to tell",
    "you that it was accepted by the board at its last meeting. Your place is kept until",
    "the end of the month; please let us know within this time whether you take it.",
    "",
    "The fee is due in two parts. The first part is to be paid with your answer, the other",
    "half when the course begins. Where a place is given back within fourteen days, the",
    "fee is returned in full; later we keep a quarter of it for what it has cost us.",
    "",
    "The course is held in the rooms of the institute. Bring a means of identification on",
    "the first day, and this letter. Lunch is served in the hall between twelve and two;",
    "what you need for work is handed out on the spot and remains yours afterwards.",
    "",
    "If you cannot come on one of the days, tell the office by telephone or in writing. A",
    "certificate is given to those who were there on at least eight of the ten days.",
    "",
    "We look forward to meeting you and remain, with kind regards,",
)


def letter(name: str, date: str, number: str, amount: str) -> Image.Image:
    """A page of A4 at 100 dots per inch, nearly all of which is the same for everybody who gets one."""
    page = Image.new("RGB", (827, 1169), "white")
    draw = ImageDraw.Draw(page)
    title, text = ImageFont.load_default(size=30), ImageFont.load_default(size=18)
    draw.rectangle((0, 0, 827, 18), fill="#20456b")
    draw.text((70, 60), "Institute of Applied Surveying", fill="#20456b", font=title)
    draw.text((70, 100), "4 Castle Street, Durham", fill="#505050", font=text)
    draw.text((70, 190), f"To {name}", fill="black", font=text)
    draw.text((757, 190), date, fill="black", font=text, anchor="ra")
    draw.text((70, 250), f"Your application {number}", fill="black", font=text)
    for row, line in enumerate(_CLAUSES):
        draw.text((70, 310 + 30 * row), line, fill="black", font=text)
    draw.rectangle((70, 830, 757, 900), outline="black", width=2)
    draw.text((90, 852), "Amount due with your answer", fill="black", font=text)
    draw.text((737, 852), amount, fill="black", font=text, anchor="ra")
    draw.text((70, 980), "P. Hollis, secretary", fill="black", font=text)
    draw.line((0, 1100, 827, 1100), fill="#20456b", width=2)
    draw.text((414, 1128), "Bank of the North 20-41-77 1182 0041", fill="#505050", font=text, anchor="mm")
    return page


LETTERS = (
    ("Maria Keller", "4 March 2024", "2024-1107", "420.00"),
    ("Jonas Weber", "4 March 2024", "2024-1112", "420.00"),
    ("Maria Keller", "11 March 2025", "2025-0386", "445.00"),
    ("Ines da Costa", "6 March 2024", "2024-1139", "210.00"),
)


def shot(picture: Image.Image, seed: int, taken_at: str = "", quality: int = 93) -> bytes:
    """A JPEG as a camera writes it: with the noise of its sensor, and by its clock where a time is given."""
    exif = exif_block(taken_at) if taken_at else b""
    return encoded(added_noise(picture, 3.0, seed), "JPEG", quality, exif)


@cache
def viewpoint(share: float) -> Image.Image:
    """A motorcycle from a point `share` (0..1) of the way from the left to the right eye: near things move more."""
    left, right, measured = data.stereo_motorcycle()
    if share == 1.0:
        return Image.fromarray(right)
    height, width = measured.shape
    known = np.isfinite(measured)
    # What was not measured moves as what stands to its left.
    nearest = np.maximum.accumulate(np.where(known, np.arange(width), 0), axis=1)
    disparity = np.nan_to_num(np.take_along_axis(np.where(known, measured, 0.0), nearest, axis=1))
    fine = np.asarray(Image.fromarray(left).resize((width * _FINER, height), Image.Resampling.BICUBIC))
    moved = np.repeat(disparity, _FINER, axis=1) * share * _FINER
    rows, columns = np.indices(moved.shape)
    target = np.clip(np.rint(columns - moved), 0, width * _FINER - 1).astype(np.int64)
    # Far things first, near ones over them; where nothing was seen, what is to the left goes on.
    order = np.argsort(moved, axis=None, kind="stable")
    seen = np.zeros(moved.shape, dtype=bool)
    view = np.zeros_like(fine)
    view[rows.flat[order], target.flat[order]] = fine.reshape(-1, 3)[order]
    seen[rows.flat[order], target.flat[order]] = True
    last = np.maximum.accumulate(np.where(seen, np.arange(width * _FINER), 0), axis=1)
    filled = view[rows, last]
    return Image.fromarray(filled).resize((width, height), Image.Resampling.BOX)


def with_person(ground: Image.Image, left: float, share: float = 0.2, foot: float = 1.0) -> Image.Image:
    """Somebody stands in the scene.

    Args:
        ground: The scene.
        left: Where, 0..1 of its width.
        share: How wide, 0..1 of its width.
        foot: How far down, 0..1 of its height.
    """
    scene = ground.copy()
    person = photograph("astronaut").crop((120, 0, 400, 512))
    wide = round(share * ground.width)
    person = person.resize((wide, round(wide * person.height / person.width)), Image.Resampling.LANCZOS)
    outline = Image.new("L", person.size, 0)
    draw = ImageDraw.Draw(outline)
    draw.ellipse((0.24 * wide, 0.0, 0.78 * wide, 0.45 * person.height), fill=255)
    draw.rounded_rectangle((0.03 * wide, 0.38 * person.height, 0.97 * wide, person.height), wide // 5, fill=255)
    place = (round(left * ground.width), round(foot * ground.height) - person.height)
    scene.paste(person, place, outline.filter(ImageFilter.GaussianBlur(2)))
    return scene


def shifted(picture: Image.Image, right: float, down: float) -> Image.Image:
    """What a camera sees that points a little elsewhere: 94 % of the picture's sides, moved by shares of its sides."""
    width, height = round(0.94 * picture.width), round(0.94 * picture.height)
    left, top = round((0.03 + right) * picture.width), round((0.03 + down) * picture.height)
    return picture.crop((left, top, left + width, top + height))


def fine_samples(name: str) -> NDArray[np.float64]:
    """A photograph at half its sides: four samples make one, so that there is more to it than 8 bits hold."""
    samples = np.asarray(photograph(name), dtype=np.float64)
    height, width = samples.shape[0] // 2, samples.shape[1] // 2
    return samples[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean(axis=(1, 3))


def sixteen_bit_png(samples: NDArray[np.float64]) -> bytes:
    """A PNG of 16 bits per sample (PNG specification, 11.2.1); Pillow writes none with colours."""
    deep = np.rint(samples * 257.0).astype(">u2")
    if deep.ndim == 2:
        deep = deep[..., None]
    height, width, channels = deep.shape
    colour_type = {1: 0, 3: 2}[channels]
    lines = np.zeros((height, 1 + 2 * channels * width), np.uint8)
    lines[:, 1:] = deep.reshape(height, -1).view(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    )


def eight_bits(samples: NDArray[np.float64]) -> Image.Image:
    """The same samples in 8 bits."""
    return Image.fromarray(np.rint(samples).astype(np.uint8))


def cut_out(picture: Image.Image, margin: float) -> Image.Image:
    """The picture with a soft edge of transparency, `margin` (0..0.5) of its sides; what lies under it is kept."""
    alpha = Image.new("L", picture.size, 0)
    across, down = margin * picture.width, margin * picture.height
    ImageDraw.Draw(alpha).ellipse((across, down, picture.width - across, picture.height - down), fill=255)
    whole = picture.convert("RGBA")
    whole.putalpha(alpha.filter(ImageFilter.GaussianBlur(6)))
    return whole


def flattened(picture: Image.Image, colour: str) -> Image.Image:
    """A picture with transparency, put on one colour."""
    ground = Image.new("RGB", picture.size, colour)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def animation(frames: Sequence[Image.Image], form: str, comment: str = "") -> bytes:
    """An animation of a fifth of a second per frame: "GIF", "WEBP" (lossless) or "PNG"."""
    stream = io.BytesIO()
    rest = [frame.convert("RGB") for frame in frames[1:]]
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    if comment:
        options["comment"] = comment
    frames[0].convert("RGB").save(
        stream, form, save_all=True, append_images=rest, duration=200, loop=0, **options
    )  # fmt: skip
    return stream.getvalue()


def alike_icon(letter: str) -> bytes:
    """A sheet of paper with a letter on it, black on transparent, as icons of file types are drawn."""
    drawn = Image.new("L", (128, 128), 0)
    draw = ImageDraw.Draw(drawn)
    draw.polygon([(24, 8), (80, 8), (104, 32), (104, 120), (24, 120)], outline=255, width=6)
    draw.line([(80, 8), (80, 32), (104, 32)], fill=255, width=6)
    draw.text((64, 80), letter, fill=255, font=ImageFont.load_default(size=44), anchor="mm")
    icon = Image.new("RGBA", drawn.size, (0, 0, 0, 0))
    icon.putalpha(drawn)
    return encoded(icon, "PNG")


def marked_page(page: Image.Image, number: int) -> Image.Image:
    """An empty page with a little on it: a page number, a stamp, a few strokes of a pen, or holes."""
    marked = page.copy()
    draw = ImageDraw.Draw(marked)
    font = ImageFont.load_default(size=16)
    random = np.random.default_rng(number)
    kind = number % 4
    if kind == 0:
        draw.text((page.width / 2, page.height - 36), f"- {number + 1} -", fill="#303030", font=font, anchor="mm")
    elif kind == 1:
        left, top = 380 + random.integers(0, 60), 60 + random.integers(0, 40)
        draw.rounded_rectangle((left, top, left + 150, top + 52), 6, outline="#b3261e", width=3)
        draw.text((left + 75, top + 26), f"PAID {10 + number}.03.24", fill="#b3261e", font=font, anchor="mm")
    elif kind == 2:
        steps = random.normal(0.0, 9.0, (40, 2)).cumsum(axis=0) + np.array([300.0 + 20 * number, 500.0])
        draw.line([tuple(point) for point in steps.tolist()], fill="#1b3a8a", width=2)
    else:
        for top in (260 + 3 * number, 560 + 3 * number):
            draw.ellipse((18, top, 42, top + 24), fill="#8c8c8c")
    return marked
