"""Formats beyond those of the web: what is taken as the picture, and what is refused with a reason."""

from __future__ import annotations

import io
import struct
from datetime import datetime

import cv2
import imagecodecs
import numpy as np
import pytest
import rawpy
from PIL import Image

from data.format_samples import (
    ARITHMETIC_JPEG,
    CAMERA,
    COLOURS,
    DEEP,
    ICC,
    ODD_JPEG,
    PHOTO,
    SIZE,
    clear,
    heic_sequence,
    jpeg2000_with_metadata,
    jxl,
    jxl_with_exif,
    layered,
    ppm_16,
    raw,
    saved,
    tiff,
    two_pictures,
    without_composite,
)
from deeplens_kit.decode import decode_picture, decode_preview, native_samples
from deeplens_kit.decode.colour import linear_to_srgb
from deeplens_kit.errors import CorruptPictureError, LimitExceededError, UnsupportedFormatError
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
EXACT, NEARLY = 0.0, 1.0  # mean grey levels; rounding on the way from 16 bits or floating point
LOSSY, DEVELOPED = 9.0, 25.0
GREY = np.asarray(PHOTO.convert("L"))
GREY_RGB = np.asarray(PHOTO.convert("L").convert("RGB"))
LIGHT = np.where(COLOURS <= 10, COLOURS / 255 / 12.92, ((COLOURS / 255 + 0.055) / 1.055) ** 2.4).astype(np.float32)


def difference(data: bytes, wanted: np.ndarray = COLOURS) -> float:
    found = decode_picture(data, LIMITS).rgb
    assert found.shape == wanted.shape
    return float(np.abs(found.astype(int) - wanted).mean())


def mode(data: bytes) -> str:
    return decode_picture(data, LIMITS).metadata.mode


# --- TIFF ----------------------------------------------------------------------------------------------------

PLANES = DEEP.transpose(2, 0, 1).copy()
SHARES = COLOURS.astype(np.float32) / 255
OPAQUE = np.full(COLOURS.shape[:2], 65535, np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (DEEP, {}),
        (PLANES, {"planarconfig": "separate"}),
        (PLANES, {"planarconfig": "separate", "tile": (32, 32)}),
        (DEEP, {"compression": "zlib", "predictor": True}),
        (DEEP.astype(np.uint32) * 65537, {}),
        (SHARES, {}),
        (SHARES.transpose(2, 0, 1).copy(), {"planarconfig": "separate"}),
        (SHARES.astype(np.float64), {}),
        (SHARES.astype(np.float16), {}),
        (SHARES, {"compression": "zlib", "predictor": True}),
        ((COLOURS.astype(np.int16) - 128).astype(np.int8), {}),
        (np.dstack([DEEP, OPAQUE]), {"extrasamples": ["unassalpha"]}),
        (COLOURS, {"compression": "jpegxl"}),
        (COLOURS, {"compression": "webp"}),
        (COLOURS, {"compression": "jpeg2000"}),
        (COLOURS, {"compression": "lerc"}),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else " ".join(map(str, value)) or "plain",
)
def test_every_layout_of_colour_in_tiff(samples, options, big, order):
    if order == ">" and options.get("compression") in ("jpegxl", "webp", "jpeg2000", "lerc"):
        pytest.skip("these streams have their own byte order")
    data = tiff(samples, photometric="rgb", bigtiff=big, byteorder=order, **options)
    assert difference(data) <= NEARLY
    # Whatever is deeper than what stays is never given up for it, so that every depth has its name.
    bits = {1: "", 2: ";16", 4: ";32", 8: ";64"}[samples.dtype.itemsize]
    assert mode(data) == f"{'RGBA' if samples.shape[2] == 4 else 'RGB'}{bits}{'f' if samples.dtype.kind == 'f' else ''}"


