"""Damaged files end in one of our errors, and a part of a picture is never taken for the whole."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.picture_files import encode_picture
from deeplens_kit.decode import decode_luma, decode_picture, native_samples
from deeplens_kit.decode.signature import FORMATS
from deeplens_kit.errors import CorruptPictureError, NotAPictureError, ObjectError, UnsupportedFormatError
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings(max_pixels=4_000_000)

VARIANTS = {
    **{name: (name, {}) for name in FORMATS},
    "JPEG progressive": ("JPEG", {"progressive": True}),
    "JPEG cmyk": ("JPEG", {}),
    "GIF animated": ("GIF", {"save_all": True}),
    "PNG animated": ("PNG", {"save_all": True}),
    "WEBP lossless": ("WEBP", {"lossless": True}),
    "WEBP animated": ("WEBP", {"save_all": True}),
    "TIFF lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF jpeg": ("TIFF", {"compression": "jpeg"}),
    "TIFF pages": ("TIFF", {"save_all": True}),
    "TIFF big": ("TIFF", {"big_tiff": True}),
}


# Written by other libraries than Pillow; see conftest.
ELSEWHERE = ("HEIF", "JXL", "PSD", "RAW", "ICO", "PNM")


@functools.cache
def _sample(variant: str) -> bytes:
    format_name, options = VARIANTS[variant]
    image = Image.fromarray(skimage.data.coffee()).resize((96, 64))
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    stream = io.BytesIO()
    if variant == "JPEG cmyk":
        image = image.convert("CMYK")
    if options.get("save_all"):
        options = {**options, "append_images": [image.rotate(90), image.rotate(180)]}
    if format_name in ELSEWHERE:
        return encode_picture(image, format_name, **options)
    if format_name in ("GIF", "BMP", "TGA", "JPEG2000"):
        image.save(stream, format_name, **options)
    else:
        image.save(stream, format_name, exif=exif, **options)
    return stream.getvalue()


def _outcome(data: bytes) -> type[BaseException] | None:
    for decode in (decode_picture, decode_luma):
        try:
            decode(data, LIMITS)
        except ObjectError as error:
            message = str(error)
            assert "\n" not in message
            assert " at 0x" not in message
            return type(error)
    return None


@settings(max_examples=250, deadline=None)
@given(variant=st.sampled_from(sorted(VARIANTS)), part=st.floats(0, 1, exclude_max=True))
def test_truncation_is_told(variant, part):
    data = _sample(variant)
    outcome = _outcome(data[: int(len(data) * part)])
    assert outcome in (CorruptPictureError, NotAPictureError, UnsupportedFormatError, None)


@pytest.mark.parametrize(
    "variant",
    [
        *("JPEG", "JPEG progressive", "JPEG cmyk", "PNG", "BMP", "WEBP", "WEBP lossless"),
        *("JPEG2000", "JXL", "PSD", "TGA", "PNM", "ICO", "RAW"),
    ],
)
def test_no_cut_passes_for_a_whole_picture(variant):
    data = _sample(variant)
    for length in sorted({*range(12, len(data), max(1, len(data) // 60)), *range(len(data) - 20, len(data))}):
        outcome = _outcome(data[:length])
        if outcome is None and variant in ("JPEG cmyk", "RAW"):
            # Only the end marker, or what fills up the last byte, may be missing here: the samples must all be there.
            assert np.array_equal(decode_picture(data[:length], LIMITS).rgb, decode_picture(data, LIMITS).rgb)
        else:
            assert outcome in (CorruptPictureError, UnsupportedFormatError), length


@settings(max_examples=600, deadline=None)
@given(
    variant=st.sampled_from(sorted(VARIANTS)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    near_start=st.booleans(),
)
def test_flipped_bytes_end_in_our_errors(variant, flips, near_start):
    data = bytearray(_sample(variant))
    reach = min(len(data), 400) if near_start else len(data)
    for place, value in flips:
        data[int(place * reach)] = value
    _outcome(bytes(data))


@settings(max_examples=150, deadline=None)
@given(
    head=st.sampled_from(
        [
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\x40\x00\x00\x00WEBPVP8 ",
            b"II*\x00",
            b"MM\x00+",
            b"BM" + bytes(12) + b"\x28\x00\x00\x00",
            b"\x00\x00\x00\x14ftypheic",
            b"\x00\x00\x00\x14ftypavif",
            b"\x00\x00\x00\x18ftypcrx ",
            b"FUJIFILMCCD-RAW 0201",
            b"FOVb",
            b"IIU\x00\x18\x00\x00\x00",
            b"8BPS\x00\x01" + bytes(6) + b"\x00\x03\x00\x00\x00\x40\x00\x00\x00\x40\x00\x08\x00\x03",
            b"\xff\x0a",
            b"\xff\x4f\xff\x51",
            b"P6\n64 64\n255\n",
            b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x68\x04\x00\x00\x16\x00\x00\x00",
        ]
    ),
    rest=st.binary(max_size=300),
)
def test_garbage_after_a_signature_is_corrupt(head, rest):
    assert _outcome(head + rest) is not None


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=600))
def test_any_bytes_at_all(data):
    _outcome(data)


def test_empty_bytes():
    with pytest.raises(UnsupportedFormatError, match="empty file"):
        decode_picture(b"", LIMITS)


def test_a_corrupted_scan_is_not_half_a_picture(encode, limits):
    data = bytearray(encode(Image.fromarray(skimage.data.coffee()), "JPEG"))
    data[len(data) // 2 : len(data) // 2 + 2] = b"\xff\xd9"  # the end, in the middle
    with pytest.raises(CorruptPictureError):
        decode_picture(bytes(data), limits)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"PLTE"])
def test_png_checksums_are_checked(kind, encode, limits, small_photo):
    image = small_photo.quantize(16) if kind == b"PLTE" else small_photo
    data = bytearray(encode(image, "PNG"))
    at = data.index(kind)
    data[at + 4 + 5] ^= 1
    with pytest.raises(CorruptPictureError):
        decode_picture(bytes(data), limits)


def test_a_tiff_cut_behind_its_directory_is_corrupt(limits, encode, small_photo):
    for compression in (None, "jpeg", "tiff_lzw"):
        data = encode(small_photo, "TIFF", compression=compression)
        first = int.from_bytes(data[4:8], "little")
        if first < len(data) // 2:  # the directory comes first, the samples are what is cut
            with pytest.raises(CorruptPictureError):
                decode_picture(data[:-40], limits)


def test_messages_name_the_format(encode, limits, small_photo):
    for format_name in FORMATS:
        if format_name == "TGA":
            continue  # half of one cannot be told from anything else
        data = encode(small_photo, format_name)
        with pytest.raises(CorruptPictureError, match=format_name):
            decode_picture(data[: len(data) // 2], limits)


@pytest.mark.parametrize("part", [0.5, 0.99])
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_damage_is_told_in_words_for_a_person(variant, part):
    data = _sample(variant)
    try:
        decode_picture(data[: int(len(data) * part)], LIMITS)
    except ObjectError as error:
        said = str(error)
        assert "b'" not in said and ": is " not in said and "error -" not in said
        assert not any(word in said for word in ("JXL_DEC", "iloc", "Input/output", "Premature", "AVIF, BMP"))


def test_what_follows_the_last_whole_frame_of_a_gif_does_not_cost_it(small_photo):
    whole = encode_picture(small_photo, "GIF")
    assert whole.endswith(b";")
    followed = whole[:-1] + b"GIF89a, and whatever else"
    found = decode_picture(followed, LIMITS)
    assert np.array_equal(found.rgb, decode_picture(whole, LIMITS).rgb)
    assert found.metadata.frames == 1
    assert native_samples(followed, LIMITS) == ""  # nobody knows what else it holds
