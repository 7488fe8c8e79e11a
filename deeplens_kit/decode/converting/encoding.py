"""Samples to the bytes of a file, one function for each format.

Takes prepared samples and the blocks that go along, gives a file and what of the blocks it could not take; must not
decide what is lost on purpose. One thread each: many pictures are converted at a time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.converting.base import ConversionTarget
from deeplens_kit.decode.converting.blocks import Blocks
from deeplens_kit.decode.converting.containers import avif_with, jxl_with, png_with
from deeplens_kit.decode.converting.preparing import Prepared
from deeplens_kit.decode.converting.source import AllSamples
from deeplens_kit.decode.converting.tiff_file import tiff_file
from deeplens_kit.errors import LimitExceededError, ObjectError

__all__ = ["encode"]

_MESSAGE_CHARACTERS = 160  # of an encoder's own words
_FULL_CHROMA = 90  # inclusive: from this quality on colours keep the resolution of the picture
_AVIF_BITS = 12
_AVIF_SPEED, _WEBP_EFFORT, _PNG_LEVEL = 6, 4, 6
_SRGB_PRIMARIES, _SRGB_TRANSFER, _YCBCR = 1, 13, 6  # ITU-T H.273


def encode(prepared: Prepared, source: AllSamples, target: ConversionTarget, blocks: Blocks) -> bytes:
    """Encode a picture.

    Args:
        prepared: Its samples.
        source: For the durations of frames.
        target: The format, and how well.
        blocks: EXIF and XMP that go along.

    Raises:
        LimitExceededError: The format holds no picture of this size, or there is not enough memory.
        ObjectError: The encoder refuses it.
    """
    height, width = prepared.frames[0].shape[:2]
    longest = target.held.longest_side_px
    if max(height, width) > longest:
        raise LimitExceededError(
            f"{target.format} holds at most {longest:,} px a side, this picture has {width:,} x {height:,}; use "
            "--max-side, or another format."
        )
    try:
        if len(prepared.frames) > 1:
            return _animation(prepared, source, target, blocks)
        return _ENCODERS[target.format](prepared, target, blocks)
    except ObjectError:
        raise
    except MemoryError as error:
        raise LimitExceededError(f"There is not enough memory to write this {target.format}.") from error
    except Exception as error:
        # As wide as for decoders: each library raises what it likes, and one picture must not cost the others.
        words = " ".join(str(error).split())[:_MESSAGE_CHARACTERS] or type(error).__name__
        raise ObjectError(f"It cannot be written as {target.format}: {words}.") from error


def _animation(prepared: Prepared, source: AllSamples, target: ConversionTarget, blocks: Blocks) -> bytes:
    first, *rest = [Image.fromarray(frame) for frame in prepared.frames]
    options: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": list(source.durations_ms)}
    if source.loops is not None or target.format == "webp":
        options["loop"] = source.loops or 0
    if target.format == "webp":
        options |= _webp_options(target) | {
            "exif": blocks.exif or b"",
            "xmp": blocks.xmp or b"",
            "minimize_size": False,
        }
    elif target.format == "avif":
        chroma = "4:4:4" if target.asked_quality >= _FULL_CHROMA else "4:2:0"
        # Pillow would parse EXIF and write it anew: it is left out, and told as lost.
        options |= {"quality": target.asked_quality, "subsampling": chroma, "speed": _AVIF_SPEED, "max_threads": 1}
        options |= {"xmp": blocks.xmp or b""}
    if target.format != "png":
        options["icc_profile"] = prepared.icc
    stream = io.BytesIO()
    first.save(stream, target.held.format, **options)
    if target.format == "png":
        return png_with(stream.getvalue(), prepared.icc, blocks.exif, blocks.xmp)
    return stream.getvalue()


def _webp_options(target: ConversionTarget) -> dict[str, Any]:
    lossless = target.keeps_all
    return {
        "lossless": lossless,
        "quality": 75 if lossless else target.asked_quality,  # of a lossless file: effort
        "exact": lossless,  # colours under full transparency too
        "method": _WEBP_EFFORT,
    }


def _webp(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(prepared.frames[0]).save(
        stream,
        "WEBP",
        **_webp_options(target),
        icc_profile=prepared.icc or b"",
        exif=blocks.exif or b"",
        xmp=blocks.xmp or b"",
    )
    return stream.getvalue()


def _jpeg(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    quality = target.asked_quality
    stream = io.BytesIO()
    Image.fromarray(prepared.frames[0]).save(
        stream,
        "JPEG",
        quality=quality,
        subsampling="4:4:4" if quality >= _FULL_CHROMA else "4:2:0",
        optimize=True,
        icc_profile=prepared.icc,
        exif=b"Exif\x00\x00" + blocks.exif if blocks.exif else b"",
        xmp=blocks.xmp or b"",
    )
    return stream.getvalue()


def _png(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    import imagecodecs

    plain = imagecodecs.png_encode(prepared.frames[0], level=_PNG_LEVEL)
    return png_with(bytes(plain), prepared.icc, blocks.exif, blocks.xmp)


def _tiff(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    return tiff_file(prepared.frames[0], prepared.icc, blocks.exif, blocks.xmp)


def _jxl(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    import imagecodecs

    how = {"lossless": True} if target.keeps_all else {"distance": _jxl_distance(target.asked_quality)}
    plain = imagecodecs.jpegxl_encode(prepared.frames[0], **how, usecontainer=True, numthreads=1)
    return jxl_with(bytes(plain), blocks.exif, blocks.xmp)


def _jxl_distance(quality: int) -> float:
    """The distance that libjxl takes for a quality as JPEG counts it (lib/jxl/encode.cc, from version 0.9)."""
    if quality >= 100:
        return 0.01  # 0 would be lossless, which is asked for by its name
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53.0 / 3000.0 * quality**2 - 23.0 / 20.0 * quality + 25.0


def _avif(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    import imagecodecs

    frame = prepared.frames[0]
    deep = frame.itemsize > 1
    if deep:
        highest = 2**_AVIF_BITS - 1
        frame = ((frame.astype(np.uint32) * highest + 32767) // 65535).astype(np.uint16)
    quality = 100 if target.keeps_all else min(target.asked_quality, 99)
    options: dict[str, Any] = {"level": quality, "speed": _AVIF_SPEED, "numthreads": 1}
    if not target.keeps_all:
        options |= {"pixelformat": "444" if quality >= _FULL_CHROMA else "420", "matrix": _YCBCR}
    plain = imagecodecs.avif_encode(
        frame,
        bitspersample=_AVIF_BITS if deep else 8,
        primaries=_SRGB_PRIMARIES,
        transfer=_SRGB_TRANSFER,
        **options,
    )
    return avif_with(bytes(plain), prepared.icc, blocks.exif, blocks.xmp) or bytes(plain)


def _heif(prepared: Prepared, target: ConversionTarget, blocks: Blocks) -> bytes:
    import pillow_heif

    frame = prepared.frames[0]
    mode = prepared.channels + (";16" if frame.itemsize > 1 else "")
    file = pillow_heif.from_bytes(mode, (frame.shape[1], frame.shape[0]), _little(frame))
    options: dict[str, Any] = {"quality": target.asked_quality}
    if target.keeps_all:
        options = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    elif target.asked_quality >= _FULL_CHROMA:
        options["chroma"] = 444
    stream = io.BytesIO()
    file.save(
        stream,
        **options,
        icc_profile=prepared.icc,
        exif=b"Exif\x00\x00" + blocks.exif if blocks.exif else None,
        xmp=blocks.xmp,
    )
    return stream.getvalue()


def _little(frame: NDArray[Any]) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<")).tobytes()


_ENCODERS: Mapping[str, Callable[[Prepared, ConversionTarget, Blocks], bytes]] = {
    "avif": _avif,
    "heif": _heif,
    "jpeg": _jpeg,
    "jxl": _jxl,
    "png": _png,
    "tiff": _tiff,
    "webp": _webp,
}