@pytest.mark.parametrize("kind", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32, np.float64])
def test_every_layout_of_grey_in_tiff(kind, dtype):
    if kind == "miniswhite" and np.dtype(dtype).kind == "f":
        pytest.skip("measured values have no paper")
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1.0
    samples = (GREY / 255 * top).astype(dtype)
    if kind == "miniswhite":
        samples = top - samples
    data = tiff(samples.astype(dtype), photometric=kind)
    assert difference(data, GREY_RGB) <= NEARLY + 0.5
    assert mode(data) == {"uint8": "L", "uint16": "I;16", "uint32": "I", "float32": "F"}.get(
        np.dtype(dtype).name, "L;64f"
    )


def test_samples_that_were_scaled_have_no_native_digest():
    for samples in (PLANES, SHARES, DEEP.astype(np.uint32)):
        options = {"planarconfig": "separate"} if samples is PLANES else {}
        assert native_samples(tiff(samples, photometric="rgb", **options), LIMITS) == ""
    assert native_samples(tiff(DEEP, photometric="rgb"), LIMITS) != ""


def test_the_first_page_is_the_picture():
    pages = np.stack([COLOURS, np.zeros_like(COLOURS)])
    data = tiff(pages, photometric="rgb")
    assert difference(data) == EXACT
    found = decode_picture(data, LIMITS).metadata
    assert (found.frames, found.auxiliary) == (2, "pages")
    assert native_samples(data, LIMITS) == ""


def test_a_tiff_of_very_many_channels_is_held_against_the_limit():
    data = bytearray(tiff(COLOURS, photometric="rgb"))
    at = data.index(struct.pack("<HHI", 277, 3, 1)) + 8
    data[at : at + 2] = struct.pack("<H", 60_000)
    with pytest.raises(LimitExceededError, match="pixels"):
        decode_picture(bytes(data), DecodeSettings(max_pixels=10_000_000))


# --- JPEG ----------------------------------------------------------------------------------------------------


def test_jpeg_of_twelve_bits():
    data = imagecodecs.jpeg8_encode(COLOURS.astype(np.uint16) * 16, bitspersample=12, level=98)
    assert difference(data) <= LOSSY
    grey = imagecodecs.jpeg8_encode(GREY.astype(np.uint16) * 16, bitspersample=12, level=98)
    assert difference(grey, GREY_RGB) <= NEARLY
    assert (mode(data), mode(grey)) == ("RGB;16", "I;16")
    assert native_samples(data, LIMITS) == native_samples(grey, LIMITS) == ""


def test_lossless_jpeg():
    data = imagecodecs.jpeg8_encode(COLOURS, lossless=True)
    assert difference(data) == EXACT
    assert decode_picture(data, LIMITS).metadata.lossless
    deep = imagecodecs.ljpeg_encode(GREY.astype(np.uint16) * 257, bitspersample=16)
    assert difference(deep, GREY_RGB) == EXACT


