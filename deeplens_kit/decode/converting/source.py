"""All samples of a file that can be had: every frame of an animation, 16 bits where they are there, upright.

Takes the bytes of one file and limits, gives arrays; must not lose a bit without a note that says so. Used on what
is converted and on what came of it alike, so that both are measured by the same eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.colour import plain_mode, to_srgb
from deeplens_kit.decode.formats import Header, Reader
from deeplens_kit.decode.formats.boxes import item_facts
from deeplens_kit.decode.formats.jpeg import JpegReader
from deeplens_kit.decode.formats.tiff import TiffReader
from deeplens_kit.decode.formats.tiff_page import deep_page
from deeplens_kit.decode.native import Samples, laid_out, still_samples
from deeplens_kit.decode.picture import open_picture, translating
from deeplens_kit.decode.samples import OPEN_ANIMATION, upright_samples
from deeplens_kit.settings import DecodeSettings

__all__ = ["AllSamples", "all_samples", "deep_avif"]

_ANIMATED_BITS = 8
_AVIF_CLOSE = 2.0  # of 255, inclusive: mean difference of two decoders' roundings
_OF_MEASURED_VALUES = ("I", "F")
_WORDS_OF_MODES = {"CMYK": "CMYK", "LAB": "L*a*b*"}


@dataclass(frozen=True, slots=True, eq=False)
class AllSamples:
    """The samples of a file.

    Attributes:
        format: As `signature.sniff` names it.
        frames: One array for each frame, (height, width) or (height, width, channels), uint8 or uint16, upright.
        channels: "L", "LA", "RGB" or "RGBA", of all frames.
        durations_ms: Of each frame of an animation; empty for a still.
        loops: Times that an animation is shown, 0 without end; None where it does not say.
        stored_frames: Frames, pages or pictures in the file.
        bits: Of a stored sample.
        icc: The colour profile of these samples, or None.
        header: What the file says about itself.
        notes: What reading has cost, in words.
    """

    format: str
    frames: tuple[NDArray[Any], ...]
    channels: str
    durations_ms: tuple[int, ...]
    loops: int | None
    stored_frames: int
    bits: int
    icc: bytes | None
    header: Header
    notes: tuple[str, ...]


def all_samples(data: bytes, settings: DecodeSettings, *, animated: bool) -> AllSamples:
    """Read every sample of a file.

    Args:
        data: The whole file.
        settings: Limits, each inclusive; an animation whose frames together have more than `max_pixels` is read as a
            still.
        animated: Read all frames of an animation; else the first.

    Raises:
        ObjectError: As `picture.decode_picture`.
    """
    format_name, reader, header = open_picture(data, settings)
    with translating(format_name):
        fits = header.frames * header.width_px * header.height_px <= settings.max_pixels
        if animated and header.frames > 1 and format_name in OPEN_ANIMATION and fits:
            return _animation(format_name, data, header)
        return _still(format_name, data, reader, header)


def _animation(format_name: str, data: bytes, header: Header) -> AllSamples:
    frames, durations = [], []
    with OPEN_ANIMATION[format_name](data) as image:
        apart = bool(image.info.get("default_image"))
        loops = image.info.get("loop")
        for number in range(int(apart), image.n_frames):
            image.seek(number)
            canvas = image.convert("RGBA")  # loads the frame, which says its duration
            frames.append(upright_samples(np.asarray(canvas), header.exif.orientation))
            durations.append(round(float(image.info.get("duration") or 0)))
    notes = ["the picture that is shown where animations are not"] if apart else []
    if header.bits > _ANIMATED_BITS:
        notes.append(f"{header.bits} bits a sample: an animation is read with 8")
    return AllSamples(
        format_name, tuple(frames), "RGBA", tuple(durations), loops, header.frames, max(header.bits, 8), header.icc,
        header, tuple(notes),
    )  # fmt: skip


def _still(format_name: str, data: bytes, reader: Reader, header: Header) -> AllSamples:
    notes: list[str] = []
    icc = header.icc
    samples = still_samples(format_name, data, reader)
    if format_name == "AVIF" and (deep := deep_avif(data)) is not None:
        samples = deep[0] if samples is None or _agree(deep[0], samples) else samples
    if samples is None:
        samples = _deep(format_name, reader, header)
    if samples is None or samples.channels == "CMYK":
        samples, icc = _converted(reader.pixels(None), icc, notes)
    bits = _stored_bits(format_name, data, header, samples)
    if bits > 8 * samples.array.itemsize and not notes:
        kind = "floating-point numbers" if header.floating else "samples"
        notes.append(f"{kind} of {bits} bits a sample were read as {8 * samples.array.itemsize} bits")
    array = upright_samples(samples.array, header.exif.orientation)
    return AllSamples(
        format_name, (array,), samples.channels, (), None, header.frames, bits, icc, header, tuple(notes)
    )  # fmt: skip


def _deep(format_name: str, reader: Reader, header: Header) -> Samples | None:
    """Samples of more than 8 bits that are not native for certain, brought to 16; None where they cannot be had."""
    if header.bits <= _ANIMATED_BITS:
        return None
    if format_name == "JPEG":
        found = cast(JpegReader, reader).deep_samples()
        return None if found is None else Samples("L" if found.ndim == 2 else "RGB", found)
    if format_name == "TIFF":
        page = deep_page(cast(TiffReader, reader).samples_alone())
        return None if page is None else Samples(*page)
    return None


def _converted(image: Image.Image, icc: bytes | None, notes: list[str]) -> tuple[Samples, bytes | None]:
    """Samples of a kind that no target holds, in one that all do."""
    if image.mode in _OF_MEASURED_VALUES:
        notes.append("measured values (32 bits a sample) became 8 bits of grey, stretched to their range")
    plain = plain_mode(image)
    if plain.mode in _WORDS_OF_MODES:
        profile = " by its colour profile" if icc else ""
        notes.append(f"colours: {_WORDS_OF_MODES[plain.mode]} became sRGB{profile}")
        return Samples("RGB", np.asarray(to_srgb(plain, icc))), None
    found = laid_out(plain)
    return found or Samples("RGB", np.asarray(plain.convert("RGB"))), icc


def _stored_bits(format_name: str, data: bytes, header: Header, samples: Samples) -> int:
    if format_name == "HEIF" and samples.array.itemsize > 1:
        import pillow_heif

        return int(pillow_heif.open_heif(data, convert_hdr_to_8bit=False).info.get("bit_depth") or 16)
    if format_name == "AVIF" and samples.array.itemsize > 1:
        return _avif_bits(data)
    return max(header.bits, 8 * samples.array.itemsize)


def deep_avif(data: bytes) -> tuple[Samples, int] | None:
    """The samples of an AVIF still of more than 8 bits, brought to 16, and their bits; None of others.

    Raises:
        Exception: Whatever the decoder meets; `picture.translating` translates.
    """
    facts = item_facts(data)
    if facts is None or not facts.deep:
        return None
    import imagecodecs

    found = np.asarray(imagecodecs.avif_decode(data, index=0, numthreads=1))
    if found.dtype != np.uint16 or found.ndim not in (2, 3):
        return None
    bits = _avif_bits(data)
    highest = 2**bits - 1
    wide = ((found.astype(np.uint32) * 65535 + highest // 2) // highest).astype(np.uint16)
    channels = "L" if wide.ndim == 2 else {2: "LA", 3: "RGB", 4: "RGBA"}[wide.shape[2]]
    return Samples(channels, wide), bits


def _avif_bits(data: bytes) -> int:
    """10 or 12, as the first configuration of the codec (av1C, third byte) says."""
    at = data.find(b"av1C")
    return 12 if at >= 0 and data[at + 6] & 0x20 else 10


def _agree(deep: Samples, plain: Samples) -> bool:
    """Whether two decoders show one picture."""
    if deep.array.shape != plain.array.shape:
        return False
    high = (deep.array >> 8).astype(np.int16)
    return bool(np.abs(high - plain.array.astype(np.int16)).mean() <= _AVIF_CLOSE)
