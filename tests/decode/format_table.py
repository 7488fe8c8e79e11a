"""The document of formats, `docs/formats.md`, from what decoding a sample of each has just shown."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import imagecodecs
import numpy as np
import pillow_heif

from data.format_samples import (
    ARITHMETIC_JPEG,
    CAMERA,
    COLOURS,
    DEEP,
    ICC,
    PHOTO,
    SIZE,
    clear,
    exif,
    heic_sequence,
    heic_with,
    jpeg2000_with_metadata,
    jxl,
    jxl_with_exif,
    layered,
    movie,
    ppm_16,
    raw,
    saved,
    tiff,
    two_pictures,
    ultra_hdr,
    with_segment,
    without_composite,
    xmp_jpeg,
)
from deeplens_kit.decode import PictureMetadata, decode_picture, native_samples
from deeplens_kit.decode.signature import FORMATS
from deeplens_kit.errors import ObjectError
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
Make = Callable[[], bytes]
_NONE = "–"


@dataclass(frozen=True)
class Known:
    """What is said of a format, and samples that show what is read of it.

    Attributes:
        extensions: That files of it usually have; the name never decides.
        decoder: What reads it.
        picture: What counts as the picture.
        notes: What else is to be known.
        plain: A sample.
        shows: Samples with a transparent corner, 16 bits, frames, a profile, EXIF; a format that has none of a kind,
            or whose kind nothing at hand writes, lacks it.
        unwritten: Kinds that the format has and for which no sample can be made here.
    """

    extensions: str
    decoder: str
    picture: str
    notes: str
    plain: Make
    shows: Mapping[str, Make] = field(default_factory=dict)
    unwritten: tuple[str, ...] = ()


def _frames(kind: str) -> Make:
    return lambda: saved(kind, save_all=True, append_images=[PHOTO.rotate(180), PHOTO.rotate(90)])


def _deep_heic() -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", SIZE, DEEP.tobytes()).save(stream, quality=90)
    return stream.getvalue()


def _psd_with_clear_corner() -> bytes:
    from test_more_formats import psd

    return psd(np.asarray(clear()).transpose(2, 0, 1), 3, layers=b"\xff\xff")


def _deep_psd() -> bytes:
    from test_more_formats import psd

    return psd(DEEP.transpose(2, 0, 1).astype(">u2"), 3)


def _psd_with(number: int, body: bytes) -> bytes:
    data = saved("PSD")
    resource = b"8BIM" + struct.pack(">H2xI", number, len(body)) + body + bytes(len(body) & 1)
    length = int.from_bytes(data[30:34], "big") + len(resource)
    return data[:30] + length.to_bytes(4, "big") + resource + data[34:]


def _usual(kind: str) -> dict[str, Make]:
    return {
        "alpha": lambda: saved(kind, clear()),
        "ICC": lambda: saved(kind, icc_profile=ICC),
        "EXIF": lambda: saved(kind, exif=exif()),
    }


KNOWN: Mapping[str, Known] = {
    "JPEG": Known(
        "jpg jpeg jpe jfif mpo",
        "simplejpeg (libjpeg-turbo), Pillow; imagecodecs for lossless and 12 bits",
        "the first picture in the file; of Ultra HDR, Apple's gain maps, MPO and Motion Photos the base picture",
        "baseline, progressive, arithmetic, lossless; grey, YCbCr, RGB, CMYK, YCCK; decoded no larger than needed. "
        "Damage inside a lossless or 12-bit file cannot be told",
        lambda: saved("JPEG"),
        {
            "depth": lambda: imagecodecs.jpeg8_encode(COLOURS.astype(np.uint16) * 16, bitspersample=12),
            "ICC": lambda: saved("JPEG", icc_profile=ICC),
            "EXIF": lambda: saved("JPEG", exif=exif()),
        },
    ),
    "PNG": Known(
        "png apng",
        "Pillow",
        "the default picture; of an animation that may stand outside of it",
        "every checksum of samples is looked at",
        lambda: saved("PNG"),
        _usual("PNG") | {"depth": lambda: imagecodecs.png_encode(DEEP), "frames": _frames("PNG")},
    ),
    "WEBP": Known(
        "webp",
        "Pillow (libwebp)",
        "the first frame",
        "",
        lambda: saved("WEBP"),
        _usual("WEBP") | {"frames": _frames("WEBP")},
    ),
    "HEIF": Known(
        "heic heif hif heics",
        "pillow-heif (libheif)",
        "the primary picture; of a sequence without one the first frame",
        "HEVC alone; gain maps and depth are passed over",
        lambda: saved("HEIF"),
        _usual("HEIF") | {"depth": _deep_heic, "frames": heic_sequence},
    ),
    "AVIF": Known(
        "avif avifs",
        "Pillow (libavif)",
        "the first frame",
        "",
        lambda: saved("AVIF"),
        _usual("AVIF")
        | {
            "depth": lambda: imagecodecs.avif_encode(COLOURS.astype(np.uint16) * 4, bitspersample=10),
            "frames": _frames("AVIF"),
        },
    ),
    "TIFF": Known(
        "tif tiff",
        "Pillow (libtiff); tifffile and imagecodecs for what Pillow cannot lay out",
        "the first page; frames count pages",
        "TIFF and BigTIFF, both byte orders, strips, tiles and planes, whole and floating-point numbers",
        lambda: saved("TIFF"),
        _usual("TIFF") | {"depth": lambda: tiff(DEEP, photometric="rgb"), "frames": _frames("TIFF")},
    ),
    "GIF": Known(
        "gif",
        "Pillow",
        "the first frame on its canvas",
        "",
        lambda: saved("GIF"),
        {"alpha": lambda: saved("GIF", clear()), "frames": _frames("GIF")},
    ),
    "BMP": Known(
        "bmp dib",
        "Pillow",
        "the picture",
        "a fourth byte of a pixel that no header calls transparency is none",
        lambda: saved("BMP"),
    ),
    "ICO": Known(
        "ico",
        "Pillow",
        "the largest, of equal ones that with the most bits",
        "other sizes are not looked at; cursors are not read",
        lambda: saved("ICO"),
        {"alpha": lambda: saved("ICO", clear())},
    ),
    "JPEG2000": Known(
        "jp2 j2k jpf jpx j2c",
        "Pillow (OpenJPEG)",
        "the picture, at the lowest resolution that suffices",
        "up to four channels",
        lambda: saved("JPEG2000"),
        {
            "alpha": lambda: saved("JPEG2000", clear()),
            "depth": lambda: imagecodecs.jpeg2k_encode(DEEP, codecformat="jp2"),
            "ICC": jpeg2000_with_metadata,
            "EXIF": jpeg2000_with_metadata,
        },
    ),
    "JXL": Known(
        "jxl",
        "imagecodecs (libjxl)",
        "the first frame, upright",
        "frames of an animation without an index count as two; colours that only an embedded profile explains are "
        "shown as sRGB",
        jxl,
        {
            "alpha": lambda: jxl(np.asarray(clear())),
            "depth": lambda: jxl(DEEP),
            "frames": lambda: jxl(np.stack([COLOURS, COLOURS[::-1]])),
            "EXIF": jxl_with_exif,
        },
        ("ICC",),
    ),
    "PSD": Known(
        "psd psb",
        "own reader (imagecodecs for runs)",
        "the composite that Photoshop keeps; without one the file is unsupported",
        "1, 8, 16 and 32 bits; layers are never put together",
        lambda: saved("PSD"),
        {
            "alpha": _psd_with_clear_corner,
            "depth": _deep_psd,
            "ICC": lambda: _psd_with(1039, ICC),
            "EXIF": lambda: _psd_with(1058, exif().removeprefix(b"Exif\x00\x00")),
        },
    ),
    "RAW": Known(
        "dng nef nrw cr2 cr3 crw arw srf sr2 orf rw2 raf pef x3f mrw raw rwl srw 3fr iiq erf mef mos kdc dcr",
        "rawpy (LibRaw)",
        "the embedded preview where it is big enough for what is asked, else the picture that LibRaw develops",
        "sizes are those of the developed picture, upright; never removed for anything, nor anything for it",
        raw,
        {"depth": raw, "EXIF": raw},
    ),
    "TGA": Known(
        "tga icb vda vst",
        "Pillow",
        "the picture",
        "has no signature: taken for one only where every field makes sense and the footer or the exact length says so",
        lambda: saved("TGA"),
        {"alpha": lambda: saved("TGA", clear())},
    ),
    "PNM": Known(
        "ppm pgm pbm pnm pam pfm",
        "own reader; Pillow for text and bytes",
        "the first picture",
        "floating-point colour counts as linear light",
        lambda: saved("PNM"),
        {
            "alpha": lambda: (
                b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % SIZE
                + np.asarray(clear()).tobytes()
            ),
            "depth": ppm_16,
        },
    ),
}

SPECIAL: Mapping[str, Make] = {
    "Ultra HDR JPEG": ultra_hdr,
    "HEIC with a gain map (Apple)": lambda: heic_with(b"urn:com:apple:hdrgainmap"),
    "HEIC with a depth map": lambda: heic_with(b"urn:mpeg:hevc:2015:auxid:2"),
    "JPEG with a depth map (XMP)": lambda: xmp_jpeg(b'GDepth:Format="RangeInverse"'),
    "Motion Photo": lambda: xmp_jpeg(b'GCamera:MotionPhoto="1"') + movie(),
    "JPEG with sound": lambda: xmp_jpeg(b'GAudio:Mime="audio/mp4"'),
    "JPEG of a thermal camera": lambda: with_segment(saved("JPEG"), 0xE1, b"FLIR\x00\x01"),
    "MPO": lambda: saved("MPO", save_all=True, append_images=[PHOTO.rotate(180)]),
    "JPEG with an archive behind its end": lambda: saved("JPEG") + b"PK\x03\x04" + bytes(range(64)),
    "HEIC of two pictures": two_pictures,
    "HEIC sequence without a cover": heic_sequence,
    "AVIF sequence": _frames("AVIF"),
    "PSD with layers": layered,
    "PSD without a composite": without_composite,
    "TIFF of three pages": lambda: tiff(np.stack([COLOURS] * 3), photometric="rgb"),
    "TIFF with Photoshop's layers": lambda: tiff(
        COLOURS, photometric="rgb", extratags=[(37724, "B", 40, bytes(40), True)]
    ),
    "TIFF with a saved selection": lambda: tiff(
        np.dstack([COLOURS, COLOURS[:, :, 0]]), photometric="rgb", extrasamples=["unspecified"]
    ),
    "two portable maps in one file": lambda: saved("PNM") * 2,
    "BigTIFF, floating point": lambda: tiff(COLOURS.astype(np.float32) / 255, photometric="rgb", bigtiff=True),
    "CMYK JPEG": lambda: saved("JPEG", PHOTO.convert("CMYK")),
    "arithmetic-coded JPEG": lambda: ARITHMETIC_JPEG,
    "12-bit JPEG": lambda: imagecodecs.jpeg8_encode(COLOURS.astype(np.uint16) * 16, bitspersample=12),
    "lossless JPEG": lambda: imagecodecs.jpeg8_encode(COLOURS, lossless=True),
    "DNG with a preview": lambda: raw(preview=saved("JPEG")),
    "PNG named .jpg": lambda: saved("PNG"),
}

OTHERS: Mapping[str, bytes] = {
    "exr": b"v/1\x01\x02\x00\x00\x00",
    "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n",
    "jxr": b"II\xbc\x01\x20\x00\x00\x00",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "pdf": b"%PDF-1.7\n",
    "eps": b"\xc5\xd0\xd3\xc6",
    "ai": b"%!PS-Adobe-3.0\n%%Creator: Adobe Illustrator(R) 24\n",
    "indd": b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31\xef\xe7\xfe\x74\xb7\x1dDOCUMENT",
    "afphoto": b"\x00\xffKA\x0a\x00",
    "xcf": b"gimp xcf v011\x00",
    "dcm": bytes(128) + b"DICM\x02\x00",
    "fits": b"SIMPLE  =                    T",
    "wmf": b"\xd7\xcd\xc6\x9a\x00\x00",
    "emf": b"\x01\x00\x00\x00\x58\x00\x00\x00" + bytes(80),
    "dds": b"DDS \x7c\x00\x00\x00",
    "qoi": b"qoif\x00\x00\x00\x10",
    "djvu": b"AT&TFORM\x00\x00",
    "icns": b"icns\x00\x00\x10\x00",
    "cur": b"\x00\x00\x02\x00\x01\x00\x20\x20\x00\x00\x00\x00\x00\x00\x68\x04\x00\x00\x16\x00\x00\x00",
    "mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "mov": b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00",
    "3gp": b"\x00\x00\x00\x1cftyp3gp5\x00\x00\x03\x00",
    "mkv": b"\x1a\x45\xdf\xa3\x01\x00",
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
}
"""The start of a file of each kind that is named and not read."""


def document() -> str:
    """The whole text of `docs/formats.md`."""
    assert set(KNOWN) == set(FORMATS)
    lines = [
        "# Formats: what is read, how, and what is not",
        "",
        "This page is written by a test that decodes a sample of each kind (`tests/decode/test_format_table.py`):",
        "it says what was found just then. What a file is, its content decides, never its name. The samples are",
        "made by Pillow, pillow-heif, imagecodecs, tifffile and psd-tools; that of RAW is a DNG made with tifffile,",
        "because no package that is installed here ships a camera's own file.",
        "",
        "## What is read",
        "",
        "`pixels` says whether a file can be in the tier of that name: equal to the last sample. Alpha, depth over",
        "8 bits, frames, ICC profile and EXIF: *yes*, it is read; *no*, it is not, though the format has it; –, the",
        "format has none, or nobody writes it.",
        "",
        "| format | usual names | decoder | the picture is | alpha | depth | frames | ICC | EXIF | `pixels` | notes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, known) for name, known in KNOWN.items()]
    lines += [
        "",
        "## What is beside the picture",
        "",
        "A file that holds more than its picture is never proposed for removal in favour of one that lacks it. What",
        "has layers, pages, further pictures or sizes, saved selections, a video, sound, temperatures or RAW data is",
        "never proposed unless another file is equal to it byte for byte: nobody compared what is beside the picture.",
        "So with *unknown data*: something behind the end of the picture that is neither filling nor known. The",
        "column `auxiliary` of `pictures` names what is known; where it is null, nobody has looked yet, and the file",
        "is not proposed before the next `deeplens index` has, unless its equal to the byte or to the sample stays.",
        "",
        "| file | read as | size | frames | `auxiliary` | `pixels` |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_special(name, make()) for name, make in SPECIAL.items()]
    lines += [
        "",
        "## What is named and not read",
        "",
        "Such a file counts as *unsupported* where it shows something, else as *no picture*, with its kind, in",
        "`deeplens status` and `deeplens failures`.",
        "",
        "| usual name | said of it |",
        "|---|---|",
    ]
    lines += [f"| {name} | {_refusal(data)} |" for name, data in OTHERS.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, known: Known) -> str:
    metadata = _metadata(known.plain())
    assert metadata.format == name, name
    found = [_shown(kind, known) for kind in ("alpha", "depth", "frames", "ICC", "EXIF")]
    pixels = "yes" if native_samples(known.plain(), LIMITS) else "no"
    cells = [name, known.extensions, known.decoder, known.picture, *found, pixels, known.notes]
    return f"| {' | '.join(cells)} |"


def _shown(kind: str, known: Known) -> str:
    make = known.shows.get(kind)
    if make is None:
        return "no" if kind in known.unwritten else _NONE
    metadata = _metadata(make())
    read = {
        "alpha": metadata.has_alpha,
        "depth": ";" in metadata.mode or metadata.mode in ("I", "F"),
        "frames": metadata.frames > 1,
        "ICC": metadata.has_icc,
        "EXIF": metadata.camera == CAMERA,
    }
    return "yes" if read[kind] else "no"


def _special(name: str, data: bytes) -> str:
    try:
        metadata = _metadata(data)
    except ObjectError as error:
        return f"| {name} | {str(error).split(';')[0]} | {_NONE} | {_NONE} | {_NONE} | {_NONE} |"
    size = f"{metadata.width_px} x {metadata.height_px}"
    pixels = "yes" if native_samples(data, LIMITS) else "no"
    beside = metadata.auxiliary or _NONE
    return f"| {name} | {metadata.format} {metadata.mode} | {size} | {metadata.frames} | {beside} | {pixels} |"


def _refusal(data: bytes) -> str:
    try:
        decode_picture(data, LIMITS)
    except ObjectError as error:
        return str(error).split(";")[0].removesuffix(".")
    raise AssertionError("it is read")


def _metadata(data: bytes) -> PictureMetadata:
    return decode_picture(data, LIMITS).metadata