def test_jpegs_that_other_decoders_fill_up_are_whole_or_nothing():
    for data in (
        imagecodecs.jpeg8_encode(COLOURS, lossless=True),
        imagecodecs.jpeg8_encode(COLOURS.astype(np.uint16) * 16, bitspersample=12),
    ):
        for length in range(len(data) // 4, len(data) - 1, 97):
            with pytest.raises(CorruptPictureError):
                decode_picture(data[:length], LIMITS)


def test_arithmetic_coding():
    found = decode_picture(ARITHMETIC_JPEG, LIMITS)
    wanted = cv2.resize(COLOURS, (24, 16), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(found.rgb.ravel(), wanted.ravel())[0, 1] > 0.97
    assert native_samples(ARITHMETIC_JPEG, LIMITS) != ""


def test_a_jpeg_of_unusual_sampling():
    found = decode_picture(ODD_JPEG, LIMITS)
    wanted = cv2.resize(COLOURS, (24, 16), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(found.rgb.ravel(), wanted.ravel())[0, 1] > 0.9
    with pytest.raises(CorruptPictureError):
        decode_picture(ODD_JPEG[:-60], LIMITS)


@pytest.mark.parametrize("adobe", [True, False])
def test_ink_is_read_the_right_way_round(adobe):
    data = saved("JPEG", PHOTO.convert("CMYK"), quality=95)  # as Adobe's: inverted, and marked so
    if not adobe:
        marker = data.index(b"\xff\xee")
        length = int.from_bytes(data[marker + 2 : marker + 4], "big")
        ink = Image.fromarray(255 - np.asarray(PHOTO.convert("CMYK")), "CMYK")
        data = saved("JPEG", ink, quality=95)
        data = data[:marker] + data[marker + 2 + length :]
    assert difference(data) <= 4.0


def test_an_mpo_shows_its_first_picture():
    data = saved("MPO", save_all=True, append_images=[PHOTO.rotate(180)], quality=95)
    assert difference(data) <= LOSSY
    assert decode_picture(data, LIMITS).metadata.format == "JPEG"


def test_hierarchical_jpeg_is_named():
    data = bytearray(saved("JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC5
    with pytest.raises(UnsupportedFormatError, match="hierarchical"):
        decode_picture(bytes(data), LIMITS)


# --- JPEG XL and JPEG 2000 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "wanted", "tolerance"),
    [
        (jxl(lossless=True), COLOURS, EXACT),
        (jxl(distance=1.0), COLOURS, LOSSY),
        (jxl(usecontainer=True, lossless=True), COLOURS, EXACT),
        (jxl(LIGHT, lossless=True), COLOURS, NEARLY),  # floating point is linear light
        (jxl(GREY, lossless=True), GREY_RGB, EXACT),
        (jxl(DEEP, lossless=True), linear_to_srgb(DEEP.astype(np.float32) / 65535), NEARLY),
        (jxl(np.stack([COLOURS, COLOURS[::-1]]), lossless=True), COLOURS, EXACT),
    ],
    ids=["lossless", "lossy", "container", "floating point", "grey", "16 bits of linear light", "animation"],
)
def test_jpeg_xl(data, wanted, tolerance):
    assert difference(data, wanted) <= tolerance


def test_what_a_jpeg_xl_says_of_itself():
    found = decode_picture(jxl(lossless=True), LIMITS).metadata
    assert (found.format, found.lossless, found.frames, found.has_alpha) == ("JXL", True, 1, False)
    assert not decode_picture(jxl(distance=1.0), LIMITS).metadata.lossless
    assert decode_picture(jxl(np.asarray(clear()), lossless=True), LIMITS).metadata.has_alpha
    assert decode_picture(jxl(np.stack([COLOURS] * 3)), LIMITS).metadata.frames > 1
    assert mode(jxl(LIGHT)) == "RGB;32f"
    for data in (jxl_with_exif(), jxl_with_exif(packed=True)):
        assert decode_picture(data, LIMITS).metadata.camera == CAMERA


def test_a_jpeg_in_jpeg_xl_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = saved("JPEG", exif=exif.tobytes(), quality=95)
    data = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg))
    found, plain = decode_picture(data, LIMITS), decode_picture(jpeg, LIMITS)
    assert np.abs(found.rgb.astype(int) - plain.rgb).mean() <= 2
    assert (found.metadata.width_px, found.metadata.height_px) == SIZE[::-1]


def test_jpeg_2000():
    for options in ({}, {"no_jp2": True}):
        data = saved("JPEG2000", **options)
        assert difference(data) == EXACT
        assert decode_picture(data, LIMITS).metadata.lossless
    lossy = saved("JPEG2000", irreversible=True, quality_layers=[10])
    assert difference(lossy) <= LOSSY
    assert not decode_picture(lossy, LIMITS).metadata.lossless
    assert decode_picture(saved("JPEG2000", clear()), LIMITS).metadata.has_alpha
    deep = imagecodecs.jpeg2k_encode(DEEP, codecformat="jp2")
    assert difference(deep) <= NEARLY
    assert mode(deep) == "RGB;16"
    found = decode_picture(jpeg2000_with_metadata(), LIMITS).metadata
    assert (found.camera, found.has_icc) == (CAMERA, True)


def test_a_large_jpeg_2000_is_decoded_no_finer_than_asked(monkeypatch):
    large = PHOTO.resize((1600, 1200))
    asked: list[tuple[int, int]] = []
    whole = Image.Image.resize

    def resized(image: Image.Image, *args: object, **named: object) -> Image.Image:
        asked.append(image.size)
        return whole(image, *args, **named)

    monkeypatch.setattr(Image.Image, "resize", resized)
    found = decode_picture(saved("JPEG2000", large), LIMITS)
    assert asked == [(400, 300)]
    assert found.rgb.shape == (288, 384, 3)
    assert (found.metadata.width_px, found.metadata.height_px) == large.size


# --- Camera RAW ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("with_preview", [False, True])
def test_a_raw_is_upright_with_and_without_its_preview(orientation, with_preview):
    preview = saved("JPEG", quality=95) if with_preview else None
    data = raw(preview=preview, orientation=orientation, date="2020:01:02 03:04:05")
    turn = {1: 0, 3: 180, 6: -90, 8: 90}[orientation]
    assert difference(data, np.asarray(PHOTO.rotate(turn, expand=True))) <= (LOSSY if with_preview else DEVELOPED)
    found = decode_picture(data, LIMITS).metadata
    wanted = SIZE if orientation in (1, 3) else SIZE[::-1]
    assert (found.width_px, found.height_px, found.orientation) == (*wanted, 1)
    assert (found.format, found.mode, found.lossless, found.auxiliary) == ("RAW", "RGB;16", True, "sensor data")
    assert (found.camera, found.taken_at) == (CAMERA, datetime(2020, 1, 2, 3, 4, 5))
    assert native_samples(data, LIMITS) == ""


def test_a_preview_is_used_where_it_is_big_enough(monkeypatch):
    preview = saved("JPEG", PHOTO.resize((48, 32)))
    data = raw(preview=preview)
    developed: list[bool] = []

    class Watched(rawpy.RawPy):
        def postprocess(self, *args: object, **named: object) -> np.ndarray:
            developed.append(bool(named["half_size"]))
            return super().postprocess(*args, **named)

    monkeypatch.setattr("deeplens_kit.decode.formats.raw.rawpy.RawPy", Watched)
    assert decode_preview(data, LIMITS, 40).rgb.shape == (27, 40, 3)
    assert developed == []
    assert decode_preview(data, LIMITS, 48).rgb.shape == (32, 48, 3)
    assert developed == []
    assert decode_preview(data, LIMITS, 49).rgb.shape == (33, 49, 3)
    assert developed == [False]
    assert decode_preview(raw(), LIMITS, 48).rgb.shape == (32, 48, 3)
    assert developed == [False, True]


@pytest.mark.parametrize(
    "preview",
    [saved("JPEG")[:-200] + bytes(200), saved("JPEG", PHOTO.resize((64, 96))), saved("JPEG", PHOTO.resize((960, 640)))],
    ids=["broken", "of another shape", "larger than the sensor"],
)
def test_a_preview_that_is_no_use_costs_nothing(preview):
    assert difference(raw(preview=preview)) <= DEVELOPED


def test_a_preview_of_plain_samples_is_used(monkeypatch):
    thumb = rawpy.Thumbnail(rawpy.ThumbFormat.BITMAP, np.full((32, 48, 3), (200, 10, 10), np.uint8))

    class Plain(rawpy.RawPy):
        def extract_thumb(self) -> object:
            return thumb

    monkeypatch.setattr("deeplens_kit.decode.formats.raw.rawpy.RawPy", Plain)
    assert decode_preview(raw(), LIMITS, 48).rgb[5, 5].tolist() == [200, 10, 10]


def test_a_raw_is_held_against_the_limits():
    with pytest.raises(LimitExceededError, match="6,144 pixels"):
        decode_picture(raw(), DecodeSettings(max_pixels=6_143))


# --- Photoshop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "1"])
def test_the_composite_of_a_psd(mode):
    image = PHOTO.convert(mode)
    # How inks are mixed is for others to say; Pillow takes black of a bitmap for white.
    wanted = Image.open(io.BytesIO(saved("PSD", image))) if mode == "CMYK" else image
    assert difference(saved("PSD", image), np.asarray(wanted.convert("RGB"))) <= NEARLY


def psd(planes: np.ndarray, kind: int, *, big: bool = False, layers: bytes = b"", palette: bytes = b"") -> bytes:
    """A PSD by the book: raw samples, `layers` the count of layers as two bytes."""
    channels, height, width = planes.shape
    head = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 2 if big else 1, channels, height, width, 8 * planes.dtype.itemsize, kind
    )
    width_of_size = ">Q" if big else ">I"
    section = struct.pack(width_of_size, len(layers)) + layers if layers else b""
    return b"".join([
        head, struct.pack(">I", len(palette)), palette, struct.pack(">I", 0),
        struct.pack(width_of_size, len(section)), section, struct.pack(">H", 0), planes.tobytes(),
    ])  # fmt: skip


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    "planes",
    [
        COLOURS.transpose(2, 0, 1),
        PLANES.astype(">u2"),
        LIGHT.transpose(2, 0, 1).astype(">f4"),
    ],
    ids=["8 bits", "16 bits", "32 bits"],
)
def test_psd_and_psb_of_every_depth(planes, big):
    data = psd(planes, 3, big=big)
    assert difference(data) <= NEARLY
    assert mode(data) == {1: "RGB", 2: "RGB;16", 4: "RGB;32f"}[planes.dtype.itemsize]


