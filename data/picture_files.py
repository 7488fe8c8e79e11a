"""A picture as a file of each format that is read, made by the libraries that the world makes them with."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from PIL import Image
from psd_tools import PSDImage

__all__ = ["camera_raw", "encode_picture"]


def encode_picture(image: Image.Image, format_name: str, **options: object) -> bytes:
    """Save in a format under its catalog name."""
    stream = io.BytesIO()
    if format_name == "HEIF":
        pillow_heif.from_pillow(image).save(stream, **options)
    elif format_name == "JXL":
        return bytes(imagecodecs.jpegxl_encode(np.asarray(image), **{"distance": 1.0} | options))
    elif format_name == "PSD":
        PSDImage.frompil(image).save(stream)
    elif format_name == "RAW":
        return camera_raw(image, **options)
    elif format_name == "ICO":
        image.save(stream, format_name, sizes=[image.size], **options)
    else:
        image.save(stream, {"PNM": "PPM"}.get(format_name, format_name), **options)
    return stream.getvalue()


def camera_raw(image: Image.Image, *, preview: bytes | None = None, orientation: int = 1, **facts: str) -> bytes:
    """A DNG whose sensor saw `image` through a colour filter array (red, green, green, blue), in linear 12 bits.

    Args:
        image: RGB, sides even.
        preview: A JPEG, kept as the first page as cameras do; None for none.
        orientation: EXIF 1..8.
        facts: make, model, date.
    """
    colours = np.asarray(image).astype(np.float64) / 255
    light = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    sensor = light[:, :, 1].copy()
    sensor[::2, ::2], sensor[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
    white = 4095
    to_camera = (3.2404542, -1.5371385, -0.4985314, -0.9692660, 1.8760108, 0.0415560, 0.0556434, -0.2040259, 1.0572252)
    rational = tuple(part for number in to_camera for part in (round(number * 10_000), 10_000))
    described = [
        (271, "s", 0, facts.get("make", "Example"), True),
        (272, "s", 0, facts.get("model", "Example One"), True),
        (274, "H", 1, orientation, True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50707, "B", 4, (1, 1, 0, 0), True),
        (50708, "s", 0, "Example One", True),
        (50714, "H", 1, 0, True),
        (50717, "H", 1, white, True),
        (50721, "2i", 9, rational, True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        (50778, "H", 1, 21, True),
    ]
    if "date" in facts:
        described.append((306, "s", 0, facts["date"], True))
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        samples = (np.clip(sensor, 0, 1) * white).astype(np.uint16)
        writer.write(samples, photometric=32803, subfiletype=0, extratags=described, metadata=None)
        if preview is not None:
            with Image.open(io.BytesIO(preview)) as shown:
                height, width = shown.height, shown.width
            writer.write(
                iter([preview]),
                shape=(height, width, 3),
                dtype=np.uint8,
                photometric="ycbcr",
                compression="jpeg",
                rowsperstrip=height,
                subfiletype=1,
                metadata=None,
            )
    return stream.getvalue()
