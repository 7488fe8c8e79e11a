"""What a file is, told from its first bytes and never from its name.

Takes the head of a file and gives the name of a picture format that is read, or says what else the file is;
must not decode anything. Formats are named as Pillow names them, so that they equal the catalog's `format`.
"""

from __future__ import annotations

import re

from deeplens_kit.errors import UnsupportedFormatError

__all__ = ["FORMATS", "HEAD_BYTES", "describe", "require_format", "sniff"]

HEAD_BYTES = 512
"""Bytes that are enough for `sniff` and `describe`; more is allowed and ignored."""

FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP")
"""The formats that are read."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
# Structural brands of ISO/IEC 23008-12: they say "image items", not which codec; the compatible brands do.
_STRUCTURAL_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"miaf", b"1pic"})

_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})

# Signature at offset 0 -> what it is. The longer signature of two that share a start comes first.
_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF document"),
    (b"%!PS", "PostScript or EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "Photoshop PSD"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"IIRO", "camera RAW (Olympus ORF)"),
    (b"IIRS", "camera RAW (Olympus ORF)"),
    (b"MMOR", "camera RAW (Olympus ORF)"),
    (b"IIU\x00", "camera RAW (Panasonic RW2)"),
    (b"FUJIFILMCCD-RAW", "camera RAW (Fujifilm RAF)"),
    (b"FOVb", "camera RAW (Sigma X3F)"),
    (b"\x00MRM", "camera RAW (Minolta MRW)"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera RAW (Canon CRW)"),
    (b"\x00\x00\x01\x00", "Windows icon"),
    (b"\x00\x00\x02\x00", "Windows cursor"),
    (b"icns", "Apple icon"),
    (b"DDS ", "DDS texture"),
    (b"qoif", "QOI picture"),
    (b"BPG\xfb", "BPG picture"),
    (b"SIMPLE  =", "FITS data"),
    (b"\x76\x2f\x31\x01", "OpenEXR picture"),
    (b"#?RADIANCE", "Radiance HDR picture"),
    (b"gimp xcf", "GIMP XCF"),
    (b"AT&TFORM", "DjVu document"),
    (b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (b"PK\x03\x04", "ZIP archive or office document"),
    (b"PK\x05\x06", "ZIP archive or office document"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\x00", "xz archive"),
    (b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM video"),
    (b"\x00\x00\x01\xba", "MPEG video"),
    (b"\x00\x00\x01\xb3", "MPEG video"),
    (b"FLV\x01", "Flash video"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"fLaC", "FLAC audio"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"PAR1", "Parquet table"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "legacy Office document or thumbnail cache"),
    (b"bplist00", "property list"),
    (b"\x00\x05\x16\x07", "AppleDouble metadata"),
)
_RIFF_KINDS = {b"AVI ": "AVI video", b"WAVE": "WAV audio", b"ACON": "Windows cursor"}
_PORTABLE_MAP = re.compile(rb"P[1-7FfHh][\s#]")
_SVG = re.compile(rb"<svg[\s>]|<!DOCTYPE svg", re.IGNORECASE)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


def sniff(head: bytes) -> str | None:
    """Name the picture format that the first bytes announce.

    Args:
        head: The start of the file, `HEAD_BYTES` or more where it has as many.

    Returns:
        One of `FORMATS`, or None when it is none of them.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return None if head[8:10] == b"CR" else "TIFF"
    # Two letters alone are too weak: text may start with "BM".
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return _sniff_brands(head)


def describe(head: bytes) -> str:
    """Say in a few words what a file is that is none of `FORMATS`.

    Args:
        head: The start of the file, as for `sniff`.

    Returns:
        For example "PDF document", "text", "empty file" or "unknown format".
    """
    if not head:
        return "empty file"
    if head.startswith((b"II*\x00", b"MM\x00*")) and head[8:10] == b"CR":
        return "camera RAW (Canon CR2)"
    for signature, kind in _OTHER_KINDS:
        if head.startswith(signature):
            return kind
    if head[4:8] == b"ftyp":
        return _describe_brand(head[8:12])
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "QuickTime video"
    if head.startswith(b"RIFF"):
        return _RIFF_KINDS.get(head[8:12], "RIFF media")
    if _SVG.search(head[:HEAD_BYTES]):
        return "SVG drawing"
    if _PORTABLE_MAP.match(head):
        return "portable bitmap (PNM)"
    return _describe_text(head[:HEAD_BYTES])


def require_format(data: bytes) -> str:
    """Name the picture format of a whole file.

    Raises:
        UnsupportedFormatError: It is none of `FORMATS`; the message says what it is instead.
    """
    head = data[:HEAD_BYTES]
    name = sniff(head)
    if name is None:
        raise unsupported(describe(head))
    return name


def unsupported(kind: str) -> UnsupportedFormatError:
    """The error for a file of another kind."""
    return UnsupportedFormatError(f"unsupported: {kind}; pictures that are read: {', '.join(FORMATS)}.")


def _brands(head: bytes) -> tuple[bytes, frozenset[bytes]]:
    length = int.from_bytes(head[:4], "big")
    compatible = head[16 : min(length, len(head))]
    return head[8:12], frozenset(compatible[at : at + 4] for at in range(0, len(compatible) - 3, 4))


def _sniff_brands(head: bytes) -> str | None:
    if head[4:8] != b"ftyp":
        return None
    major, compatible = _brands(head)
    if major in _AVIF_BRANDS:
        return "AVIF"
    if major in _HEIF_BRANDS:
        return "HEIF"
    if major in _STRUCTURAL_BRANDS:
        if compatible & _AVIF_BRANDS:
            return "AVIF"
        return "HEIF"
    return None


def _describe_brand(brand: bytes) -> str:
    if brand == b"crx ":
        return "camera RAW (Canon CR3)"
    if brand == b"qt  ":
        return "QuickTime video"
    if brand in (b"M4A ", b"M4B "):
        return "MPEG-4 audio"
    return "MP4 video"


def _describe_text(head: bytes) -> str:
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    if any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head):
        return "unknown format"
    try:
        # The head may end inside a character of up to four bytes.
        head.decode("utf-8") if len(head) < HEAD_BYTES else head[:-4].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return "unknown format"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML page"
    return "XML" if start.startswith(b"<?xml") else "text"