def test_transparency_of_a_psd_is_that_of_its_layers():
    planes = np.asarray(clear()).transpose(2, 0, 1)
    assert not decode_picture(psd(planes, 3), LIMITS).metadata.has_alpha  # a saved selection
    found = decode_picture(psd(planes, 3, layers=struct.pack(">h", -1)), LIMITS)
    assert found.metadata.has_alpha
    assert found.rgb[5, 5].tolist() == [255, 255, 255]
    assert found.metadata.auxiliary == "layers"


def test_a_palette_of_a_psd():
    image = PHOTO.quantize(64)
    colours = np.frombuffer(bytes(image.getpalette() or b"").ljust(768, b"\0"), np.uint8).reshape(256, 3)
    data = psd(np.asarray(image)[np.newaxis], 2, palette=colours.T.tobytes())
    assert difference(data, np.asarray(image.convert("RGB"))) == EXACT


def test_a_psd_without_a_composite_is_named():
    with pytest.raises(UnsupportedFormatError, match="without a composite"):
        decode_picture(without_composite(), LIMITS)
    with pytest.raises(UnsupportedFormatError, match="multichannel"):
        decode_picture(psd(COLOURS.transpose(2, 0, 1), 7), LIMITS)
    assert difference(layered(1)) == EXACT


# --- Icons, TGA, portable maps -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "bmp"])
def test_the_largest_picture_of_an_icon(kind):
    square = PHOTO.resize((64, 64))
    stream = io.BytesIO()
    square.save(stream, "ICO", sizes=[(16, 16), (64, 64), (32, 32)], bitmap_format=kind)
    assert difference(stream.getvalue(), np.asarray(square)) == EXACT
    assert decode_picture(stream.getvalue(), LIMITS).metadata.frames == 1


