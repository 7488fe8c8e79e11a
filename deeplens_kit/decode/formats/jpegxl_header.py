"""The header of a JPEG XL codestream (ISO/IEC 18181-1) and the boxes of its container (18181-2), without decoding.

Takes the bytes of one JPEG XL, gives size, orientation, depth, alpha and the metadata boxes; must not inflate anything
but a metadata box that is compressed, within a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["SRGB", "JpegXlHeader", "read_header"]

_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_HEADER_BYTES = 4096  # own bound: sizes, depths and channels take some dozens
_ALPHA = 0
_MAX_EXTRA_CHANNELS = 256  # own bound, inclusive; the standard allows 4,096
_RGB, _XYB = 0, 2
_D65, _SRGB_PRIMARIES, _CUSTOM = 1, 1, 2
_WHITES = {1: (0.3127, 0.3290), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}
_PRIMARIES = {
    1: (0.639998686, 0.330010138, 0.300003784, 0.600003357, 0.150002046, 0.059997204),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB = 13
"""The curve of sRGB, as ISO/IEC 23091-2 numbers it."""

MAX_BOXES = 1 << 16
"""Boxes that are looked at, inclusive; own bound."""

_MAX_METADATA_BYTES = 1 << 22  # own bound, inclusive, of a box once it is inflated


@dataclass(frozen=True, slots=True)
class JpegXlHeader:
    """What a JPEG XL says before a pixel is decoded.

    Attributes:
        width_px: As stored, before orientation.
        height_px: As stored, before orientation.
        orientation: EXIF 1..8.
        bits: Of a colour sample.
        floating: Samples are floating-point numbers.
        has_alpha: There is an alpha channel.
        animated: Several frames with durations.
        xyb: Coded in the lossy colour space; without it samples may be whole.
        primaries: Chromaticities of red, green, blue and white, x and y each; None for grey, or those of sRGB.
        curve: How samples stand for light: `SRGB`, another number of ISO/IEC 23091-2, or minus an exponent.
        has_profile: The colours are those of an embedded ICC profile, which is coded with the picture.
        frames: As its index says, 0 where it has none.
        jpeg: Made from a JPEG, which can be had back.
        exif: From its TIFF header on, or None.
        xmp: Or None.
        kinds: Of its boxes; empty for a bare codestream.
    """

    width_px: int
    height_px: int
    orientation: int
    bits: int
    floating: bool
    has_alpha: bool
    animated: bool
    xyb: bool
    primaries: tuple[float, ...] | None
    curve: float
    has_profile: bool
    frames: int
    jpeg: bool
    exif: bytes | None
    xmp: bytes | None
    kinds: frozenset[bytes]


class _Bits:
    """Reads fields of bits, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("its header is cut off")
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return found

    def choice(self, *options: tuple[int, int]) -> int:
        """U32 of the standard: two bits choose an offset and a number of bits."""
        offset, count = options[self.take(2)]
        return offset + self.take(count)

    def enum(self) -> int:
        return self.choice((0, 0), (1, 0), (2, 4), (18, 6))

    def flag(self) -> bool:
        return bool(self.take(1))


def read_header(data: bytes) -> JpegXlHeader:
    """Read the header.

    Raises:
        ValueError: It is cut off, or says what the standard does not know.
    """
    if not data.startswith(_CONTAINER):
        return _read(data[:_HEADER_BYTES], {}, frozenset())
    kept: dict[bytes, bytes] = {}
    codestream, kinds, size = list[bytes](), set[bytes](), 0
    for kind, start, end in _boxes(data):
        kinds.add(kind)
        if kind in (b"jxlc", b"jxlp") and size < _HEADER_BYTES:
            part = data[start + (4 if kind == b"jxlp" else 0) : min(end, start + _HEADER_BYTES)]
            codestream.append(part)
            size += len(part)
        elif kind in (b"Exif", b"xml ", b"jxli"):
            kept.setdefault(kind, data[start:end])
        elif kind == b"brob" and data[start : start + 4] in (b"Exif", b"xml "):
            kept.setdefault(data[start : start + 4], _unpacked(data[start + 4 : end]))
    return _read(b"".join(codestream), kept, frozenset(kinds))


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, kind, body = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = len(data) if size == 0 else at + size
        if end > len(data) or end < body:
            raise ValueError(f"box {kind.decode('latin-1').strip()} is cut off")
        yield kind, body, end
        at = end
    raise ValueError(f"it has more than {MAX_BOXES:,} boxes")


