"""What a file is, told from its first bytes and never from its name.

Takes the head of a file and gives the name of a picture format that is read, or says what else the file is;
must not decode anything. Formats are named as Pillow names them, so that they equal the catalog's `format`.
"""

from __future__ import annotations

import re

from deeplens_kit.decode.camera_raw import camera_raw_kind
from deeplens_kit.decode.tga import tga_header
from deeplens_kit.errors import NotAPictureError, UnsupportedFormatError

__all__ = ["FORMATS", "HEAD_BYTES", "describe", "require_format", "sniff"]

HEAD_BYTES = 512
"""Bytes that are enough for `sniff` and `describe`; more is allowed and ignored."""

FORMATS = (
    *("AVIF", "BMP", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "JXL"),
    *("PNG", "PNM", "PSD", "RAW", "TGA", "TIFF", "WEBP"),
)
"""The formats that are read."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
# Structural brands of ISO/IEC 23008-12: they say "image items", not which codec; the compatible brands do.
_STRUCTURAL_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"miaf", b"1pic"})

_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})

# Signature at offset 0 -> what it is. The longer signature of two that share a start comes first.
_RAW_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"IIRO", "camera RAW (Olympus ORF)"),
    (b"IIRS", "camera RAW (Olympus ORF)"),
    (b"MMOR", "camera RAW (Olympus ORF)"),
    (b"IIU\x00", "camera RAW (Panasonic RW2)"),
    (b"FUJIFILMCCD-RAW", "camera RAW (Fujifilm RAF)"),
    (b"FOVb", "camera RAW (Sigma X3F)"),
    (b"\x00MRM", "camera RAW (Minolta MRW)"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera RAW (Canon CRW)"),
)

_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF document"),
    (b"%!PS", "PostScript or EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x8aMNG\r\n\x1a\n", "MNG animation"),
    (b"\x8bJNG\r\n\x1a\n", "JNG picture"),
    (b"icns", "Apple icon"),
    (b"DDS ", "DDS texture"),
    (b"qoif", "QOI picture"),
    (b"BPG\xfb", "BPG picture"),
    (b"SIMPLE  =", "FITS data"),
    (b"\x76\x2f\x31\x01", "OpenEXR picture"),
    (b"#?RADIANCE", "Radiance HDR picture"),
    (b"#?RGBE", "Radiance HDR picture"),
    (b"\x01\x00\x00\x00\x58\x00\x00\x00", "Windows metafile (EMF)"),
    (b"\x01\x00\x09\x00\x00\x03", "Windows metafile"),
    (b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31\xef\xe7\xfe\x74\xb7\x1d", "InDesign document"),
    (b"\x00\xffKA", "Affinity document"),
    (b"AC10", "AutoCAD drawing"),
    (b"\x59\xa6\x6a\x95", "Sun raster picture"),
    (b"\xabKTX ", "KTX texture"),
    (b"\x13\xab\xa1\x5c", "ASTC texture"),
    (b"CDF\x01", "NetCDF data"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 data"),
    (b"NITF0", "NITF picture"),
    (b"{\\rtf", "RTF document"),
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media"),
    (b".RMF", "RealMedia video"),
    (b"\xff\xf1", "AAC audio"),
    (b"\xff\xf9", "AAC audio"),
    (b"\xff\xfb", "MP3 audio"),
    (b"#!AMR", "AMR audio"),
    (b"MThd", "MIDI music"),
    (b"wOFF", "font"),
    (b"wOF2", "font"),
    (b"OTTO\x00", "font"),
    (b"\x00\x01\x00\x00\x00", "font"),
    (b"ttcf", "font"),
    (b"LZIP", "lzip archive"),
    (b"\xca\xfe\xba\xbe", "program"),
    (b"\xcf\xfa\xed\xfe", "program"),
    (b"!<arch>", "library or package"),
    (b"\x93NUMPY", "NumPy array"),
    (b"glTF", "3D model"),
    (b"BLENDER", "Blender file"),
    (b"conectix", "disk image"),
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00", "Windows shortcut"),
    (b"Obj\x01", "Avro table"),
    (b"\x00\x00\x00\x01Bud1", "folder settings of macOS"),
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
# Words of those kinds that show something: somebody may miss them among the pictures.
_SHOWS_SOMETHING = re.compile(
    r"picture|raw\b|video|drawing|jpe?g|icon|cursor|texture|metafile|animation|pdf|postscript|eps\b|djvu|indesign|"
    r"illustrator|affinity|sketch|xcf|krita|openraster|fits|nitf|dicom|transport stream|windows media|ogg media|"
    r"riff media|photoshop|portable",
    re.IGNORECASE,
)
_UNKNOWN = "unknown format"
_LINE_CONTROLS = "\t\n\v\f\r"
_RIFF_KINDS = {b"AVI ": "AVI video", b"WAVE": "WAV audio", b"ACON": "Windows cursor"}
_JXL_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
_JPEG2000_STARTS = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
# Two letters alone are too weak: text may start with "P5". Width and height have to follow, or the words of PAM.
_PORTABLE_MAP = re.compile(
    rb"P[1-6](?:\s|#[^\n]*\n)+\d{1,9}(?:\s|#[^\n]*\n)+\d{1,9}(?:[\s#]|$)|P[Ff]\s+\d{1,9}\s+\d{1,9}\s+-?[\d.]+|"
    rb"P7\s*\n(?:#[^\n]*\n)*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE) "
)
_ICON_START, _CURSOR_START, _ICON_ENTRY_BYTES = b"\x00\x00\x01\x00", b"\x00\x00\x02\x00", 16
# What a ZIP holds, by the names and words of its first entries.
_ZIP_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"mimetypeapplication/vnd.oasis", "OpenDocument document"),
    (b"mimetypeapplication/epub", "EPUB book"),
    (b"mimetypeapplication/x-krita", "Krita picture"),
    (b"mimetypeimage/openraster", "OpenRaster picture"),
    (b"word/", "Word document"),
    (b"xl/", "Excel document"),
    (b"ppt/", "PowerPoint document"),
    (b"[Content_Types].xml", "Office document"),
    (b"_rels/.rels", "Office document"),
    (b"Index/Document.iwa", "iWork document"),
    (b"document.json", "Sketch document"),
    (b"pages/", "Sketch document"),
    (b"META-INF/", "program (JAR)"),
    (b"AndroidManifest.xml", "Android program"),
)
_VIDEO_BRANDS: tuple[tuple[bytes, str], ...] = (
    (b"crx ", "camera RAW (Canon CR3)"),
    (b"qt  ", "QuickTime video"),
    (b"M4A", "MPEG-4 audio"),
    (b"M4B", "MPEG-4 audio"),
    (b"M4P", "MPEG-4 audio"),
    (b"M4V", "MPEG-4 video"),
    (b"3gp", "3GPP video"),
    (b"3g2", "3GPP2 video"),
    (b"f4v", "Flash video"),
    (b"XAVC", "Sony XAVC video"),
    (b"jp2", "JPEG 2000"),
    (b"mjp2", "Motion JPEG 2000 video"),
    (b"dash", "MPEG-DASH video"),
)
_DICOM_AT = 128
_TRANSPORT_PACKET_BYTES = 188
_SVG = re.compile(rb"<svg[\s>]|<!DOCTYPE svg", re.IGNORECASE)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


def sniff(head: bytes) -> str | None:
    """Name the picture format that the first bytes announce.

    A camera's RAW file that is a TIFF too counts as TIFF here, and a TGA, which has no signature, as nothing:
    `require_format` tells both from the whole file.

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
    if head.startswith(_TIFF_STARTS):
        return "RAW" if head[8:10] == b"CR" else "TIFF"
    # Two letters alone are too weak: text may start with "BM".
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return _sniff_brands(head) or _sniff_others(head)