@pytest.mark.parametrize("compression", [None, "tga_rle"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
def test_tga(mode, compression):
    image = PHOTO.quantize(64) if mode == "P" else PHOTO.convert(mode)
    data = saved("TGA", image, compression=compression)
    assert difference(data, np.asarray(image.convert("RGB"))) == EXACT
    assert not decode_picture(data, LIMITS).metadata.has_alpha
    assert decode_picture(saved("TGA", clear(), compression=compression), LIMITS).metadata.has_alpha


PAM = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE RGB\nENDHDR\n"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"P6\n# a comment\n%d %d\n255\n" % SIZE + COLOURS.tobytes(), COLOURS),
        (b"P5 %d %d 255\n" % SIZE + GREY.tobytes(), GREY_RGB),
        (b"P5 %d %d 65535\n" % SIZE + (GREY.astype(">u2") * 257).tobytes(), GREY_RGB),
        (b"P3\n%d %d\n255\n" % SIZE + b" ".join(b"%d" % value for value in COLOURS.ravel()) + b"\n", COLOURS),
        (ppm_16(), COLOURS),
        (PAM % (*SIZE, 3, 255) + COLOURS.tobytes(), COLOURS),
        (PAM % (*SIZE, 3, 65535) + DEEP.astype(">u2").tobytes(), COLOURS),
        (b"PF\n%d %d\n-1.0\n" % SIZE + LIGHT[::-1].astype("<f4").tobytes(), COLOURS),
        (b"PF\n%d %d\n1.0\n" % SIZE + LIGHT[::-1].astype(">f4").tobytes(), COLOURS),
        (b"Pf\n%d %d\n1.0\n" % SIZE + (GREY[::-1] / 255).astype(">f4").tobytes(), GREY_RGB),
    ],
    ids=["ppm", "pgm", "pgm 16", "plain ppm", "ppm 16", "pam", "pam 16", "pfm", "pfm big-endian", "pfm grey"],
)
def test_portable_maps(data, wanted):
    assert difference(data, wanted) <= NEARLY


