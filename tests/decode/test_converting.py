"""Pictures converted from every format that is read into every one that is written, and the copies looked at again."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from data.picture_files import encode_picture
from deeplens_kit.decode import TARGETS, ConversionTarget, Converted, convert_picture, decode_picture, native_samples
from deeplens_kit.decode.converting.blocks import stored_blocks, tells_position
from deeplens_kit.decode.picture import open_picture
from deeplens_kit.errors import (
    CorruptPictureError,
    LimitExceededError,
    SettingsError,
    UnknownNameError,
    UnsupportedFormatError,
)
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
SOURCES = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP")
# JPEG XL is looked at through its own decoder: no reader is asked of this test.
READ_BACK = tuple(sorted(set(TARGETS) - {"jxl"}))
# Grey levels on average. JPEG XL moves blue by 4 where nobody sees it; a turned photograph is 50 away.
NEAR = 6
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="6" xmp:Rating="5"/></x:xmpmeta>'


@lru_cache(maxsize=1)  # a profile holds the second in which it was made
def swapped_primaries() -> bytes:
    """A profile that is not sRGB: its red and green lie elsewhere (here: sRGB's with the columns exchanged)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def camera_exif(orientation: int = 1, *, position: bool = True) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x0132] = "Maker", "Model 5", orientation, "2024:05:06 07:08:09"
    if position:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 30.0, 0.0), "E", (11.0, 15.0, 0.0)
    exif.get_ifd(0x8769)[0x927C] = b"raw notes of the maker"
    return exif


def converted(data: bytes, format_name: str, **options: Any) -> Converted:
    return convert_picture(data, ConversionTarget(format_name, **options), LIMITS)


def seen(data: bytes) -> np.ndarray:
    """The copy as another program shows it: upright, sRGB as far as the profile is applied by nobody."""
    if data[4:8] == b"JXL ":
        return np.asarray(imagecodecs.jpegxl_decode(data))
    return decode_picture(data, LIMITS).rgb


def gradient16(channels: int) -> np.ndarray:
    ramp = np.linspace(0, 65535, 96 * 64 * channels).reshape(64, 96, channels)
    return np.ascontiguousarray(ramp.astype(np.uint16)).squeeze()


def png16(channels: int = 3) -> bytes:
    return bytes(imagecodecs.png_encode(gradient16(channels)))


def animated(format_name: str, **options: Any) -> bytes:
    frames = [Image.new("RGBA", (40, 30), (number * 60, 10, 200, 255)) for number in range(4)]
    stream = io.BytesIO()
    frames[0].save(stream, format_name, save_all=True, append_images=frames[1:], duration=120, loop=2, **options)
    return stream.getvalue()


@pytest.mark.parametrize("format_name", sorted(TARGETS))
@pytest.mark.parametrize("source", SOURCES)
def test_every_format_becomes_every_other(
    source: str, format_name: str, small_photo: Image.Image, difference: Callable[..., float]
) -> None:
    data = encode_picture(small_photo, source)
    found = converted(data, format_name)
    assert (found.source_format, found.format) == (source, TARGETS[format_name].format)
    assert (found.width_px, found.height_px, found.frames, found.bits) == (120, 80, 1, 8)
    assert difference(seen(found.data), decode_picture(data, LIMITS).rgb) < NEAR
    assert found.exact is (format_name in ("png", "tiff"))
    if found.exact:
        assert (found.psnr_db, found.ssim) == (None, 1.0)
    else:
        assert found.psnr_db is not None and found.psnr_db > 30 and found.ssim > 0.9
        assert any("compressed with loss, PSNR" in words for words in found.lost)


@pytest.mark.parametrize("format_name", sorted(set(TARGETS) - {"jpeg"}))
def test_lossless_keeps_every_sample(format_name: str, small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "BMP")
    found = converted(data, format_name, lossless=True)
    assert found.exact
    assert found.lost == ()
    np.testing.assert_array_equal(seen(found.data), np.asarray(small_photo))


