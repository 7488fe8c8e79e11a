"""Floating-point and very large whole numbers are shown in the range that was meant, whatever a few of them say."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from data.format_samples import tiff
from deeplens_kit.decode import decode_picture
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
COLOURS = skimage.data.chelsea()
GREY = COLOURS.mean(axis=2)


def _shown(samples, **options):
    kind = "rgb" if samples.ndim == 3 else "minisblack"
    return decode_picture(tiff(samples, photometric=kind, **options), LIMITS).rgb.astype(float)


@pytest.mark.parametrize("picture", [COLOURS, GREY], ids=["colour", "grey"])
@pytest.mark.parametrize("white", [1.0, 1.005, 255.0])
def test_a_picture_up_to_white_is_shown_as_it_is(picture, white):
    found = _shown((picture / 255 * white).astype(np.float32))
    assert found.mean() == pytest.approx(picture.mean(), abs=1.5)


@pytest.mark.parametrize("picture", [COLOURS, GREY], ids=["colour", "grey"])
@pytest.mark.parametrize("white", [1.3, 2.0, 4.0, 20.0])
def test_a_picture_that_goes_beyond_white_is_not_black(picture, white):
    found = _shown((picture / 255 * white).astype(np.float32))
    assert picture.mean() - 1 <= found.mean() <= 1.35 * picture.mean()


def test_a_few_highlights_do_not_darken_the_rest():
    light = (COLOURS / 255).astype(np.float32)
    light[:20, :40] = 50.0
    rest = _shown(light)[60:]
    assert rest.mean() == pytest.approx(COLOURS[60:].mean(), rel=0.06)


@pytest.mark.parametrize("picture", [COLOURS, GREY], ids=["colour", "grey"])
def test_ringing_below_black_changes_nothing(picture):
    light = (picture / 255).astype(np.float32)
    light[:20, :20] = -0.02
    assert _shown(light)[60:].mean() == pytest.approx(_shown((picture / 255).astype(np.float32))[60:].mean(), abs=0.5)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.004), (0.0, 6.0), (-0.7, 0.9), (-40.0, 60.0), (280.0, 310.0), (1200.0, 3400.0), (0, 9e6)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measured_values_of_any_range_show_something(low, high, dtype):
    values = (low + GREY / GREY.max() * (high - low)).astype(dtype)
    assert _shown(values).std() > 15


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.float32])
@pytest.mark.parametrize("high", [255, 4000, 65535])
def test_whole_numbers_of_32_bits_show_their_picture(dtype, high):
    for picture in (COLOURS, GREY):
        values = np.round(picture / picture.max() * high).astype(dtype)
        assert _shown(values).std() > 0.8 * picture.std()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 7.0, -3.0, np.nan, np.inf])
def test_one_value_everywhere_is_a_picture(value):
    found = _shown(np.full((40, 60), value, np.float32))
    assert found.std() == 0
