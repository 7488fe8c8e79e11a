"""What the colours of a JPEG XL mean where it names them: curves as tables, primaries as an ICC profile.

Takes numbers of ISO/IEC 23091-2 and chromaticities, gives tables and profiles; must not look at pixels. Brightness
above the white of a screen is cut off.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.colour import linear_to_srgb

__all__ = ["primaries_profile", "srgb_table"]

_REC709, _LINEAR, _SRGB, _PQ, _CINEMA, _HLG = 1, 8, 13, 16, 17, 18
_STEPS = 65536
_PQ_WHITE_NITS, _PQ_PEAK_NITS = 203.0, 10_000.0  # ITU-R BT.2408: what paper white is in a picture for bright screens
_CINEMA_EXPONENT = 2.6
_HLG_WHITE = 0.265  # light of the signal 0.75, reference white of ITU-R BT.2408
# CIE D50, and the transform of Bradford, as ICC.1:2022 (annex E) uses them.
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@lru_cache(maxsize=8)
def srgb_table(curve: float) -> NDArray[np.uint8]:
    """(65536,) uint8: samples of 16 bits with a curve to 8 bits with that of sRGB; unknown curves count as sRGB."""
    values = np.arange(_STEPS, dtype=np.float64) / (_STEPS - 1)
    if curve in (_SRGB, 2):
        return (values * 255 + 0.5).astype(np.uint8)
    light = _light(values, curve)
    if light is None:
        return srgb_table(float(_SRGB))
    return linear_to_srgb(light.astype(np.float32))


def _light(values: NDArray[np.float64], curve: float) -> NDArray[np.float64] | None:
    if curve < 0:
        return values ** (-1.0 / curve)  # the exponent is that of the coding
    if curve == _LINEAR:
        return values
    if curve == _CINEMA:
        return values**_CINEMA_EXPONENT
    if curve == _REC709:
        return np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    if curve == _PQ:  # SMPTE ST 2084
        root = values ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return light * _PQ_PEAK_NITS / _PQ_WHITE_NITS
    if curve == _HLG:  # ITU-R BT.2100
        light = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        return light / _HLG_WHITE
    return None


@lru_cache(maxsize=8)
def primaries_profile(points: tuple[float, ...]) -> bytes | None:
    """An ICC profile (version 2) of a screen with the curve of sRGB.

    Args:
        points: x and y of red, green, blue and white.

    Returns:
        None where no colours can be made of these.
    """
    if len(points) != 8 or min(points[1::2]) <= 0:
        return None
    columns = [np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in zip(points[::2], points[1::2], strict=True)]
    white = columns.pop()
    try:
        matrix = np.stack(columns, axis=1)
        matrix = matrix * np.linalg.solve(matrix, white)
        cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    except np.linalg.LinAlgError:
        return None
    adapted = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ matrix
    return _profile(adapted)


def _profile(matrix: NDArray[np.float64]) -> bytes:
    levels = np.arange(1024) / 1023
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + (light * 65535 + 0.5).astype(">u2").tobytes()
    name = b"Primaries of a JPEG XL\0"
    described = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    tags = [(b"desc", described), (b"wtpt", _point(_D50))]
    tags += [(kind, _point(column)) for kind, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)]
    tags += [(kind, curve) for kind in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for kind, content in tags:
        padded = content + bytes(-len(content) % 4)
        table += kind + struct.pack(">II", at + len(body), len(content))
        body += padded
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(28) + _point(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _point(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