@pytest.mark.parametrize("format_name", ["png", "tiff", "webp"])
def test_native_samples_agree_that_nothing_is_lost(format_name: str, small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "PNG", icc_profile=swapped_primaries())
    assert native_samples(converted(data, format_name, lossless=True).data, LIMITS) == native_samples(data, LIMITS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", sorted(TARGETS))
def test_the_orientation_is_applied_once(
    format_name: str, orientation: int, small_photo: Image.Image, difference: Callable[..., float]
) -> None:
    data = encode_picture(small_photo, "JPEG", exif=camera_exif(orientation).tobytes(), xmp=XMP, quality=95)
    found = converted(data, format_name)
    upright = decode_picture(data, LIMITS)
    assert (found.width_px, found.height_px) == (upright.metadata.width_px, upright.metadata.height_px)
    assert difference(seen(found.data), upright.rgb) < NEAR
    assert b'tiff:Orientation="6"' not in found.data
    if format_name != "jxl":
        _, _, header = open_picture(found.data, LIMITS)
        assert header.exif.orientation == 1


@pytest.mark.parametrize("format_name", sorted(TARGETS))
def test_metadata_goes_along_as_it_is_and_only_what_was_asked_for_stays_behind(
    format_name: str, small_photo: Image.Image
) -> None:
    data = encode_picture(small_photo, "JPEG", exif=camera_exif().tobytes(), xmp=XMP)
    whole = converted(data, format_name)
    assert whole.has_position
    assert b"raw notes of the maker" in whole.data
    assert b'xmp:Rating="5"' in whole.data
    assert not any("EXIF" in words or "XMP" in words for words in whole.lost)
    bare = converted(data, format_name, strip_metadata=True)
    assert not bare.has_position
    for secret in (b"Maker", b"raw notes", b"xmpmeta"):
        assert secret not in bare.data
    assert any(words == "EXIF (time, camera, position), as asked" for words in bare.lost)
    assert "XMP, as asked" in bare.lost


def position_xmp(inner: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:e="http://ns.adobe.com/exif/1.0/" {inner}/></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize(
    ("format_name", "lossless"),
    [*((name, False) for name in sorted(TARGETS)), ("jxl", True)],  # the whole JPEG goes along
)
def test_a_position_in_xmp_alone_is_told(format_name: str, lossless: bool, small_photo: Image.Image) -> None:
    xmp = position_xmp('e:GPSLatitude="48,30.0N" e:GPSLongitude="11,15.0E"')
    data = encode_picture(small_photo, "JPEG", xmp=xmp)
    assert converted(data, format_name, lossless=lossless).has_position
    assert not converted(data, format_name, lossless=lossless, strip_metadata=True).has_position


def test_a_position_in_the_second_part_of_a_long_xmp_goes_along_with_a_whole_jpeg(small_photo: Image.Image) -> None:
    second, name = position_xmp('e:GPSLatitude="48,30.0N"'), b"0123456789ABCDEF0123456789ABCDEF"
    first = position_xmp(f'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{name.decode()}"')
    data = encode_picture(small_photo, "JPEG", xmp=first)
    body = b"http://ns.adobe.com/xmp/extension/\x00" + name + len(second).to_bytes(4, "big") + bytes(4) + second
    at = data.index(b"\xff\xdb")
    data = data[:at] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[at:]
    assert converted(data, "jxl", lossless=True).has_position
    assert not converted(data, "png").has_position


@pytest.mark.parametrize(
    ("xmp", "told"),
    [
        (position_xmp('e:GPSLatitude="48,30.0N"'), True),
        (position_xmp('e:GPSLatitude="48,30.0N"').decode().encode("utf-16"), True),
        (position_xmp('e:GPSLatitude="48,30.0N"')[:-30], True),
        (position_xmp('e:GPSLatitude="48,30.0N" e:Broken="&nothing;"'), True),
        (position_xmp('e:GPSLatitude=""'), False),
        (position_xmp('e:GPSVersionID="2.3.0.0" e:GPSLatitudeRef="N" e:FNumber="28/10"'), False),
        (position_xmp('e:FNumber="28/10"')[:-30], False),
        (None, False),
    ],
)
def test_what_xmp_tells_of_the_position(xmp: bytes | None, told: bool) -> None:
    assert tells_position(xmp) is told


@pytest.mark.parametrize("source", ["AVIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("format_name", READ_BACK)
def test_exif_of_every_source_reaches_every_copy(source: str, format_name: str, small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, source, exif=camera_exif(position=source != "TIFF").tobytes())
    found = converted(data, format_name)
    facts = open_picture(found.data, LIMITS)[2].exif
    assert facts.camera == "Maker Model 5"
    assert facts.taken_at is not None and facts.taken_at.isoformat() == "2024-05-06T07:08:09"
    assert found.has_position is (source != "TIFF")


def test_the_exif_block_keeps_every_offset(small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "JPEG", exif=camera_exif(6).tobytes())
    before = stored_blocks("JPEG", data).exif
    assert before is not None
    for format_name in ("avif", "heif", "jpeg", "png", "webp"):
        found = converted(data, format_name)
        after = stored_blocks(found.format, found.data).exif
        assert after is not None and len(after) == len(before)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1, "the orientation alone"
    tiff = converted(data, "tiff").data
    assert tiff[8 : len(before)].count(b"raw notes of the maker") == 1
    assert tiff.index(b"raw notes") == before.index(b"raw notes")


def test_a_preview_goes_where_it_would_show_something_else(small_photo: Image.Image) -> None:
    exif = camera_exif()
    preview = encode_picture(small_photo.resize((30, 20)), "JPEG")
    block = bytearray(exif.tobytes().removeprefix(b"Exif\0\0"))
    order = "little" if block.startswith(b"II") else "big"
    first = int.from_bytes(block[4:8], order)
    count = int.from_bytes(block[first : first + 2], order)
    place = len(block) + (len(block) & 1)
    block += bytes(len(block) & 1)
    block[first + 2 + 12 * count : first + 6 + 12 * count] = place.to_bytes(4, order)
    entries = [(513, place + 2 + 24 + 4), (514, len(preview))]
    block += len(entries).to_bytes(2, order)
    for tag, value in entries:
        block += b"".join(item.to_bytes(size, order) for item, size in ((tag, 2), (4, 2), (1, 4), (value, 4)))
    block += bytes(4) + preview
    data = encode_picture(small_photo, "JPEG", exif=b"Exif\0\0" + bytes(block))
    same, reduced = converted(data, "webp"), converted(data, "webp", max_side_px=60)
    assert preview in same.data and preview not in reduced.data
    assert any("preview" in words for words in reduced.lost)
    assert not any("preview" in words for words in same.lost)


@pytest.mark.parametrize("format_name", READ_BACK)
def test_the_profile_is_embedded_again(format_name: str, small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "PNG", icc_profile=swapped_primaries())
    for options in ({}, {} if format_name == "jpeg" else {"lossless": True}):
        found = converted(data, format_name, **options)
        assert open_picture(found.data, LIMITS)[2].icc == swapped_primaries()
        assert not any("profile" in words for words in found.lost)


def test_a_profile_that_cannot_come_along_is_applied(
    small_photo: Image.Image, difference: Callable[..., float]
) -> None:
    data = encode_picture(small_photo, "PNG", icc_profile=swapped_primaries())
    found = converted(data, "jxl", lossless=True)
    assert not found.exact
    assert "the colour profile: colours became sRGB, for jxl holds none" in found.lost
    assert difference(seen(found.data), decode_picture(data, LIMITS).rgb) == 0
    assert difference(seen(found.data), small_photo) > 10, "the profile changes colours, or the test shows nothing"


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("format_name", ["png", "tiff", "jxl"])
def test_16_bits_stay_where_they_can(format_name: str, channels: int) -> None:
    found = converted(png16(channels), format_name, **({"lossless": True} if format_name == "jxl" else {}))
    assert (found.bits, found.source_bits, found.exact, found.lost) == (16, 16, True, ())
    if format_name == "jxl":
        samples = imagecodecs.jpegxl_decode(found.data)
    else:
        samples = cv2.imdecode(np.frombuffer(found.data, np.uint8), cv2.IMREAD_UNCHANGED)
        samples = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]
    np.testing.assert_array_equal(samples, gradient16(channels))


@pytest.mark.parametrize(("format_name", "bits"), [("avif", 12), ("heif", 10), ("jpeg", 8), ("webp", 8)])
def test_fewer_bits_are_told(format_name: str, bits: int) -> None:
    found = converted(png16(), format_name)
    assert (found.bits, found.source_bits, found.exact) == (bits, 16, False)
    assert f"depth: 16 bits a sample became {bits}" in found.lost


def test_deep_avif_is_read_deep() -> None:
    deep = converted(png16(), "avif", lossless=True)
    again = converted(deep.data, "png")
    assert (again.source_bits, again.bits) == (12, 16)
    samples = imagecodecs.png_decode(again.data)
    assert np.abs(samples.astype(int) - gradient16(3)).max() <= 9, "12 bits of 16"


@pytest.mark.parametrize("format_name", sorted(set(TARGETS) - {"jpeg"}))
def test_transparency_stays(format_name: str, small_photo: Image.Image) -> None:
    rgba = small_photo.copy()
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
    found = converted(encode_picture(rgba, "PNG"), format_name, lossless=True)
    assert (found.exact, found.lost) == (True, ())


def test_transparency_that_jpeg_lacks_is_laid_on_white_and_told(small_photo: Image.Image) -> None:
    rgba = small_photo.copy()
    rgba.putalpha(0)
    found = converted(encode_picture(rgba, "PNG"), "jpeg")
    assert "transparency: laid on white, for jpeg has none" in found.lost
    assert seen(found.data).min() == 255
    rgba.putalpha(255)
    opaque = converted(encode_picture(rgba, "PNG"), "jpeg")
    assert not any("transparency" in words for words in opaque.lost), "nothing was transparent"


@pytest.mark.parametrize("source", ["GIF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("format_name", sorted(TARGETS))
def test_frames_stay_or_are_told(source: str, format_name: str) -> None:
    found = converted(animated(source), format_name)
    assert found.source_frames == 4
    if TARGETS[format_name].animation:
        assert found.frames == 4
        assert not any("frames" in words for words in found.lost)
        with Image.open(io.BytesIO(found.data)) as copy:
            assert copy.n_frames == 4
            copy.seek(2)
            assert np.abs(np.asarray(copy.convert("RGB"))[15, 20] - np.array([120, 10, 200])).max() <= 6
            assert copy.info["duration"] == 120
    else:
        assert (found.frames, found.exact) == (1, False)
        assert "frames: only the first of 4 is kept" in found.lost


def test_a_loss_free_animation_is_exact() -> None:
    for format_name in ("png", "webp"):
        found = converted(animated("GIF"), format_name, lossless=True)
        assert (found.exact, found.lost) == (True, ()), format_name


def test_pages_and_inks_are_told(small_photo: Image.Image) -> None:
    stream = io.BytesIO()
    small_photo.save(stream, "TIFF", save_all=True, append_images=[small_photo.rotate(180)])
    assert "pages: only the first of 2 is kept" in converted(stream.getvalue(), "png").lost
    inks = converted(encode_picture(small_photo.convert("CMYK"), "TIFF"), "tiff")
    assert "colours: CMYK became sRGB" in inks.lost
    assert not inks.exact


def test_what_lies_beside_the_picture_is_named(small_photo: Image.Image) -> None:
    plain = encode_picture(small_photo, "JPEG")
    telling = b"http://ns.adobe.com/xap/1.0/\x00" + b'GCamera:MotionPhoto="1"'
    moving = plain[:2] + b"\xff\xe1" + (2 + len(telling)).to_bytes(2, "big") + telling
    found = converted(moving + plain[2:] + b"\0\0\0\x18ftypmp42" + bytes(300), "webp")
    assert "the video of the motion photo" in found.lost
    assert any(words.startswith("XMP, which speaks of parts") for words in found.lost)
    commented = encode_picture(small_photo, "JPEG", comment=b"taken by hand")
    assert "the comment in the file" in converted(commented, "webp").lost


def test_a_jpeg_comes_back_whole_out_of_jpeg_xl(small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "JPEG", exif=camera_exif(6).tobytes(), comment=b"kept too")
    found = converted(data, "jxl", lossless=True)
    assert (found.exact, found.lost, found.width_px, found.height_px) == (True, (), 80, 120)
    assert len(found.data) < len(data)
    assert bytes(imagecodecs.jpegxl_decode_jpeg(found.data)) == data
    assert imagecodecs.jpegxl_decode(found.data).shape == (120, 80, 3)
    assert b"Maker" not in converted(data, "jxl", lossless=True, strip_metadata=True).data


@pytest.mark.parametrize("deep", [False, True])
def test_the_long_side_is_reduced_and_never_enlarged(deep: bool) -> None:
    data = png16(4) if deep else encode_picture(Image.fromarray(gradient16(3).astype(np.uint8)), "PNG")
    found = converted(data, "png", max_side_px=48)
    assert (found.width_px, found.height_px) == (48, 32)
    assert "size: 96 × 64 became 48 × 32 px" in found.lost
    assert converted(data, "png", max_side_px=4000).exact


def test_reducing_16_bits_does_not_let_hidden_colours_through() -> None:
    frame = np.zeros((64, 64, 4), dtype=np.uint16)
    frame[:, :32] = (65535, 0, 0, 65535)
    frame[:, 32:] = (0, 65535, 0, 0)  # green that nobody sees
    found = converted(bytes(imagecodecs.png_encode(frame)), "png", max_side_px=16)
    samples = imagecodecs.png_decode(found.data).astype(int)
    visible = samples[samples[..., 3] > 6000]
    assert visible[:, 1].max() < 700


def test_what_cannot_be_converted_says_why(small_photo: Image.Image) -> None:
    whole = encode_picture(small_photo, "JPEG")
    for format_name in ("png", "jxl"):
        with pytest.raises(CorruptPictureError):
            converted(whole[: len(whole) // 2], format_name, **({"lossless": True} if format_name == "jxl" else {}))
    with pytest.raises(UnsupportedFormatError, match="PDF"):
        converted(b"%PDF-1.7 ...", "png")
    with pytest.raises(LimitExceededError, match="max_pixels"):
        convert_picture(whole, ConversionTarget("png"), DecodeSettings(max_pixels=100))
    wide = encode_picture(Image.new("L", (16400, 2)), "PNG")
    with pytest.raises(LimitExceededError, match=r"webp holds at most 16,383 px a side.*--max-side"):
        converted(wide, "webp")
    assert converted(wide, "webp", max_side_px=1000).width_px == 1000


def test_broken_exif_costs_exif_alone(small_photo: Image.Image) -> None:
    data = encode_picture(small_photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x00 no directory here")
    found = converted(data, "png")
    assert found.exact
    assert "EXIF" in found.lost


def test_targets_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="jpeg"):
        ConversionTarget("jpg")
    with pytest.raises(SettingsError, match="jpeg cannot keep every sample"):
        ConversionTarget("jpeg", lossless=True)
    with pytest.raises(SettingsError, match="1 to 100"):
        ConversionTarget("webp", quality=0)
    for options in ({"format": "png"}, {"format": "webp", "lossless": True}):
        with pytest.raises(SettingsError, match="leave it out"):
            ConversionTarget(quality=80, **options)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="at least 1"):
        ConversionTarget("webp", max_side_px=0)


def test_a_lower_quality_is_smaller_and_further_away(photo: Image.Image) -> None:
    data = encode_picture(photo.resize((300, 200)), "PNG")
    for format_name in ("avif", "heif", "jpeg", "jxl", "webp"):
        low, high = (converted(data, format_name, quality=quality) for quality in (30, 95))
        assert len(low.data) < len(high.data), format_name
        assert low.psnr_db is not None and high.psnr_db is not None and low.psnr_db < high.psnr_db, format_name
        assert low.ssim < high.ssim <= 1, format_name


def test_colours_under_transparency_are_told_where_they_change_and_only_there(small_photo: Image.Image) -> None:
    rgba = small_photo.copy()
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size).point(lambda level: 0 if level < 128 else 255))
    told = "colours under full transparency"
    assert told in converted(encode_picture(rgba, "PNG"), "webp").lost
    assert told not in converted(encode_picture(rgba, "PNG"), "webp", lossless=True).lost
    assert told not in converted(animated("PNG"), "webp").lost, "nothing is transparent there"


def test_equal_neighbours_of_an_animation_are_joined_and_told() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "red", "blue")]
    stream = io.BytesIO()
    # libwebp keeps both of two equal frames where key frames are asked for.
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True, kmax=1)
    with Image.open(io.BytesIO(stream.getvalue())) as source:
        stored = source.n_frames
    found = converted(stream.getvalue(), "png")
    assert found.source_frames == stored
    assert found.frames == 2
    assert (stored == 2) or "frames: 3 became 2; equal neighbours were joined" in found.lost


def test_jpeg_xl_gives_its_metadata_back() -> None:
    data = encode_picture(Image.new("RGB", (64, 48), "red"), "JPEG", exif=camera_exif().tobytes(), xmp=XMP)
    blocks = stored_blocks("JXL", converted(data, "jxl").data)
    assert blocks.exif is not None and b"raw notes of the maker" in blocks.exif
    assert blocks.xmp is not None and b'xmp:Rating="5"' in blocks.xmp
