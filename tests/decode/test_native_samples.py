"""Native samples: equal pictures in other files have one digest, and whatever else a picture holds gives another."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import combinations

import cv2
import numpy as np
import pillow_heif
import pytest
import skimage.data
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from data.picture_files import encode_picture
from deeplens_kit.decode import SAMPLES_VERSION, decode_picture, native_samples
from deeplens_kit.errors import CorruptPictureError, LimitExceededError, ObjectError, UnsupportedFormatError
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
PHOTO = Image.fromarray(np.ascontiguousarray(skimage.data.coffee()[50:146, 100:228]))
DEEP = np.random.default_rng(5).integers(0, 65536, (40, 56, 3), dtype=np.uint16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def samples(data: bytes) -> str:
    found = native_samples(data, LIMITS)
    assert found == "" or (found.startswith(f"{SAMPLES_VERSION}-") and len(found) == len(SAMPLES_VERSION) + 65)
    return found


def same(*files: bytes) -> bool:
    found = {samples(data) for data in files}
    assert "" not in found
    return len(found) == 1


def all_differ(*files: bytes) -> bool:
    found = [samples(data) for data in files]
    assert "" not in found
    return all(left != right for left, right in combinations(found, 2))


def deep(array: np.ndarray, kind: str = ".png") -> bytes:
    bgr = array[..., ::-1] if array.ndim == 3 and array.shape[2] == 3 else array
    if array.ndim == 3 and array.shape[2] == 4:
        bgr = array[..., [2, 1, 0, 3]]
    done, data = cv2.imencode(kind, bgr)
    assert done
    return data.tobytes()


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return png[:33] + chunk(kind, body) + png[33:]


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


# --- Equal ---------------------------------------------------------------------------------------------------


def test_a_lossless_container_or_its_packing_changes_nothing():
    assert same(
        saved(PHOTO),
        saved(PHOTO, compress_level=1),
        saved(PHOTO, "TIFF"),
        saved(PHOTO, "TIFF", compression="tiff_lzw"),
        saved(PHOTO, "TIFF", compression="tiff_adobe_deflate", big_tiff=True),
        saved(PHOTO, "BMP"),
        saved(PHOTO, "WEBP", lossless=True),
    )


@pytest.mark.parametrize("options", [{"quality": 88}, {"quality": 70, "progressive": True}, {"subsampling": 0}])
def test_a_jpeg_equals_its_decoded_samples_and_no_other_encoding(options):
    jpeg = saved(PHOTO, "JPEG", **options)
    decoded = Image.open(io.BytesIO(jpeg))
    assert same(jpeg, saved(decoded), saved(decoded, "TIFF"))
    assert all_differ(jpeg, saved(PHOTO), saved(PHOTO, "JPEG", quality=60))


def test_a_jpeg_of_four_inks_equals_a_tiff_of_them():
    jpeg = saved(PHOTO.convert("CMYK"), "JPEG", quality=90)
    assert same(jpeg, saved(Image.open(io.BytesIO(jpeg)), "TIFF"))
    assert all_differ(jpeg, saved(Image.open(io.BytesIO(jpeg)).convert("RGB"), "TIFF"))


def test_metadata_is_no_part_of_it():
    info = PngInfo()
    info.add_text("Comment", "holiday")
    assert same(saved(PHOTO), saved(PHOTO, pnginfo=info, dpi=(300, 300)), with_chunk(saved(PHOTO), b"sRGB", b"\x00"))
    jpeg = saved(PHOTO, "JPEG")
    xmp = b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>sunset</x:xmpmeta>"
    camera = exif(1)
    camera[0x010F] = "Maker"
    assert same(
        jpeg,
        saved(PHOTO, "JPEG", comment=b"a holiday"),
        saved(PHOTO, "JPEG", exif=camera),
        with_segment(jpeg, 0xE1, xmp),
        with_segment(jpeg, 0xED, b"Photoshop 3.0\x00"),
    )


@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_a_lossless_turn_that_exif_undoes_is_the_same_picture(orientation):
    turned = PHOTO.transpose(TURNS[orientation])
    assert same(
        saved(PHOTO),
        saved(turned, exif=exif(orientation)),
        saved(turned, "WEBP", lossless=True, exif=exif(orientation)),
        saved(turned, "TIFF", tiffinfo={0x0112: orientation}),
    )
    assert all_differ(saved(PHOTO), saved(turned))
    stored = np.array(DEEP[:, :, 0] if orientation == 3 else DEEP)
    upright = np.rot90(stored, {3: 2, 6: -1, 8: 1}[orientation]) if orientation in (3, 6, 8) else None
    if upright is not None:
        assert same(with_chunk(deep(stored), b"eXIf", exif(orientation).tobytes()[6:]), deep(upright.copy()))


def test_a_palette_counts_as_the_colours_it_stands_for():
    few = PHOTO.quantize(37)
    assert same(saved(few), saved(few.convert("RGB")), saved(few, "GIF"), saved(few, "BMP"))
    clear = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 5).convert("P")
    clear.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150])
    seen = saved(clear, transparency=2)
    assert same(seen, saved(Image.open(io.BytesIO(seen)).convert("RGBA")))
    assert all_differ(seen, saved(clear), saved(clear, transparency=3))
    assert same(saved(clear), saved(clear.convert("RGB")))


def test_bits_and_grey_keep_their_values():
    bits = PHOTO.convert("1")
    assert same(saved(bits), saved(bits.convert("L")), saved(bits, "TIFF", compression="group4"))
    grey = PHOTO.convert("L")
    assert same(saved(grey), saved(grey, "TIFF"), saved(grey, "BMP"))
    assert all_differ(saved(grey), saved(grey.convert("RGB")), saved(grey.convert("LA")))


# --- Different -----------------------------------------------------------------------------------------------


def test_sixteen_bits_are_not_eight():
    squeezed = Image.fromarray((DEEP >> 8).astype(np.uint8))
    other = DEEP.copy()
    other[7, 9, 1] ^= 1  # the least bit of one sample
    assert all_differ(deep(DEEP), saved(squeezed), deep(other), deep(DEEP[..., :1].repeat(3, axis=2).copy()))
    assert same(deep(DEEP), deep(DEEP, ".tiff"))
    grey = DEEP[..., 0].copy()
    assert all_differ(deep(grey), saved(Image.fromarray((grey >> 8).astype(np.uint8))), deep(grey ^ 1))
    assert same(deep(grey), deep(grey, ".tiff"), saved(Image.fromarray(grey), "TIFF", compression="tiff_lzw"))
    # Every eight bits written twice are sixteen bits that say no more: still not the same file's samples.
    assert all_differ(deep((DEEP >> 8) * np.uint16(257)), saved(squeezed))
    alpha = np.dstack([DEEP, DEEP[..., 0]])
    assert all_differ(deep(alpha), deep(DEEP), deep(np.dstack([DEEP, DEEP[..., 0] ^ 1])))


def test_metadata_names_the_bits_that_decoding_cuts():
    alpha = np.dstack([DEEP, DEEP[..., 0]])
    for array, mode in ((DEEP, "RGB;16"), (alpha, "RGBA;16"), (DEEP[..., 0].copy(), "I;16")):
        for kind in (".png", ".tiff"):
            assert decode_picture(deep(array, kind), LIMITS).metadata.mode == mode
    assert decode_picture(saved(PHOTO), LIMITS).metadata.mode == "RGB"


def test_alpha_and_the_colours_under_it_count():
    clear = PHOTO.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(PHOTO.size).point(lambda level: max(0, level - 40)))
    flattened = Image.alpha_composite(Image.new("RGBA", PHOTO.size, "white"), clear)
    hidden = np.array(clear)
    hidden[hidden[..., 3] == 0] = 0
    assert (hidden != np.array(clear)).any()
    assert all_differ(
        saved(clear), saved(flattened), saved(flattened.convert("RGB")), saved(PHOTO), saved(Image.fromarray(hidden))
    )
    assert same(saved(clear), saved(clear, "TIFF"), saved(clear, "WEBP", lossless=True, exact=True))
    assert same(saved(Image.fromarray(hidden)), saved(Image.fromarray(hidden), "WEBP", lossless=True, exact=True))


def test_a_colour_that_counts_as_transparent_counts():
    red = Image.new("RGB", (20, 20), "red")
    red.paste("blue", (5, 5, 9, 9))
    keyed = saved(red, transparency=(255, 0, 0))
    assert same(keyed, saved(Image.open(io.BytesIO(keyed)).convert("RGBA")))
    assert all_differ(keyed, saved(red), saved(red, transparency=(0, 0, 255)))
    grey = red.convert("L")
    level = grey.getpixel((0, 0))
    assert same(
        saved(grey, transparency=level), saved(Image.open(io.BytesIO(saved(grey, transparency=level))).convert("LA"))
    )


def test_what_a_file_says_about_its_colours_counts():
    assert all_differ(saved(PHOTO), saved(PHOTO, icc_profile=SRGB), saved(PHOTO, icc_profile=LAB))
    tagged = [saved(PHOTO, kind, icc_profile=SRGB) for kind in ("PNG", "TIFF")]
    assert same(*tagged, saved(PHOTO, "WEBP", lossless=True, icc_profile=SRGB))
    jpeg = saved(PHOTO, "JPEG", icc_profile=SRGB)
    assert same(jpeg, saved(Image.open(io.BytesIO(jpeg)), icc_profile=SRGB))
    assert all_differ(jpeg, saved(PHOTO, "JPEG"))
    plain = saved(PHOTO)
    assert all_differ(plain, with_chunk(plain, b"gAMA", (100_000).to_bytes(4, "big")))
    assert samples(with_chunk(plain, b"iCCP", b"name\x00\x00broken")) == ""


def camera_exif(space: int | None = None, index: str | None = None) -> Image.Exif:
    """A block that says where the samples lie: ColorSpace, and the index of interoperability."""
    made = exif(1)
    inner = made.get_ifd(0x8769)
    made[0x010F] = "Maker"
    if space is not None:
        inner[0xA001] = space
    if index is not None:
        inner[0xA005] = {1: index}
    return made


CONTAINERS = {"JPEG": {"quality": 90}, "PNG": {}, "WEBP": {"lossless": True}, "AVIF": {}, "HEIF": {"quality": 80}}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_colours_that_exif_alone_names_count(kind):
    def told(space: int | None = None, index: str | None = None) -> bytes:
        options = CONTAINERS[kind] | {"exif": camera_exif(space, index).tobytes()}
        return heif(PHOTO, **options) if kind == "HEIF" else saved(PHOTO, kind, **options)

    options = CONTAINERS[kind]
    plain = heif(PHOTO, **options) if kind == "HEIF" else saved(PHOTO, kind, **options)
    # sRGB is what is taken for granted where nothing is said.
    assert same(plain, told(), told(1), told(1, "R98"), told(None, "R98"))
    adobe = told(65535, "R03")
    assert same(adobe, told(65535, "R03"))
    assert all_differ(plain, adobe, told(65535), told(2), told(1, "R03"))


def test_a_profile_settles_the_colours_whatever_exif_says():
    tagged = saved(PHOTO, "JPEG", icc_profile=SRGB)
    assert same(tagged, saved(PHOTO, "JPEG", icc_profile=SRGB, exif=camera_exif(65535)))


def test_colours_that_the_exif_of_a_tiff_names_count():
    def told(space: int, index: bytes) -> bytes:
        inner = [(0xA001, 3, short(space)), (0xA005, 4, long(0))]
        return nested(directory(picture_page((0x8769, 4, long(0))), inner, [(1, 2, index)], pixels=PIXELS))

    plain = directory(picture_page(), pixels=PIXELS)
    adobe = told(65535, b"R03\x00")
    assert same(plain, told(1, b"R98\x00"))
    assert same(adobe, saved(PHOTO.resize((16, 8)), exif=camera_exif(65535, "R03")))
    assert all_differ(plain, adobe, told(65535, b"R98\x00"))


def nested(data: bytes) -> bytes:
    """A TIFF whose second and third directory become EXIF and interoperability, out of the chain."""
    moved = bytearray(data)
    at = int.from_bytes(data[4:8], "little")
    for tag in (0x8769, 0xA005):
        end = at + 2 + 12 * int.from_bytes(data[at : at + 2], "little")
        entry = next(entry for entry in range(at + 2, end, 12) if data[entry : entry + 2] == short(tag))
        at = int.from_bytes(data[end : end + 4], "little")
        moved[entry + 8 : entry + 12], moved[end : end + 4] = long(at), bytes(4)
    return bytes(moved)


# --- Animations ----------------------------------------------------------------------------------------------

FRAMES = [PHOTO.resize((48, 36)).rotate(angle) for angle in (0, 40, 80, 120)]


def animated(frames: list[Image.Image], kind: str, **options: object) -> bytes:
    more = {"lossless": True} if kind == "WEBP" else {}
    return saved(
        frames[0], kind, save_all=True, append_images=frames[1:], **{"duration": 100, "loop": 0} | more | options
    )


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_every_frame_of_an_animation_counts_with_its_duration(kind):
    loop = {"loop": 3} if kind != "AVIF" else {"duration": 90}
    files = [
        animated(FRAMES, kind),
        animated([FRAMES[0], FRAMES[1], FRAMES[3], FRAMES[2]], kind),  # the same first frame
        animated(FRAMES[:3], kind),
        animated(FRAMES, kind, duration=[100, 100, 100, 250]),
        animated(FRAMES, kind, **loop),
        saved(FRAMES[0], kind, **({"lossless": True} if kind == "WEBP" else {})),
    ]
    assert all_differ(*files)
    assert same(files[0], animated(FRAMES, kind))


def test_an_animation_in_another_container_is_the_same():
    assert same(animated(FRAMES, "PNG"), animated(FRAMES, "WEBP"), animated(FRAMES, "PNG", blend=0, disposal=0))
    turned = [frame.transpose(Image.Transpose.ROTATE_90) for frame in FRAMES]
    assert same(animated(FRAMES, "PNG"), animated(turned, "WEBP", exif=exif(6)))


def test_a_default_image_beside_the_animation_counts():
    beside = animated([FRAMES[3], *FRAMES[:3]], "PNG", default_image=True)
    assert all_differ(beside, animated([FRAMES[3], *FRAMES[:3]], "PNG"), animated(FRAMES[:3], "PNG"))


def test_an_animation_beyond_the_limit_of_pixels_has_none():
    tight = DecodeSettings(max_pixels=48 * 36 * 3)
    assert native_samples(animated(FRAMES[:3], "GIF"), tight)
    assert native_samples(animated(FRAMES, "GIF"), tight) == ""


# --- Where the tier does not exist ---------------------------------------------------------------------------


def heif(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, **options)
    return stream.getvalue()


def test_heif_and_avif_count_while_they_hold_one_picture():
    for one, other in (
        (heif(PHOTO, quality=80), heif(PHOTO, quality=60)),
        (saved(PHOTO, "AVIF"), saved(PHOTO, "AVIF", quality=30)),
        (heif(PHOTO.convert("RGBA"), quality=80), heif(PHOTO, quality=80)),
    ):
        assert all_differ(one, other)
    tagged = exif(1)
    tagged[0x010F] = "Maker"
    assert same(heif(PHOTO, quality=80), heif(PHOTO, quality=80, exif=tagged.tobytes()))
    assert same(saved(PHOTO, "AVIF"), saved(PHOTO, "AVIF", exif=tagged))
    deep_heif = pillow_heif.from_bytes("RGB;16", (56, 40), DEEP.tobytes())
    stream = io.BytesIO()
    deep_heif.save(stream, quality=90)
    assert all_differ(stream.getvalue(), heif(Image.fromarray((DEEP >> 8).astype(np.uint8)), quality=90))


def two_in_one() -> bytes:
    file = pillow_heif.from_pillow(PHOTO)
    file.add_from_pillow(PHOTO.rotate(90))
    stream = io.BytesIO()
    file.save(stream)
    return stream.getvalue()


def auxiliary(data: bytes, urn: bytes) -> bytes:
    """A HEIC whose alpha says that it is something else."""
    found = b"urn:mpeg:hevc:2015:auxid:1"
    assert data.count(found) == 1
    return data.replace(found, urn.ljust(len(found), b"x"))


def directory(*pages: list[tuple[int, int, bytes]], pixels: bytes) -> bytes:
    """A little-endian TIFF of pages of (tag, type, packed values); strips at 8."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4}
    data, pointer = bytearray(b"II*\x00\x00\x00\x00\x00" + pixels), 4
    for page in pages:
        rows, extra = [], bytearray()
        start = len(data) + (len(data) & 1)
        data += bytes(start - len(data))
        end = start + 2 + 12 * len(page) + 4
        for tag, kind, packed in sorted(page):
            value = packed.ljust(4, b"\x00")
            if len(packed) > 4:
                value = struct.pack("<I", end + len(extra))
                extra += packed
            rows.append(struct.pack("<HHI", tag, kind, len(packed) // sizes[kind]) + value)
        data[pointer : pointer + 4] = struct.pack("<I", start)
        data += struct.pack("<H", len(page)) + b"".join(rows) + bytes(4) + extra
        pointer = start + 2 + 12 * len(page)
    return bytes(data)


def short(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}H", *numbers)


def long(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def picture_page(*more: tuple[int, int, bytes]) -> list[tuple[int, int, bytes]]:
    """A page of 16 x 8 pixels of RGB."""
    shape = [(256, 3, short(16)), (257, 3, short(8)), (258, 3, short(8, 8, 8)), (259, 3, short(1)), (262, 3, short(2))]
    place = [(273, 4, long(8)), (277, 3, short(3)), (278, 3, short(8)), (279, 4, long(384))]
    return [*shape, *place, *more]


PIXELS = np.asarray(PHOTO.resize((16, 8))).tobytes()
ULTRA_HDR = b'http://ns.adobe.com/xap/1.0/\x00<rdf:Description hdrgm:Version="1.0"/>'


def test_the_tiff_made_by_hand_is_the_picture():
    assert same(directory(picture_page(), pixels=PIXELS), saved(PHOTO.resize((16, 8))))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode_picture(PHOTO, "PSD"), id="PSD"),
        pytest.param(encode_picture(PHOTO.resize((96, 64)), "RAW"), id="RAW"),
        pytest.param(encode_picture(PHOTO, "JXL", lossless=True), id="JPEG XL"),
        pytest.param(saved(PHOTO, "TIFF", save_all=True, append_images=[PHOTO]), id="TIFF of two pages"),
        pytest.param(directory(picture_page((37724, 7, b"Adobe Photoshop")), pixels=PIXELS), id="TIFF with layers"),
        pytest.param(directory(picture_page((330, 4, long(8))), pixels=PIXELS), id="TIFF with further directories"),
        pytest.param(directory(picture_page((50706, 1, bytes([1, 4, 0, 0]))), pixels=PIXELS), id="DNG"),
        pytest.param(directory(picture_page((338, 3, short(0))), pixels=PIXELS), id="TIFF of an unnamed channel"),
        pytest.param(saved(Image.fromarray(DEEP[..., 0].astype(np.float32)), "TIFF"), id="TIFF of floats"),
        pytest.param(with_segment(saved(PHOTO, "JPEG"), 0xE2, b"MPF\x00II*\x00"), id="JPEG of several pictures"),
        pytest.param(with_segment(saved(PHOTO, "JPEG"), 0xE1, ULTRA_HDR), id="JPEG with a gain map"),
        pytest.param(with_segment(saved(PHOTO, "JPEG"), 0xE2, b"urn:iso:std:iso:ts:21496:-1\x00"), id="ISO gain map"),
        pytest.param(with_segment(saved(PHOTO, "JPEG"), 0xE1, b"FLIR\x00\x01"), id="JPEG with thermal data"),
        pytest.param(saved(PHOTO, "JPEG") + b"\x00\x00\x00\x18ftypmp42" + bytes(40), id="motion photo"),
        pytest.param(saved(PHOTO, "JPEG") + saved(PHOTO, "JPEG"), id="JPEG behind a JPEG"),
        pytest.param(with_chunk(saved(PHOTO), b"mkBF", b"layers"), id="PNG with layers"),
        pytest.param(saved(PHOTO) + b"PK\x03\x04 and more", id="PNG with an archive behind"),
        pytest.param(two_in_one(), id="HEIC of two pictures"),
        pytest.param(auxiliary(heif(PHOTO.convert("RGBA")), b"urn:com:apple:hdrgainmap"), id="HEIC with a gain map"),
        pytest.param(auxiliary(heif(PHOTO.convert("RGBA")), b"urn:mpeg:hevc:2015:auxid:2"), id="HEIC with depth"),
        pytest.param(heif(PHOTO) + b"\x00\x00\x00\x10mpvd" + bytes(8), id="HEIC with a movie"),
        pytest.param(b"plain text", id="text"),
    ],
)
def test_what_holds_more_than_one_picture_has_none(data):
    assert samples(data) == ""


