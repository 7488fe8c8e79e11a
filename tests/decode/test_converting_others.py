"""Copies of formats that no copy is written in: metadata goes along, and nothing is hinted at that is not there."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest

from data.format_samples import (
    PHOTO,
    exif,
    jpeg2000_with_metadata,
    jxl,
    jxl_with_exif,
    layered,
    raw,
    saved,
    tiff,
)
from deeplens_kit.decode import TARGETS, ConversionTarget, Converted, convert_picture, decode_picture
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()


def converted(data: bytes, format_name: str) -> Converted:
    assert format_name in TARGETS
    return convert_picture(data, ConversionTarget(format_name), LIMITS)


def psd_with(number: int = 0, body: bytes = b"") -> bytes:
    data = saved("PSD")
    start = 26 + 4 + int.from_bytes(data[26:30], "big")
    end = start + 4 + int.from_bytes(data[start : start + 4], "big")
    resource = (
        b"8BIM" + number.to_bytes(2, "big") + bytes(2) + len(body).to_bytes(4, "big") + body + bytes(len(body) & 1)
    )
    resources = resource if number else b""
    return data[:start] + len(resources).to_bytes(4, "big") + resources + data[end:]


@pytest.mark.parametrize("source", ["PSD", "JPEG2000", "JXL", "packed JXL", "RAW"])
@pytest.mark.parametrize("format_name", ["png", "tiff", "jpeg"])
def test_exif_of_what_no_copy_is_written_in_reaches_the_copy(source: str, format_name: str) -> None:
    data = {
        "PSD": lambda: psd_with(1058, exif().removeprefix(b"Exif\x00\x00")),
        "JPEG2000": jpeg2000_with_metadata,
        "JXL": jxl_with_exif,
        "packed JXL": lambda: jxl_with_exif(packed=True),
        "RAW": raw,
    }[source]()
    found = converted(data, format_name)
    assert decode_picture(data, LIMITS).metadata.camera
    assert decode_picture(found.data, LIMITS).metadata.camera == decode_picture(data, LIMITS).metadata.camera
    assert not any("EXIF" in word or "metadata" in word for word in found.lost)
    assert not any("not known" in word for word in found.lost)


@pytest.mark.parametrize("source", ["TGA", "ICO", "JPEG2000", "PSD", "PPM", "JXL"])
def test_what_holds_nothing_beside_its_picture_is_said_to_hold_nothing(source: str) -> None:
    data = psd_with() if source == "PSD" else jxl() if source == "JXL" else saved(source)
    assert not any("metadata" in word or "not known" in word for word in converted(data, "png").lost)
    deep = b"P6 2 2 65535\n" + bytes(24)
    assert not any("not known" in word for word in converted(deep, "png").lost)


def test_layers_and_sizes_and_sensors_are_told() -> None:
    assert "layers" in converted(layered(), "png").lost
    stream = io.BytesIO()
    PHOTO.save(stream, "ICO", sizes=[(16, 16), (32, 32)])
    icon = stream.getvalue()
    assert "sizes: only the largest of 2 is kept" in converted(icon, "png").lost
    assert any("sensor" in word for word in converted(raw(), "png").lost)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["float", "whole", "12-bit JPEG", "lossless JPEG"])
def test_16_bits_of_deeper_or_unusual_samples_are_kept_and_the_rest_is_told(kind: str, channels: int) -> None:
    deep = np.linspace(0, 65535, 64 * 48 * channels).reshape(48, 64, channels).astype(np.uint16)
    deep = deep if channels > 1 else deep[:, :, 0]
    photometric = "rgb" if channels > 1 else "minisblack"
    data = {
        "float": lambda: tiff((deep / 65535).astype(np.float32), photometric=photometric),
        "whole": lambda: tiff(deep.astype(np.uint32), photometric=photometric),
        "12-bit JPEG": lambda: imagecodecs.jpeg8_encode(deep >> 4, bitspersample=12, level=98),
        "lossless JPEG": lambda: imagecodecs.jpeg8_encode(deep, bitspersample=16, lossless=True, predictor=1),
    }[kind]()
    found = converted(data, "png")
    assert (found.format, found.bits) == ("PNG", 16)
    copy = np.asarray(imagecodecs.png_decode(found.data)).astype(int)
    assert np.abs(copy - deep).mean() < (120 if "12" in kind else 2)
    told = any("bits" in word for word in found.lost)
    assert told == (kind in ("float", "whole"))