def test_equal_samples_of_a_portable_map_and_a_png_are_equal():
    ppm = saved("PNM")
    assert native_samples(ppm, LIMITS) == native_samples(saved("PNG"), LIMITS) != ""
    assert native_samples(ppm + ppm, LIMITS) == ""
    assert native_samples(ppm_16(), LIMITS) == ""


# --- HEIF ----------------------------------------------------------------------------------------------------


def test_a_heic_sequence_shows_its_first_frame():
    data = heic_sequence(3)
    assert difference(data) <= LOSSY
    found = decode_picture(data, LIMITS).metadata
    assert (found.format, found.frames) == ("HEIF", 3)
    assert native_samples(data, LIMITS) == ""
    with pytest.raises(LimitExceededError, match="3 frames"):
        decode_picture(data, DecodeSettings(max_frames=2))
    with pytest.raises(CorruptPictureError):
        decode_picture(data[: data.index(b"mdat") + 200], LIMITS)


def test_an_avif_sequence_shows_its_first_frame():
    data = saved("AVIF", save_all=True, append_images=[PHOTO.rotate(180)])
    assert data[4:12] == b"ftypavis"
    assert difference(data) <= LOSSY
    assert decode_picture(data, LIMITS).metadata.frames == 2


def test_pictures_in_one_heic_are_counted():
    assert decode_picture(two_pictures(), LIMITS).metadata.frames == 2


def test_a_profile_of_a_psd_is_read():
    data = saved("PSD")
    start = 26 + 4
    resource = b"8BIM" + struct.pack(">H2xI", 1039, len(ICC)) + ICC + b"\x00" * (len(ICC) & 1)
    length = int.from_bytes(data[start : start + 4], "big")
    changed = data[:start] + struct.pack(">I", length + len(resource)) + resource + data[start + 4 :]
    assert decode_picture(changed, LIMITS).metadata.has_icc
    assert difference(changed) <= NEARLY
