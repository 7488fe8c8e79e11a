"""Relation: what is done to a picture decides how both stand to each other, whichever of them comes first."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from looked_pictures import compared, corners, grey_of, inset, saved, sized
from PIL import Image, ImageDraw, ImageFont, ImageOps

from data.compositions import browser_screenshot, chat_screenshot, collage, framed, picture_in_picture, side_by_side
from data.drawings import Purchase, form, receipt
from data.edits import captioned, cropped, mirrored, scaled, tilted, watermarked
from deeplens_kit.matching.verification.seam import has_seam
from deeplens_kit.schemas import Relation

PURCHASE = Purchase(20417, "04.03.2024 17:42", (("Bread, rye", 320), ("Milk 2 l", 189), ("Apples", 245)), "Anna")
NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def encoded_again(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=60)
    return Image.open(stream).convert("RGB")


def lettered(picture: Image.Image) -> Image.Image:
    written = picture.copy()
    draw, font = ImageDraw.Draw(written), ImageFont.load_default(size=picture.height // 7)
    place = (picture.width / 2, 6)
    draw.text(place, "WHEN IT RUNS", fill="white", font=font, anchor="ma", stroke_width=4, stroke_fill="black")
    return written


WHOLE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "encoded again": encoded_again,
    "strong JPEG": lambda picture: saved(picture, 30),
    "half the size": lambda picture: scaled(picture, 0.5),
    "larger": lambda picture: scaled(picture, 1.5),
    "a quarter turn": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "upside down": lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    "mirrored": mirrored,
    "squeezed": lambda picture: picture.resize((400, 400)),
    "a watermark": lambda picture: watermarked(picture, "Example"),
}  # fmt: skip
PART: dict[str, Callable[[Image.Image], Image.Image]] = {
    "a crop": lambda picture: cropped(picture, 0.1, 0.15, 0.8, 0.9),
    "a small crop": lambda picture: cropped(picture, 0.3, 0.2, 0.75, 0.7),
    "a mirrored crop": lambda picture: mirrored(cropped(picture, 0.0, 0.1, 0.7, 0.9)),
    "a thumbnail of its middle": lambda picture: ImageOps.fit(picture, (180, 150), centering=(0.5, 0.4)),
}
COMPOSITE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "a white frame": lambda picture: framed(picture, 30, "white"),
    "a grey frame": lambda picture: framed(picture, 30, "#808890"),
    "letterbox": lambda picture: ImageOps.expand(picture, (0, 80), "black"),
    "a caption": lambda picture: captioned(picture, "A caption of some words"),
    "a tilted print": lambda picture: framed(picture, 40, "#f4f2ea").rotate(2, fillcolor="#705848"),
    "large letters": lettered,
    "a telephone's screen": chat_screenshot,
    "a browser's screen": browser_screenshot,
    "a collage": lambda picture: collage([picture, sized("camera"), sized("gravel"), sized("camera")], 400),
    "side by side": lambda picture: side_by_side(picture, sized("camera"), 400),
    "in another": lambda picture: picture_in_picture(sized("camera"), picture, 0.45),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edit", WHOLE)
def test_the_same_view_is_whole(edit: str, name: str) -> None:
    picture = sized(name)
    found = compared(WHOLE[edit](picture), picture)
    assert found.relation == Relation.WHOLE
    assert min(found.covered_a, found.covered_b) > 0.96
    assert found.mirrored == (edit == "mirrored")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edit", PART)
def test_a_crop_is_a_part(edit: str, name: str) -> None:
    picture = sized(name)
    crop = PART[edit](picture)
    assert compared(crop, picture).relation == Relation.PART
    assert compared(picture, crop).relation == Relation.CONTAINS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edit", COMPOSITE)
def test_what_holds_foreign_content_is_composite(edit: str, name: str) -> None:
    picture = sized(name)
    put_in = COMPOSITE[edit](picture)
    assert compared(put_in, picture).relation == Relation.COMPOSITE
    assert compared(picture, put_in).relation == Relation.COMPOSITE


@pytest.mark.parametrize("degrees", [-5, 2, 5])
def test_a_tilted_picture_with_empty_corners_is_a_part(degrees: float) -> None:
    picture = sized("chelsea")
    found, other = compared(tilted(picture, degrees), picture), compared(picture, tilted(picture, degrees))
    assert (found.relation, other.relation) == (Relation.PART, Relation.CONTAINS)
    assert found.turn_degrees == pytest.approx(degrees, abs=0.3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("degrees", [2, 7])
def test_a_tilted_picture_in_a_larger_frame_is_a_part_of_the_upright_one(name: str, degrees: float) -> None:
    picture = sized(name)
    enlarged = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="black")
    assert compared(enlarged, picture).relation == Relation.PART
    assert compared(picture, enlarged).relation == Relation.CONTAINS


@pytest.mark.parametrize("ground", ["white", "black", "#808080"])
@pytest.mark.parametrize("degrees", [2, 4])
def test_a_straightened_crop_does_not_make_a_plain_ground_an_empty_corner(ground: str, degrees: float) -> None:
    product = Image.new("RGB", (600, 440), ground)
    product.paste(sized("coffee").resize((300, 220)), (150, 110))
    turned = product.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=ground)
    crop = turned.crop((35, 30, 565, 410))
    found, other = compared(product, crop), compared(crop, product)
    # The larger one is no part of the other, so that it cannot go for it.
    assert found.relation != Relation.PART
    assert other.relation != Relation.CONTAINS
    assert (found.view_pdq, other.view_pdq) == (None, None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_what_a_narrow_crop_cut_off_is_seen(name: str, side: str) -> None:
    picture, box = sized(name), {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}
    cut = cropped(picture, *(box | {side: 0.03 if side in ("left", "top") else 0.97}).values())
    assert compared(cut, picture).relation == Relation.PART
    assert compared(picture, cut).relation == Relation.CONTAINS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edge_px", [6, 10])
def test_a_thin_frame_is_no_part_of_the_view(name: str, edge_px: int) -> None:
    picture = sized(name)
    assert compared(picture, framed(picture, edge_px, "white")).relation == Relation.COMPOSITE


@pytest.mark.parametrize("name", NAMES)
def test_a_low_caption_bar_is_no_part_of_the_view(name: str) -> None:
    picture = sized(name)
    bar = ImageOps.expand(picture, (0, 0, 0, round(picture.height * 0.033)), "black")
    written = bar.copy()
    font = ImageFont.load_default(size=10)
    ImageDraw.Draw(written).text((picture.width / 2, bar.height - 2), "taken in May", "white", font, anchor="md")
    assert compared(picture, written).relation == Relation.COMPOSITE


def test_a_full_size_crop_is_no_part_of_a_thumbnail_of_its_source_alone() -> None:
    source = sized("coffee")
    crop, thumbnail = cropped(source, 0.1, 0.1, 0.9, 0.9), ImageOps.contain(source, (160, 160))
    found = compared(crop, thumbnail)
    # The view is a part; that the thumbnail resolves less is measured apart.
    assert found.relation == Relation.PART
    assert found.covered_b == pytest.approx(0.64, abs=0.02)


def test_the_matched_region_is_where_the_crop_was_cut() -> None:
    source = sized("rocket")
    found = compared(cropped(source, 0.2, 0.1, 0.7, 0.8), source)
    np.testing.assert_allclose(found.region_a, (0, 0, 1, 1), atol=0.01)
    np.testing.assert_allclose(found.region_b, (0.2, 0.1, 0.7, 0.8), atol=0.01)
    assert (found.covered_a, found.covered_b) == pytest.approx((1.0, 0.35), abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_either_order_of_a_pair_gives_the_mirrored_answer(name: str) -> None:
    source = sized(name)
    crop = saved(cropped(source, 0.15, 0.1, 0.85, 0.9), 80)
    one, other = compared(crop, source), compared(source, crop)
    assert (one.covered_a, one.covered_b) == pytest.approx((other.covered_b, other.covered_a), abs=0.01)
    np.testing.assert_allclose(one.region_b, other.region_a, atol=0.01)
    assert one.turn_degrees == pytest.approx(-other.turn_degrees, abs=0.2)
    assert one.agreement.difference == pytest.approx(other.agreement.difference, abs=0.03)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_a_smaller_copy_of_a_form_is_whole(share: float) -> None:
    page = form((("Name", "Maria Keller"), ("Purpose", "Trade fair"), ("Amount", "418.60"), ("Date", "14 March")), 3)
    found = compared(scaled(page, share), page)
    assert (found.relation, found.agreement.foreign) == (Relation.WHOLE, 0.0)


@pytest.mark.parametrize("shadow_px", [0, 4, 10])
@pytest.mark.parametrize(("edge_px", "colour"), [(0, "white"), (1, "white"), (3, "white"), (6, "white"), (12, "white"),
                                                 (2, "black"), (8, "black")])  # fmt: skip
@pytest.mark.parametrize(("ground", "small"), [("camera", "astronaut"), ("coffee", "chelsea"), ("gravel", "rocket")])
def test_an_inset_has_a_seam(ground: str, small: str, edge_px: int, colour: str, shadow_px: int) -> None:
    put_in = ImageOps.contain(sized(small), (220, 220))
    both = inset(sized(ground), put_in, (150, 90), edge_px=edge_px, colour=colour, shadow_px=shadow_px)
    assert has_seam(grey_of(saved(both, 85)), corners(put_in) + np.array([150, 90]))


def test_plain_crops_have_none() -> None:
    pictures = [sized(name) for name in (*NAMES, "camera", "gravel")]
    pictures.append(receipt(("CORNER MARKET", "12 Harbour Road"), PURCHASE))
    seams, random = 0, np.random.default_rng(5)
    for picture in pictures:
        for _ in range(10):
            size = np.array(picture.size) * random.uniform(0.35, 0.85, 2)
            place = np.floor(random.uniform(0, np.array(picture.size) - size))
            square = Image.new("L", (int(size[0]), int(size[1])))
            seams += has_seam(grey_of(picture), corners(square) + place)
    assert seams <= 3  # of 70: what looks like a seam by chance is only kept from being proposed
