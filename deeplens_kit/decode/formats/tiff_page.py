"""The first page of a TIFF whose samples Pillow cannot lay out: 16 and 32 bits of colour, floating point, planes.

Takes a TIFF with one cleaned directory, gives 8 bits (16 of grey); must be called within the limits, which its reader
has told. Decoded by tifffile and imagecodecs.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.measured import shares

__all__ = ["decode_page", "deep_page"]

_WHITE_IS_ZERO, _INK, _LAB, _YCBCR = 0, 5, 8, 6
_TRANSPARENCY = frozenset({1, 2})
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, _INK: 4, _YCBCR: 3, _LAB: 3}
_GREY_OR_RGB = frozenset({0, 1, 2})
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_UINT16_MAX = 65535


def decode_page(data: bytes) -> Image.Image:
    """Decode the first page.

    Raises:
        Exception: Whatever tifffile or a codec meets.
        ValueError: A layout that no picture can be made of.
    """
    planes, photometric, bits, extra, palette = _read(data)
    if palette is not None and photometric == 3:
        colours = (np.asarray(palette) >> 8).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(colours[:, planes[0]].transpose(1, 2, 0)))
    count = _COLOURS[photometric]
    if len(planes) < count:
        raise ValueError(f"{len(planes)} channels for colours of kind {photometric}")
    shown = _scaled(planes[:count], bits)
    if photometric == _WHITE_IS_ZERO:
        shown = np.iinfo(shown.dtype).max - shown
    if photometric == _INK:
        shown = _eight_bits(shown)
        return Image.merge("CMYK", [Image.fromarray(plane) for plane in shown])
    if photometric == _LAB:
        return Image.merge("LAB", [Image.fromarray(plane) for plane in _lab(planes)])
    alpha = len(planes) > count and bool(extra) and extra[0] in _TRANSPARENCY
    if count == 1 and not alpha:
        return Image.fromarray(np.ascontiguousarray(shown[0]))
    layers = [_eight_bits(plane) for plane in shown]
    if alpha:
        layers.append(_eight_bits(_scaled(planes[count : count + 1], bits)[0]))
    mode = _MODES[count] + ("A" if alpha else "")
    return Image.merge(mode, [Image.fromarray(np.ascontiguousarray(layer)) for layer in layers])


def deep_page(data: bytes) -> tuple[str, NDArray[np.uint16]] | None:
    """Channels ("L", "LA", "RGB" or "RGBA") and samples of a first page of grey or RGB with more than 8 bits, as 16.

    Raises:
        Exception: As `decode_page`.
    """
    planes, photometric, bits, extra, _ = _read(data)
    if photometric not in _GREY_OR_RGB or bits <= 8 or len(planes) < _COLOURS[photometric]:
        return None
    count = _COLOURS[photometric]
    shown = _scaled(planes[:count], bits)
    if photometric == _WHITE_IS_ZERO:
        shown = _UINT16_MAX - shown
    layers = list(shown)
    alpha = len(planes) > count and bool(extra) and extra[0] in _TRANSPARENCY
    if alpha:
        layers.append(_scaled(planes[count : count + 1], bits)[0])
    deep = np.stack(layers, axis=-1).astype(np.uint16)
    return _MODES[count] + ("A" if alpha else ""), deep if deep.shape[2] > 1 else deep[:, :, 0]


def _read(data: bytes) -> tuple[NDArray[Any], int, int, tuple[int, ...], Any]:
    """Planes, kind of colours, bits a sample, kinds of further channels and the palette of the first page."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        photometric = int(page.photometric)
        samples = np.asarray(page.asarray(maxworkers=1))
        extra = tuple(int(kind) for kind in page.extrasamples or ())
        axes, bits, palette = str(page.axes), int(page.bitspersample), page.colormap
    if photometric not in _COLOURS:
        raise ValueError(f"colours of kind {photometric}")
    return _planes(samples, axes), photometric, bits, extra, palette


def _planes(samples: NDArray[Any], axes: str) -> NDArray[Any]:
    """(channels, height, width)."""
    order = [axes.index(axis) for axis in ("S", "Y", "X") if axis in axes]
    if len(order) != samples.ndim or "Y" not in axes or "X" not in axes:
        raise ValueError(f"its samples lie along {axes}")
    turned = samples.transpose(order)
    return turned if "S" in axes else turned[np.newaxis]


def _scaled(planes: NDArray[Any], bits: int) -> NDArray[Any]:
    """Whole range to whole range: uint8 for up to 8 bits, uint16 for more; measured values as their range tells."""
    kind = planes.dtype.kind
    if kind == "c":
        return _scaled(np.abs(planes), bits)
    if kind == "f":
        return _of_range(planes)
    if kind == "i" and bits > 16:
        return _of_range(planes)
    if kind == "i":
        # Two's complement: the least value is black.
        least = -(1 << (bits - 1))
        return _scaled((planes.astype(np.int64) - least).astype(np.uint64), bits)
    if kind == "b":
        return planes.astype(np.uint8) * 255
    if kind != "u":
        raise ValueError(f"samples of {planes.dtype}")
    if bits <= 8:
        return (
            planes if bits == 8 and planes.dtype == np.uint8 else (planes * (255 // ((1 << bits) - 1))).astype(np.uint8)
        )
    if bits > 16:
        return _of_range(planes)  # numbers of this size are measured
    return (planes.astype(np.uint32) << (16 - bits)).astype(np.uint16)


def _of_range(planes: NDArray[Any]) -> NDArray[np.uint16]:
    return (shares(planes) * _UINT16_MAX + 0.5).astype(np.uint16)


def _eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)


def _lab(planes: NDArray[Any]) -> NDArray[np.uint8]:
    """L from 0, a and b around the middle, as Pillow keeps them; TIFF stores the latter two signed."""
    eight = planes[:3] if planes.dtype.itemsize == 1 else planes[:3].astype(np.uint16) >> 8
    stored = np.array(eight, dtype=np.uint8)
    stored[1:] ^= 0x80
    return stored
