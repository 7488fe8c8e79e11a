"""Copies that hold more samples or fewer than they seem to: depth, transparency, frames, detail, and hardly any ink."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from trap_pictures import (
    alike_icon,
    animation,
    cut_out,
    flattened,
    marked_page,
)
from trap_workspace import found_in

from data.drawings import blank_page
from data.edits import encoded, scaled
from data.photographs import photograph, photograph_bytes

Resampling = Image.Resampling


def original(name: str) -> bytes:
    return encoded(photograph(name), "JPEG", 92)


def plain_copy(name: str) -> bytes:
    return encoded(scaled(photograph(name), 0.6), "JPEG", 80)


# --- samples ----------------------------------------------------------------------------------------------------------


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


# --- resolution -------------------------------------------------------------------------------------------------------


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
