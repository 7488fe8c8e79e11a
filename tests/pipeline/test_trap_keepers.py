"""The camera's own file is not given up for what somebody made of it, however much better that looks by its format."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps
from trap_workspace import found_in

from data.edits import cropped, encoded, exif_block, scaled
from data.photographs import photograph

EXIF = exif_block("2021:05:04 10:11:12")


def camera_file(name: str = "coffee", quality: int = 90) -> bytes:
    return encoded(photograph(name), "JPEG", quality, exif=EXIF)


def barred(picture: Image.Image) -> Image.Image:
    """A caption bar of 3 % of the height."""
    bar = ImageOps.expand(picture, (0, 0, 0, round(picture.height * 0.03)), "black")
    font = ImageFont.load_default(size=9)
    ImageDraw.Draw(bar).text((picture.width / 2, bar.height - 2), "taken in May", "white", font, anchor="md")
    return bar


def stamped(picture: Image.Image) -> Image.Image:
    stamp = picture.copy()
    font = ImageFont.load_default(size=22)
    ImageDraw.Draw(stamp).text((14, 14), "EXAMPLE NEWS", "white", font, stroke_width=1, stroke_fill="black")
    return stamp


def other_channels(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    return Image.merge("RGB", (blue, red, green))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "a caption bar": barred,
    "a stamp": stamped,
    "other channels": other_channels,
    "brighter": lambda picture: picture.point(lambda level: min(255, round(level * 1.1))),
}


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_lossless_edit_does_not_replace_the_cameras_file(tmp_path: Path, edit: str, form: str) -> None:
    decoded = Image.open(io.BytesIO(camera_file())).convert("RGB")
    edited = f"edited.{form.lower()}"
    files = {
        edited: encoded(EDITS[edit](decoded), form),
        "camera.jpg": camera_file(),
        "copy.jpg": encoded(scaled(photograph("coffee"), 0.5), "JPEG", 80),
    }
    found = found_in(tmp_path, files)
    assert found.keepers.get("copy.jpg") == "camera.jpg"
    assert "camera.jpg" not in found.removed


def labelled(picture: Image.Image) -> Image.Image:
    """A label of half a hundredth of the picture pasted over it."""
    label = picture.copy()
    width, height = round(picture.width * 0.12), round(picture.height * 0.06)
    ImageDraw.Draw(label).rectangle((picture.width // 2, picture.height // 2, width + 300, height + 200), "white")
    ImageDraw.Draw(label).text((picture.width // 2 + 4, picture.height // 2 + 4), "SOLD", "black")
    return label


@pytest.mark.parametrize("label_first", [True, False], ids=["the label is older", "the picture is older"])
def test_neither_of_two_equally_good_pictures_goes_where_one_wears_a_label(tmp_path: Path, label_first: bool) -> None:
    clean = encoded(photograph("coffee"), "JPEG", 92)
    sold = encoded(labelled(photograph("coffee")), "JPEG", 92)
    files = {"sold.jpg": sold, "clean.jpg": clean} if label_first else {"clean.jpg": clean, "sold.jpg": sold}
    found = found_in(tmp_path, files)
    assert found.relation("sold.jpg", "clean.jpg") in ("whole", "composite")
    assert not found.removed


@pytest.mark.parametrize("png_first", [True, False], ids=["the PNG is older", "the JPEG is older"])
def test_the_png_that_was_made_from_a_jpeg_goes_for_it(tmp_path: Path, png_first: bool) -> None:
    jpeg = encoded(photograph("coffee"), "JPEG", 75)
    png = encoded(Image.open(io.BytesIO(jpeg)).convert("RGB"), "PNG")
    lossless = {"made.png": png}
    found = found_in(tmp_path, {**lossless, "a.jpg": jpeg} if png_first else {"a.jpg": jpeg, **lossless})
    assert found.keepers == {"made.png": "a.jpg"}
    assert found.removed["made.png"].tier == "pixels"


def test_a_crop_that_is_less_compressed_stays_beside_what_holds_it(tmp_path: Path) -> None:
    picture = photograph("coffee")
    files = {
        "whole.webp": encoded(picture, "WEBP", 40),
        "fine crop.webp": encoded(cropped(picture, 0.1, 0.1, 0.8, 0.9), "WEBP", 95),
        "coarse crop.webp": encoded(cropped(picture, 0.15, 0.1, 0.9, 0.9), "WEBP", 40),
    }
    found = found_in(tmp_path, files)
    assert found.relation("whole.webp", "fine crop.webp") in ("part", "contains")
    assert "fine crop.webp" not in found.removed
    assert found.keepers.get("coarse crop.webp") == "whole.webp"


def test_the_upright_picture_stays_for_its_tilted_copy(tmp_path: Path) -> None:
    picture = photograph("coffee")
    tilted = picture.rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor="black")
    files = {"tilted.jpg": encoded(tilted, "JPEG", 95), "upright.jpg": encoded(picture, "JPEG", 88)}
    found = found_in(tmp_path, {**files, "copy.jpg": encoded(scaled(picture, 0.5), "JPEG", 80)})
    assert found.keepers.get("copy.jpg") == "upright.jpg"
    assert "upright.jpg" not in found.removed


def test_a_picture_on_a_plain_ground_stays_for_its_straightened_crop(tmp_path: Path) -> None:
    product = Image.new("RGB", (900, 700), "white")
    product.paste(photograph("coffee").resize((480, 320)), (210, 190))
    crop = product.rotate(3, Image.Resampling.BICUBIC, fillcolor="white").crop((45, 35, 855, 665))
    files = {"crop.jpg": encoded(crop, "JPEG", 92, exif=EXIF), "product.jpg": encoded(product, "JPEG", 92, exif=EXIF)}
    found = found_in(tmp_path, {**files, "copy.jpg": encoded(scaled(product, 0.6), "JPEG", 80)})
    assert "product.jpg" not in found.removed
    assert found.keepers.get("copy.jpg") == "product.jpg"


def test_a_gif_is_not_given_up_for_a_poor_jpeg_of_it(tmp_path: Path) -> None:
    gif = encoded(photograph("coffee").quantize(256).convert("RGB").quantize(256), "GIF")
    files = {"map.gif": gif, "poor.jpg": encoded(Image.open(io.BytesIO(gif)).convert("RGB"), "JPEG", 15)}
    assert "map.gif" not in found_in(tmp_path, files).removed


def test_what_is_transparent_in_places_stands_for_nothing_opaque(tmp_path: Path) -> None:
    picture = photograph("coffee")
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), 30, 255)
    rounded = picture.convert("RGBA")
    rounded.putalpha(mask)
    files = {"rounded.png": encoded(rounded, "PNG"), "opaque.jpg": encoded(picture, "JPEG", 90)}
    found = found_in(tmp_path, {**files, "copy.jpg": encoded(scaled(picture, 0.5), "JPEG", 80)})
    assert found.keepers == {"copy.jpg": "opaque.jpg"}
