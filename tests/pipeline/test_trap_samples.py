"""Copies that hold more samples or fewer than they seem to: depth, transparency, frames, detail, and hardly any ink."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import in_turn
from PIL import Image
from trap_pictures import (
    alike_icon,
    animation,
    cut_out,
    eight_bits,
    fine_samples,
    flattened,
    marked_page,
    sixteen_bit_png,
)
from trap_workspace import found_in

from data.drawings import blank_page
from data.edits import encoded, exif_block, scaled
from data.photographs import photograph, photograph_bytes

Resampling = Image.Resampling


def original(name: str) -> bytes:
    return encoded(photograph(name), "JPEG", 92)


def plain_copy(name: str) -> bytes:
    return encoded(scaled(photograph(name), 0.6), "JPEG", 80)


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deep_first", [True, False], ids=["16 bits are older", "8 bits are older"])
@pytest.mark.parametrize("colours", [True, False], ids=["colours", "grey"])
def test_16_bits_stay_beside_8(tmp_path: Path, deep_first: bool, colours: bool) -> None:
    samples = fine_samples("coffee") if colours else fine_samples("coffee").mean(axis=2)
    deep = {"16 bits.png": sixteen_bit_png(samples)}
    shallow = {"8 bits.png": encoded(eight_bits(samples), "PNG")}
    found = found_in(tmp_path, {**deep, **shallow} if deep_first else {**shallow, **deep})
    assert found.keepers == {"8 bits.png": "16 bits.png"}
    assert found.removed["8 bits.png"].tier == "copy"


@pytest.mark.parametrize("alpha_first", [True, False], ids=["alpha is older", "alpha is newer"])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_alpha_stays_beside_flattened(tmp_path: Path, alpha_first: bool, form: str) -> None:
    with_alpha = cut_out(photograph("coffee"), 0.02)
    flat = f"flat.{form.lower()}"
    cut = {"cut out.png": encoded(with_alpha, "PNG")}
    rest = {flat: encoded(flattened(with_alpha, "white"), form, 92)}
    found = found_in(tmp_path, {**cut, **rest} if alpha_first else {**rest, **cut})
    assert frozenset(("cut out.png", flat)) in found.pairs
    assert found.keepers in ({flat: "cut out.png"}, {})


def test_other_transparency_over_the_same_colours_is_no_copy(tmp_path: Path) -> None:
    narrow, wide = (cut_out(photograph("coffee"), margin) for margin in (0.18, 0.0))
    files = {"narrow.png": encoded(narrow, "PNG"), "wide.png": encoded(wide, "PNG")}
    found = found_in(tmp_path, {**files, "whole.png": photograph_bytes("coffee"), "copy.jpg": plain_copy("coffee")})
    assert found.keepers == {"copy.jpg": "whole.png"}


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_two_animations_with_one_first_frame_stay(tmp_path: Path, form: str) -> None:
    names = ("chelsea", "coffee", "rocket", "astronaut", "clock")
    first, *others = (photograph(name).resize((240, 160)) for name in names)
    ending = form.lower()
    files = {
        f"cat then coffee.{ending}": animation([first, *others[:2]], form),
        f"cat then astronaut.{ending}": animation([first, *others[2:]], form),
        f"cat alone.{ending}": animation([first], form),
    }
    again = {f"again/cat then coffee.{ending}": files[f"cat then coffee.{ending}"]}
    found = found_in(tmp_path, {**files, **again})
    # The still has nothing that the animations lack, and may go.
    removed = {path: keeper for path, keeper in found.keepers.items() if "alone" not in path}
    assert removed == {f"again/cat then coffee.{ending}": f"cat then coffee.{ending}"}


def test_one_animation_with_another_comment_is_the_same(tmp_path: Path) -> None:
    frames = [photograph(name).resize((240, 160)) for name in ("chelsea", "coffee", "rocket")]
    files = {"one.gif": animation(frames, "GIF"), "same.gif": animation(frames, "GIF", "made on a Monday")}
    found = found_in(tmp_path, {**files, "shorter.gif": animation(frames[:2], "GIF")})
    assert {path: removal.tier for path, removal in found.removed.items()} == {"same.gif": "pixels"}


def test_the_samples_of_a_jpeg_as_png_are_the_same_pixels(tmp_path: Path) -> None:
    jpeg = original("coffee")
    stripped = encoded(photograph("chelsea"), "JPEG", 90)
    tagged = encoded(photograph("chelsea"), "JPEG", 90, exif_block("2020:01:02 03:04:05"))
    path = tmp_path / "jpeg"
    path.write_bytes(jpeg)
    with Image.open(path) as opened:
        png = encoded(opened.convert("RGB"), "PNG")
    found = found_in(tmp_path, {"photo.jpg": jpeg, "photo.png": png, "cat.jpg": tagged, "cat 2.jpg": stripped})
    assert {removal.tier for removal in found.removed.values()} == {"pixels"}
    assert set(found.removed) in ({"photo.png", "cat 2.jpg"}, {"photo.jpg", "cat 2.jpg"})


# --- resolution -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("by", [Resampling.NEAREST, Resampling.BICUBIC, Resampling.LANCZOS], ids=lambda by: by.name)
@pytest.mark.parametrize("stored", ["JPEG", "PNG"], ids=["of a JPEG", "of a PNG"])
def test_the_original_stays_beside_an_upscale(tmp_path: Path, form: str, by: Resampling, stored: str) -> None:
    # Each filter with either photograph, and each format; where examples are to be few, not all of them with both.
    names = in_turn(("coffee", "chelsea"), ("JPEG", "WEBP", "PNG").index(form) + (stored == "PNG"))
    files = {}
    for name in names:
        picture = photograph(name)
        large = picture.resize((2 * picture.width, 2 * picture.height), by)
        files[f"{name}.{stored.lower()}"] = encoded(picture, stored, 92)
        files[f"{name} large.{form.lower()}"] = encoded(large, form, 92)
        files[f"{name} small.jpg"] = plain_copy(name)
    found = found_in(tmp_path, files)
    for name in names:
        assert f"{name}.{stored.lower()}" not in found.removed
        assert found.keepers[f"{name} small.jpg"] == f"{name}.{stored.lower()}"


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_original_stays_beside_a_thumbnail_blown_up_to_its_size(tmp_path: Path, form: str) -> None:
    files = {}
    for name in ("coffee", "chelsea"):
        picture = photograph(name)
        files[f"{name} blown up.{form.lower()}"] = encoded(
            scaled(picture, 0.3).resize(picture.size, Resampling.LANCZOS), form, 95
        )
        files[f"{name}.jpg"] = original(name)
    found = found_in(tmp_path, files)
    for name in ("coffee", "chelsea"):
        assert f"{name}.jpg" not in found.removed
        assert frozenset((f"{name}.jpg", f"{name} blown up.{form.lower()}")) in found.pairs


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_the_large_original_stays_beside_a_downscale(tmp_path: Path, form: str) -> None:
    names = ("retina", "coffee", "astronaut")
    files = {}
    for name in names:
        files[f"{name} small.{form.lower()}"] = encoded(scaled(photograph(name), 0.5), form, 92)
        files[f"{name}.jpg"] = original(name)
    found = found_in(tmp_path, files)
    assert found.keepers == {f"{name} small.{form.lower()}": f"{name}.jpg" for name in names}


# --- little to see ----------------------------------------------------------------------------------------------------


def test_alike_icons_stay(tmp_path: Path) -> None:
    icons = {f"icons/{letter}.png": alike_icon(letter) for letter in "ABCDEFGHIJKLMNOPQRST"}
    found = found_in(tmp_path, {**icons, "copy of A.png": icons["icons/A.png"]})
    assert found.keepers == {"copy of A.png": "icons/A.png"}
    assert {removal.tier for removal in found.removed.values()} == {"bytes"}


@pytest.mark.parametrize("scanned_apart", [True, False], ids=["each with its own grain", "on one grain"])
def test_blank_pages_with_little_on_them_stay(tmp_path: Path, scanned_apart: bool) -> None:
    pages = {
        f"page {number:02}.jpg": encoded(
            marked_page(blank_page(number if scanned_apart else 1), number), "JPEG", 85
        )
        for number in range(12)
    }  # fmt: skip
    found = found_in(tmp_path, {**pages, "page 04 again.jpg": pages["page 04.jpg"]})
    assert found.keepers == {"page 04 again.jpg": "page 04.jpg"}
