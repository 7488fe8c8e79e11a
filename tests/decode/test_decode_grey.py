"""Grey samples: upright at any size, near to what the colours give, and as strict as colours about damage."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.decode import decode_grey, decode_luma, decode_preview
from deeplens_kit.errors import CorruptPictureError, LimitExceededError
from deeplens_kit.settings import DecodeSettings

# What subsampled colours and two roundings move of a grey level.
NEAR = 2.0
STORED_FROM_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def off(grey, image) -> float:
    wanted = np.asarray(image.convert("L"), np.int16)
    assert grey.shape == wanted.shape
    return float(np.abs(grey.astype(np.int16) - wanted).mean())


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP"])
def test_grey_is_the_grey_of_the_colours(format_name, photo, encode, limits) -> None:
    data = encode(photo, format_name)
    small = decode_grey(data, limits, 200)
    assert off(small, Image.fromarray(decode_preview(data, limits, 200).rgb)) < NEAR
    whole = decode_grey(data, limits)
    assert whole.shape == (photo.height, photo.width)
    assert off(whole, Image.fromarray(decode_luma(data, limits))) < NEAR


@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
@pytest.mark.parametrize("side_px", [None, 150])
def test_grey_is_upright_at_every_size(orientation, side_px, photo, encode, limits) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(photo.transpose(STORED_FROM_UPRIGHT[orientation]), "JPEG", quality=95, exif=exif)
    wanted = photo if side_px is None else photo.resize((150, 100), Image.Resampling.HAMMING)
    assert off(decode_grey(data, limits, side_px), wanted) < 2 * NEAR


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpeg_without_chroma_planes_or_with_ink_is_grey_too(mode, photo, encode, limits) -> None:
    assert off(decode_grey(encode(photo.convert(mode), "JPEG", quality=95), limits, 600), photo) < 3 * NEAR


def test_jpeg_that_holds_rgb_itself_is_grey_too(photo, encode, limits) -> None:
    data = encode(photo, "JPEG", quality=95, keep_rgb=True)
    assert off(decode_grey(data, limits), photo) < NEAR


def test_transparency_lies_on_white_and_nothing_is_enlarged(encode, limits) -> None:
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    grey = decode_grey(encode(image, "PNG"), limits, 1024)
    assert grey.shape == (30, 40)
    assert grey.min() == 255
    grey[0, 0] = 1  # what is given is the caller's


def test_damage_and_limits_are_told_as_for_colours(photo, encode, limits) -> None:
    data = encode(photo, "JPEG")
    with pytest.raises(CorruptPictureError):
        decode_grey(data[: len(data) // 2], limits)
    with pytest.raises(LimitExceededError):
        decode_grey(data, DecodeSettings(max_pixels=1000))