def describe(head: bytes) -> str:
    """Say in a few words what a file is that is none of `FORMATS`.

    Args:
        head: The start of the file, as for `sniff`.

    Returns:
        For example "PDF document", "text", "empty file" or "unknown format".
    """
    if not head:
        return "empty file"
    if head.startswith(_TIFF_STARTS[:2]) and head[8:10] == b"CR":
        return "camera RAW (Canon CR2)"
    if head.startswith(b"%!PS") and b"Adobe Illustrator" in head[:HEAD_BYTES]:
        return "Illustrator drawing"
    if head.startswith(b"PK\x03\x04"):
        inside = next((kind for sign, kind in _ZIP_KINDS if sign in head[:HEAD_BYTES]), None)
        return inside or "ZIP archive or office document"
    for signature, kind in (*_RAW_KINDS, *_OTHER_KINDS):
        if head.startswith(signature):
            return kind
    if head[4:8] == b"ftyp":
        return _describe_brand(head[8:12])
    if head[4:8] in (b"moov", b"mdat", b"wide", b"pnot"):
        return "QuickTime video"
    if head.startswith(b"RIFF"):
        return _RIFF_KINDS.get(head[8:12], "RIFF media")
    if head.startswith(_CURSOR_START) and _is_icon(head, planes=False):
        return "Windows cursor"
    if head[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return "DICOM picture"
    if (
        head.startswith(b"G")
        and head[_TRANSPORT_PACKET_BYTES : _TRANSPORT_PACKET_BYTES + 1] == b"G"
        and b"\x00" in head
    ):
        return "MPEG transport stream"
    if _SVG.search(head[:HEAD_BYTES]):
        return "SVG drawing"
    return _describe_text(head[:HEAD_BYTES])


def require_format(data: bytes) -> str:
    """Name the picture format of a whole file.

    Raises:
        UnsupportedFormatError: It is none of `FORMATS`; the message says what it is instead.
    """
    head = data[:HEAD_BYTES]
    name = sniff(head)
    if name == "TIFF" and camera_raw_kind(data):
        return "RAW"
    if name is None and tga_header(data):
        return "TGA"
    if name is None:
        raise unsupported(describe(head))
    return name


def unsupported(kind: str) -> UnsupportedFormatError:
    """The error for a file of another kind: a picture all the same, or none at all."""
    if _SHOWS_SOMETHING.search(kind) or kind == _UNKNOWN:
        return UnsupportedFormatError(f"unsupported: {kind}.")
    return NotAPictureError(f"no picture: {kind}.")


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


def _sniff_others(head: bytes) -> str | None:
    if head.startswith(_JXL_STARTS):
        return "JXL"
    if head.startswith(_JPEG2000_STARTS):
        return "JPEG2000"
    if head.startswith(b"8BPS\x00") and head[5:6] in (b"\x01", b"\x02"):
        return "PSD"
    if head[4:12] == b"ftypcrx " or any(head.startswith(signature) for signature, _ in _RAW_KINDS):
        return "RAW"
    if head.startswith(_ICON_START) and _is_icon(head):
        return "ICO"
    if head.startswith(b"P") and _PORTABLE_MAP.match(head):
        return "PNM"
    return None


def _is_icon(head: bytes, *, planes: bool = True) -> bool:
    """Whether a directory of icons follows: its first picture lies behind it, and names no plane but one.

    Args:
        head: The start of the file.
        planes: Whether planes are named; cursors have the place of their tip there.
    """
    count = int.from_bytes(head[4:6], "little")
    first = head[6 : 6 + _ICON_ENTRY_BYTES]
    if not count or len(first) < _ICON_ENTRY_BYTES or first[3]:
        return False
    named, start = int.from_bytes(first[4:6], "little"), int.from_bytes(first[12:16], "little")
    return (named <= 1 or not planes) and start >= 6 + _ICON_ENTRY_BYTES * count


def _describe_brand(brand: bytes) -> str:
    return next((kind for start, kind in _VIDEO_BRANDS if brand.startswith(start)), "MP4 video")


def _is_utf16(head: bytes) -> bool:
    """Whether two bytes at a time are characters that people write, behind a mark of their order."""
    text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    text = text[:-1] if len(head) >= HEAD_BYTES else text  # it may end inside a character of two pairs
    return bool(text) and all(letter.isprintable() or letter in _LINE_CONTROLS for letter in text)


def _describe_text(head: bytes) -> str:
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text" if _is_utf16(head) else _UNKNOWN
    if any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head):
        return _UNKNOWN
    try:
        # The head may end inside a character of up to four bytes.
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < len(head) - 4:
            return _UNKNOWN
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML page"
    return "XML" if start.startswith(b"<?xml") else "text"
