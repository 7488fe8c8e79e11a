"""Every format comes out as the picture that went in, whatever its mode."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from deeplens_kit.decode import decode_luma, decode_picture, decode_preview
from deeplens_kit.decode.signature import FORMATS

LOSSLESS_TOLERANCE = 0.0
LOSSY_TOLERANCE = 9.0  # mean grey levels; quality 75 with halved chroma on a small, colourful photograph
PALETTE_TOLERANCE = 8.0
DEVELOPED_TOLERANCE = 25.0  # LibRaw brightens and interpolates


@pytest.mark.parametrize("format_name", FORMATS)
def test_small_pictures_keep_their_size_and_samples(format_name, small_photo, encode, limits, difference):
    decoded = decode_picture(encode(small_photo, format_name), limits)
    tolerance = {"GIF": PALETTE_TOLERANCE, "RAW": DEVELOPED_TOLERANCE}.get(format_name, LOSSY_TOLERANCE)
    if format_name in ("PNG", "BMP", "TIFF", "ICO", "JPEG2000", "PNM", "PSD", "TGA"):
        tolerance = LOSSLESS_TOLERANCE
    assert difference(decoded.rgb, small_photo) <= tolerance
    assert decoded.rgb.dtype == np.uint8
    assert decoded.rgb.flags.c_contiguous
    assert decoded.metadata.format == format_name
    assert (decoded.metadata.width_px, decoded.metadata.height_px) == small_photo.size


@pytest.mark.parametrize("format_name", FORMATS)
def test_large_pictures_are_reduced_to_the_thumbnail_side(format_name, photo, encode, limits, difference):
    if format_name == "ICO":
        pytest.skip("icons are small")
    decoded = decode_picture(encode(photo, format_name), limits)
    tolerance = DEVELOPED_TOLERANCE if format_name == "RAW" else LOSSY_TOLERANCE
    assert difference(decoded.rgb, photo.resize((384, 256), Image.Resampling.LANCZOS)) <= tolerance
    assert (decoded.metadata.width_px, decoded.metadata.height_px) == photo.size


@pytest.mark.parametrize("size", [(385, 1), (1, 1000), (3000, 2), (384, 384), (383, 500), (769, 768), (1, 1)])
def test_extreme_shapes_are_fitted(size, encode, limits):
    for format_name in ("JPEG", "PNG"):
        decoded = decode_picture(encode(Image.new("RGB", size, (10, 200, 30)), format_name), limits)
        height, width = decoded.rgb.shape[:2]
        assert max(width, height) == min(384, max(size))
        assert (decoded.metadata.width_px, decoded.metadata.height_px) == size
        assert np.abs(decoded.rgb.astype(int) - (10, 200, 30)).max() <= 3


def test_preview_gives_more_pixels_than_the_thumbnail(photo, encode, limits):
    data = encode(photo, "JPEG")
    assert decode_preview(data, limits, 600).rgb.shape == (400, 600, 3)
    assert decode_preview(data, limits, 500).rgb.shape == (333, 500, 3)
    assert decode_preview(data, limits, 2000).rgb.shape == (400, 600, 3)
    with pytest.raises(ValueError, match="side_px"):
        decode_preview(data, limits, 0)


@pytest.mark.parametrize("format_name", FORMATS)
def test_luma_is_the_whole_picture_in_grey(format_name, photo, encode, limits, difference):
    shown = photo.resize((240, 160)) if format_name == "ICO" else photo
    luma = decode_luma(encode(shown, format_name), limits)
    assert difference(luma, shown.convert("L")) <= (DEVELOPED_TOLERANCE if format_name == "RAW" else LOSSY_TOLERANCE)


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"optimize": True}, {"restart_marker_rows": 1}],
)
def test_jpeg_flavours(options, small_photo, encode, limits, difference):
    assert (
        difference(decode_picture(encode(small_photo, "JPEG", **options), limits).rgb, small_photo) <= LOSSY_TOLERANCE
    )


def test_rgb_jpeg_without_colour_transform(small_photo, encode, limits, difference):
    data = encode(small_photo, "JPEG", keep_rgb=True, quality=95)
    assert difference(decode_picture(data, limits).rgb, small_photo) <= LOSSY_TOLERANCE


def test_jpeg_with_stray_bytes_between_segments_is_read(photo, encode, limits, difference):
    data = encode(photo, "JPEG", quality=90)
    table = data.index(b"\xff\xc4")
    decoded = decode_picture(data[:table] + b"\x00\x01\x02" + data[table:], limits)
    assert difference(decoded.rgb, photo.resize((384, 256), Image.Resampling.LANCZOS)) <= LOSSY_TOLERANCE


def test_jpeg_with_trailing_data_is_read(small_photo, encode, limits, difference):
    data = encode(small_photo, "JPEG", quality=90)
    assert difference(decode_picture(data + b"motion photo" * 50, limits).rgb, small_photo) <= LOSSY_TOLERANCE


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma", None], ids=str
)
@pytest.mark.parametrize("big", [False, True])
def test_tiff_compressions(compression, big, small_photo, encode, limits, difference):
    decoded = decode_picture(encode(small_photo, "TIFF", compression=compression, big_tiff=big), limits)
    assert difference(decoded.rgb, small_photo) <= (LOSSY_TOLERANCE if compression == "jpeg" else LOSSLESS_TOLERANCE)
    assert decoded.metadata.lossless is (compression != "jpeg")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_tiff_of_another_writer(byteorder, tile, small_photo, limits, difference):
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.asarray(small_photo), photometric="rgb", byteorder=byteorder, tile=tile)
    assert difference(decode_picture(stream.getvalue(), limits).rgb, small_photo) == 0


def test_first_frame_of_animations_and_pages(small_photo, encode, limits, difference):
    frames = [small_photo, small_photo.rotate(180), Image.new("RGB", small_photo.size, "red")]
    for format_name in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        data = encode(frames[0], format_name, save_all=True, append_images=frames[1:])
        decoded = decode_picture(data, limits)
        assert decoded.metadata.frames == 3, format_name
        assert difference(decoded.rgb, small_photo) <= PALETTE_TOLERANCE, format_name


def test_gif_frame_that_covers_a_part_of_its_canvas(limits):
    canvas = (40, 30)
    first = Image.new("P", (10, 10), 1)
    first.putpalette([0, 0, 0, 255, 0, 0])
    stream = io.BytesIO()
    first.save(stream, "GIF")
    data = bytearray(stream.getvalue())
    data[6:10] = canvas[0].to_bytes(2, "little") + canvas[1].to_bytes(2, "little")
    decoded = decode_picture(bytes(data), limits)
    assert decoded.rgb.shape == (30, 40, 3)
    assert decoded.rgb[5, 5].tolist() == [255, 0, 0]


def test_the_name_of_the_format_is_in_the_bytes_alone(small_photo, encode, limits, tmp_path):
    misnamed = tmp_path / "picture.jpg"
    misnamed.write_bytes(encode(small_photo, "PNG"))
    assert decode_picture(misnamed.read_bytes(), limits).metadata.format == "PNG"
