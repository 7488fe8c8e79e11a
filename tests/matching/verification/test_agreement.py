"""Agreement: copies agree square by square, strangers do not, and what was put on shows."""

from __future__ import annotations

import numpy as np
import pytest
from looked_pictures import look, saved, sized
from PIL import Image, ImageDraw

from data.edits import brightened, greyed
from deeplens_kit.matching.verification.agreement import Agreement, agreement_of
from deeplens_kit.matching.verification.alignment import align


def agreement(a: Image.Image, b: Image.Image) -> Agreement:
    found = align(look(a), look(b), np.eye(2, 3))
    assert found is not None
    return agreement_of(found)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_copies_agree(name: str) -> None:
    picture = sized(name)
    for copy in (saved(picture, 60), greyed(picture), brightened(picture, 0.7)):
        found = agreement(picture, copy)
        assert found.difference < 0.08
        assert found.agreement > 0.93
        assert found.foreign == 0
        assert found.cells > 100


@pytest.mark.parametrize(("one", "other"), [("astronaut", "gravel"), ("chelsea", "coffee"), ("rocket", "camera")])
def test_strangers_do_not(one: str, other: str) -> None:
    size = (400, 400)
    found = agreement(sized(one).resize(size), sized(other).resize(size))
    assert found.difference > 0.9
    assert found.agreement < 0.4
    assert found.agreement_low < 0.1


def test_a_sticker_is_foreign() -> None:
    picture = sized("chelsea")
    stuck = picture.copy()
    stuck.paste(sized("astronaut").resize((120, 120)), (240, 120))
    found = agreement(picture, stuck)
    area = 120 * 120 / (picture.width * picture.height)
    assert 0.5 * area < found.foreign < 1.8 * area
    assert found.agreement > 0.95  # the rest is still the same


def test_a_thin_line_is_not_foreign() -> None:
    picture = sized("chelsea")
    lined = picture.copy()
    ImageDraw.Draw(lined).line((300, 0, 300, 60), fill="white", width=1)
    assert agreement(picture, lined).foreign == 0


def test_a_warped_picture_wobbles() -> None:
    picture = sized("gravel")
    samples = np.asarray(picture.convert("L"))
    rows, columns = np.indices(samples.shape)
    bent = np.clip(columns + np.rint(1.6 * np.sin(rows / 25)).astype(int), 0, samples.shape[1] - 1)
    warped = Image.fromarray(samples[rows, bent])
    assert agreement(picture, picture).wobble_px < 0.1
    assert agreement(picture, warped).wobble_px > 0.3


def test_blank_pictures_say_nothing() -> None:
    blank = Image.new("L", (300, 300), 240)
    assert agreement(blank, blank) == Agreement(1.0, 0.0, 0.0, 0, 1.0, 0.0, False)