ARCHIVE = b"PK\x03\x04 and more"


def os2_bitmap() -> bytes:
    rows = np.pad(np.asarray(PHOTO)[::-1, :, ::-1].reshape(PHOTO.height, -1), ((0, 0), (0, -PHOTO.width * 3 % 4)))
    body = struct.pack("<IHHHH", 12, PHOTO.width, PHOTO.height, 1, 24) + rows.tobytes()
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 26) + body


def run_length_bitmap() -> bytes:
    """Eight grey rows of sixteen pixels, each one run."""
    runs = b"".join(bytes([16, 30 * row, 0, 0]) for row in range(8)) + b"\x00\x01"
    header = struct.pack("<IiiHHIIiiII", 40, 16, 8, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


STRIPS = {"tiffinfo": {278: 16}}
ENDINGS = {
    "GIF": lambda: saved(PHOTO, "GIF"),
    "animated GIF": lambda: animated(FRAMES, "GIF"),
    "BMP": lambda: saved(PHOTO, "BMP"),
    "BMP with a palette": lambda: saved(PHOTO.quantize(37), "BMP"),
    "BMP of bits": lambda: saved(PHOTO.convert("1"), "BMP"),
    "BMP of OS/2": os2_bitmap,
    "BMP of runs": run_length_bitmap,
    "TIFF": lambda: saved(PHOTO, "TIFF"),
    "TIFF of strips": lambda: saved(PHOTO, "TIFF", compression="tiff_lzw", **STRIPS),
    "BigTIFF": lambda: saved(PHOTO, "TIFF", compression="tiff_adobe_deflate", big_tiff=True),
    "TIFF with its directory behind": lambda: directory(picture_page(), pixels=PIXELS),
    "TIFF with EXIF": lambda: saved(PHOTO, "TIFF", exif=camera_exif(1)),
    "TIFF by OpenCV": lambda: deep(DEEP, ".tiff"),
}


@pytest.mark.parametrize("made", ENDINGS.values(), ids=ENDINGS)
def test_what_has_more_behind_its_end_has_none(made):
    whole = made()
    # Padding says nothing.
    assert same(whole, whole + bytes(3), whole + bytes(700))
    for more in (ARCHIVE, bytes(40) + ARCHIVE, saved(PHOTO, "JPEG"), whole):
        assert samples(whole + more) == ""


def test_a_gif_without_its_last_byte_is_whole():
    whole = saved(PHOTO, "GIF")
    assert whole.endswith(b";")
    assert same(whole, whole[:-1])


def test_avif_of_ten_bits_has_none():
    done, data = cv2.imencode(".avif", DEEP >> 6, [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert done
    assert samples(data.tobytes()) == ""


def raw_files() -> dict[str, bytes]:
    """RAW files as cameras lay them out: a small picture first, what the sensor saw beside it."""
    sensor = [(254, 4, long(0)), (256, 3, short(16)), (257, 3, short(8)), (258, 3, short(8)), (259, 3, short(1))]
    place = [(273, 4, long(8)), (277, 3, short(1)), (278, 3, short(8)), (279, 4, long(128))]
    preview = picture_page((254, 4, long(1)))
    made = {}
    for name, photometric in (("colour filter array", 32803), ("linear", 34892)):
        page = [*sensor, *place, (262, 3, struct.pack("<H", photometric))]
        made[f"{name} behind"] = directory(preview, page, pixels=PIXELS)
        # The second page is moved out of the chain, to where SubIFDs points.
        chained = directory(picture_page((254, 4, long(1)), (330, 4, long(0))), page, pixels=PIXELS)
        made[f"{name} beside"] = beside(chained)
    made["DNG"] = directory(picture_page((50706, 1, bytes([1, 4, 0, 0]))), pixels=PIXELS)
    made["DNG of a linear page"] = directory([*preview, (50706, 1, bytes([1, 4, 0, 0]))], pixels=PIXELS)
    return made


def beside(data: bytes) -> bytes:
    """A TIFF of two pages, the second moved from the chain to the SubIFDs of the first."""
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    tag = next(at for at in range(first + 2, end, 12) if data[at : at + 2] == short(330))
    moved = bytearray(data)
    moved[tag + 8 : tag + 12], moved[end : end + 4] = data[end : end + 4], bytes(4)
    return bytes(moved)


@pytest.mark.parametrize("data", raw_files().values(), ids=raw_files())
def test_a_camera_raw_is_never_taken_for_its_preview(data):
    assert samples(data) == ""
    with pytest.raises(UnsupportedFormatError, match="camera RAW"):
        decode_picture(data, LIMITS)


def test_a_progressive_jpeg_with_tables_between_its_scans_is_followed_to_its_end():
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    jpeg = saved(noise, "JPEG", progressive=True, optimize=True, quality=95)
    assert same(jpeg, saved(Image.open(io.BytesIO(jpeg))), jpeg + b"\x00\x00")
    assert samples(jpeg + b"more") == ""


# --- Broken files and limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"])
def test_a_broken_file_raises_one_of_our_errors_or_has_none(kind):
    whole = saved(PHOTO, kind)
    random = np.random.default_rng(11)
    cut = whole[: len(whole) // 2]
    if kind == "JPEG":
        assert samples(cut) == ""  # its end is missing, which is seen before it is decoded
    else:
        with pytest.raises(CorruptPictureError):
            native_samples(cut, LIMITS)
    for _ in range(40):
        damaged = bytearray(whole)
        for at in random.integers(12, len(whole), 8):
            damaged[at] = random.integers(0, 256)
        try:
            native_samples(bytes(damaged), LIMITS)
        except ObjectError:
            continue


def test_limits_hold():
    with pytest.raises(LimitExceededError, match="pixels"):
        native_samples(saved(PHOTO), DecodeSettings(max_pixels=100))
    with pytest.raises(LimitExceededError, match="frames"):
        native_samples(animated(FRAMES, "GIF"), DecodeSettings(max_frames=3))
    with pytest.raises(LimitExceededError, match="bytes"):
        native_samples(saved(PHOTO), DecodeSettings(max_bytes=100))