def _read(stream: bytes, boxes: dict[bytes, bytes], kinds: frozenset[bytes]) -> JpegXlHeader:
    if not stream.startswith(_CODESTREAM):
        raise ValueError("holds no codestream")
    bits = _Bits(stream[2:])
    width, height = _size(bits)
    orientation, depth, floating, animated, alpha, xyb = 1, 8, False, False, False, True
    primaries: tuple[float, ...] | None = None
    curve, has_profile = float(SRGB), False
    if not bits.flag():  # not all by default
        if bits.flag():  # extra fields
            orientation = bits.take(3) + 1
            if bits.flag():
                _size(bits)  # intrinsic size
            if bits.flag():
                _preview_size(bits)
            animated = bits.flag()
            if animated:
                _animation(bits)
        floating, depth = _depth(bits)
        bits.flag()  # modular streams fit 16 bits
        channels = bits.choice((0, 0), (1, 0), (2, 4), (1, 12))
        if channels > _MAX_EXTRA_CHANNELS:
            raise ValueError(f"it has {channels} extra channels")
        alpha = _ALPHA in {_extra_channel(bits) for _ in range(channels)}
        xyb = bits.flag()
        primaries, curve, has_profile = _colours(bits)
    exif = boxes.get(b"Exif")
    return JpegXlHeader(
        width_px=width,
        height_px=height,
        orientation=orientation,
        bits=depth,
        floating=floating,
        has_alpha=alpha,
        animated=animated,
        xyb=xyb,
        primaries=primaries,
        curve=curve,
        has_profile=has_profile,
        frames=_indexed_frames(boxes.get(b"jxli", b"")),
        jpeg=b"jbrd" in kinds,
        exif=exif[4 + int.from_bytes(exif[:4], "big") :] or None if exif else None,
        xmp=boxes.get(b"xml "),
        kinds=kinds,
    )


def _unpacked(content: bytes) -> bytes:
    """A box that was compressed; empty where that is broken or too large."""
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(content, out=_MAX_METADATA_BYTES))
    except (imagecodecs.BrotliError, ValueError):
        return b""


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.flag()
    sides = ((1, 9), (1, 13), (1, 18), (1, 30))
    height = (bits.take(5) + 1) * 8 if small else bits.choice(*sides)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return ((bits.take(5) + 1) * 8 if small else bits.choice(*sides)), height


def _preview_size(bits: _Bits) -> None:
    eighths = bits.flag()
    sides = ((16, 0), (32, 0), (1, 5), (33, 9)) if eighths else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.choice(*sides)
    if not bits.take(3):
        bits.choice(*sides)


def _animation(bits: _Bits) -> None:
    bits.choice((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.choice((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choice((0, 0), (0, 3), (0, 16), (0, 32))
    bits.flag()


def _depth(bits: _Bits) -> tuple[bool, int]:
    if bits.flag():
        depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)  # bits of the exponent
        return True, depth
    return False, bits.choice((8, 0), (10, 0), (12, 0), (1, 6))


def _extra_channel(bits: _Bits) -> int:
    if bits.flag():
        return _ALPHA
    kind = bits.enum()
    _depth(bits)
    bits.choice((0, 0), (3, 0), (4, 0), (1, 3))  # how much smaller it is
    bits.take(8 * bits.choice((0, 0), (0, 4), (16, 5), (48, 10)))  # its name
    if kind == _ALPHA:
        bits.flag()
    elif kind == 2:  # spot colour: red, green, blue, solidity
        bits.take(64)
    elif kind == 5:  # colour filter array
        bits.choice((1, 0), (0, 2), (3, 4), (19, 8))
    return kind


def _colours(bits: _Bits) -> tuple[tuple[float, ...] | None, float, bool]:
    """Primaries, curve, and whether a profile says both instead."""
    if bits.flag():  # sRGB
        return None, float(SRGB), False
    has_profile, space = bits.flag(), bits.enum()
    if has_profile:
        return None, float(SRGB), True
    if space == _XYB:
        return None, float(SRGB), False
    white_code, primary_code = bits.enum(), _SRGB_PRIMARIES
    white = _point(bits) if white_code == _CUSTOM else _WHITES.get(white_code, _WHITES[_D65])
    primaries = _PRIMARIES[_SRGB_PRIMARIES]
    if space == _RGB:
        primary_code = bits.enum()
        if primary_code == _CUSTOM:
            primaries = (*_point(bits), *_point(bits), *_point(bits))
        else:
            primaries = _PRIMARIES.get(primary_code, primaries)
    curve = -bits.take(24) / 1e7 if bits.flag() else float(bits.enum())
    plain = space != _RGB or (white_code == _D65 and primary_code == _SRGB_PRIMARIES)
    return (None if plain else (*primaries, *white)), curve, False


def _point(bits: _Bits) -> tuple[float, float]:
    found = (bits.choice((0, 19), (1 << 19, 19), (1 << 20, 20), (1 << 21, 21)) for _ in range(2))
    across, down = ((value >> 1 ^ -(value & 1)) / 1e6 for value in found)  # the sign is the lowest bit
    return across, down


def _indexed_frames(box: bytes) -> int:
    """How many frames the index names (a number of seven bits a byte); 0 where there is none."""
    found = 0
    for position, byte in enumerate(box[:5]):
        found |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return found
    return 0
