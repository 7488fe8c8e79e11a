"""Pictures come out upright, whatever way their samples are stored."""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from deeplens_kit.decode import decode_picture
from deeplens_kit.settings import DecodeSettings

# EXIF orientation -> what a camera did to the upright picture when it stored it (the inverse of uprighting).
STORED_FROM_UPRIGHT = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
JPEG_NOISE = 4.0


def _stored(upright: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    method = STORED_FROM_UPRIGHT[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return (upright.transpose(method) if method is not None else upright), exif


def _saved(image: Image.Image, format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_upright_in_every_format(format_name, orientation, photo, limits, difference):
    stored, exif = _stored(photo, orientation)
    options = {"quality": 95} if format_name != "PNG" else {}
    decoded = decode_picture(_saved(stored, format_name, exif=exif, **options), limits)
    assert difference(decoded.rgb, photo.resize((384, 256), Image.Resampling.LANCZOS)) <= JPEG_NOISE
    assert decoded.metadata.orientation == orientation
    assert (decoded.metadata.width_px, decoded.metadata.height_px) == photo.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heif_is_upright_by_its_container(orientation, small_photo, limits, difference):
    stored, exif = _stored(small_photo, orientation)
    stream = io.BytesIO()
    # Writes the orientation as the container's own rotation, as phones do.
    pillow_heif.encode("RGB", stored.size, stored.tobytes(), stream, exif=exif.tobytes(), quality=95)
    decoded = decode_picture(stream.getvalue(), limits)
    assert difference(decoded.rgb, small_photo) <= JPEG_NOISE
    assert (decoded.metadata.width_px, decoded.metadata.height_px) == small_photo.size


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    orientation=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_storing_and_decoding_are_inverse(width, height, orientation, seed):
    samples = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stored, exif = _stored(Image.fromarray(samples), orientation)
    decoded = decode_picture(_saved(stored, "PNG", exif=exif), DecodeSettings())
    assert np.array_equal(decoded.rgb, samples)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_orientations_that_do_not_exist_change_nothing(value, small_photo, limits):
    exif = Image.Exif()
    exif[0x0112] = value
    decoded = decode_picture(_saved(small_photo, "PNG", exif=exif), limits)
    assert np.array_equal(decoded.rgb, np.asarray(small_photo))
    assert decoded.metadata.orientation == 1


def test_pillow_agrees(photo, limits, difference):
    for orientation in range(1, 9):
        stored, exif = _stored(photo.resize((200, 100)), orientation)
        data = _saved(stored, "PNG", exif=exif)
        with Image.open(io.BytesIO(data)) as opened:
            assert difference(decode_picture(data, limits).rgb, ImageOps.exif_transpose(opened)) == 0
