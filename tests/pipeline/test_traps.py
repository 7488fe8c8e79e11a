"""What looks like a copy and is worth keeping: each trap is a folder of real files, and nothing is removed wrongly.

Every folder also holds a plain copy that has to be found, so that finding nothing passes no test.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_workspace import Found, found_in

from data.compositions import browser_screenshot, chat_screenshot, collage, framed, picture_in_picture, side_by_side
from data.edits import captioned, cropped, encoded, greyed, mirrored, scaled, turned
from data.photographs import photograph

ORIGINAL = "original.jpg"
OTHERS = ("chelsea", "rocket", "astronaut")


def original(name: str = "coffee") -> bytes:
    return encoded(photograph(name), "JPEG", 92)


def plain_copy(name: str = "coffee") -> bytes:
    return encoded(scaled(photograph(name), 0.6), "JPEG", 80)


# --- what has to be found ---------------------------------------------------------------------------------------------


def test_plain_copies_are_found_and_proposed(tmp_path: Path) -> None:
    picture = photograph("coffee")
    copies = {
        "saved again.jpg": encoded(picture, "JPEG", 75),
        "other form.webp": encoded(picture, "WEBP", 70),
        "smaller.jpg": encoded(scaled(picture, 0.4), "JPEG", 88),
        "turned.jpg": encoded(turned(picture), "JPEG", 85),
        "mirrored.jpg": encoded(mirrored(picture), "JPEG", 85),
        "grey.jpg": encoded(greyed(picture), "JPEG", 85),
    }
    found = found_in(tmp_path, {ORIGINAL: original(), **copies})
    assert found.keepers == dict.fromkeys(copies, ORIGINAL)
    assert {removal.tier for removal in found.removed.values()} == {"copy"}
    assert {removal.relation for removal in found.removed.values()} == {"whole"}


# --- composites -------------------------------------------------------------------------------------------------------


COMPOSITES = {
    "2x2.jpg": lambda p: collage([photograph(name) for name in OTHERS] + [p], 300),
    "beside.jpg": lambda p: side_by_side(p, photograph("rocket"), 400),
    "inset.jpg": lambda p: picture_in_picture(photograph("retina").resize((900, 900)), p, 0.42),
    "inset at full size.jpg": lambda p: picture_in_picture(photograph("hubble"), p, 0.6),
    "chat.png": chat_screenshot,
    "browser.png": browser_screenshot,
    "caption.jpg": lambda p: captioned(p, "the best coffee in town"),
    "frame.jpg": lambda p: framed(p, 30, "white"),
    "wide frame.jpg": lambda p: framed(p, 60, "#202020"),
}


@pytest.fixture(scope="module")
def composites(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """An original, a plain copy of it, what they are part of, and the other pictures of the collages."""
    picture = photograph("coffee")
    made = {
        path: encoded(make(picture), "PNG" if path.endswith("png") else "JPEG", 90) for path, make in COMPOSITES.items()
    }
    others = {f"{name}.jpg": original(name) for name in OTHERS}
    files = {ORIGINAL: original(), **others, "plain copy.jpg": plain_copy(), **made}
    return found_in(tmp_path_factory.mktemp("composites"), files)


def test_an_original_and_its_copies_inside_a_collage_stay(composites: Found) -> None:
    assert composites.keepers == {"plain copy.jpg": ORIGINAL}


# The original is a third of the side of the 2x2 collage, cut square: it is no candidate of it, and stays for that.
@pytest.mark.parametrize("path", sorted(set(COMPOSITES) - {"2x2.jpg"}))
def test_a_composite_is_reported_as_one(composites: Found, path: str) -> None:
    assert composites.relation(ORIGINAL, path) == "composite"


# Screenshots are lossless and stay beside a JPEG even so.
@pytest.mark.parametrize("path", ["caption.jpg", "frame.jpg"])
def test_composites_are_shown_on_demand(composites: Found, path: str) -> None:
    widened = composites.widened(["composite"])
    assert widened["plain copy.jpg"].relation == "whole"
    assert ORIGINAL not in widened
    assert (widened[path].keeper, widened[path].relation) == (ORIGINAL, "composite")


def test_two_collages_with_one_picture_in_both_stay(tmp_path: Path) -> None:
    shared = photograph("coffee")
    first = collage([shared, photograph("chelsea"), photograph("rocket"), photograph("camera")], 300)
    second = collage([photograph("astronaut"), photograph("brick"), photograph("clock"), shared], 300)
    files = {"first.jpg": encoded(first, "JPEG", 92), "second.jpg": encoded(second, "JPEG", 92)}
    found = found_in(tmp_path, {**files, "first, smaller.jpg": encoded(scaled(first, 0.7), "JPEG", 80)})
    assert found.keepers == {"first, smaller.jpg": "first.jpg"}


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_full_size_crop_and_a_thumbnail_of_its_source_both_stay(tmp_path: Path) -> None:
    picture = photograph("coffee")
    files = {
        "thumbnail.jpg": encoded(scaled(picture, 0.3), "JPEG", 90),
        "crop.jpg": encoded(cropped(picture, 0.15, 0.1, 0.8, 0.85), "JPEG", 90),
    }
    found = found_in(tmp_path, {**files, "chelsea.jpg": original("chelsea"), "small.jpg": plain_copy("chelsea")})
    assert found.keepers == {"small.jpg": "chelsea.jpg"}


@pytest.mark.parametrize("box", [(0.15, 0.1, 0.8, 0.85), (0.0, 0.0, 0.7, 1.0), (0.3, 0.25, 0.95, 0.9)])
def test_a_crop_of_a_source_that_is_there_is_a_part_of_it(tmp_path: Path, box: tuple[float, ...]) -> None:
    picture = photograph("coffee")
    crop = encoded(cropped(picture, *box), "JPEG", 85)
    found = found_in(tmp_path, {ORIGINAL: original(), "crop.jpg": crop, "thumbnail.jpg": plain_copy()})
    assert found.keepers == {"crop.jpg": ORIGINAL, "thumbnail.jpg": ORIGINAL}
    assert found.removed["crop.jpg"].relation == "part"
    assert found.removed["thumbnail.jpg"].relation == "whole"
    assert found.relation(ORIGINAL, "crop.jpg") in {"part", "contains"}


def test_two_crops_of_one_source_stay(tmp_path: Path) -> None:
    picture = photograph("coffee")
    files = {
        "left.jpg": encoded(cropped(picture, 0.0, 0.0, 0.7, 1.0), "JPEG", 92),
        "right.jpg": encoded(cropped(picture, 0.3, 0.0, 1.0, 1.0), "JPEG", 90),
    }
    copy = encoded(scaled(cropped(picture, 0.0, 0.0, 0.7, 1.0), 0.6), "JPEG", 80)
    found = found_in(tmp_path, {**files, "left, smaller.jpg": copy})
    assert found.keepers == {"left, smaller.jpg": "left.jpg"}
