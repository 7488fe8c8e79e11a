"""What a copy does not hold that its source does, in words.

Takes the samples and the blocks of both as they were read, gives one sentence for each thing that is gone; must not
claim what was not looked at: every block is looked for in the copy itself.
"""

from __future__ import annotations

from deeplens_kit.decode.converting.base import ConversionTarget
from deeplens_kit.decode.converting.blocks import Blocks
from deeplens_kit.decode.converting.measure import Nearness, same_hidden
from deeplens_kit.decode.converting.source import AllSamples
from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.ifd import TiffStructure

__all__ = ["lost_words"]

_PARTS = {"HEIF": ("pictures", "the main one"), "TIFF": ("pages", "the first")}


def lost_words(
    source: AllSamples,
    copy: AllSamples,
    stored: Blocks,
    carried: Blocks,
    target: ConversionTarget,
    nearness: Nearness | None,
    costs: tuple[str, ...],
) -> tuple[str, ...]:
    """Say what was lost.

    Args:
        source: The samples of the source.
        copy: The samples of the copy.
        stored: Metadata of the source.
        carried: Metadata found in the copy.
        target: What was asked for.
        nearness: How near the copy comes; None where every sample was kept.
        costs: What was lost before the copy was encoded.
    """
    words = [*_size(source, copy), *costs, *_depth(source, copy), *_frames(source, copy, target)]
    if "A" in source.channels and "A" in copy.channels:
        pairs = zip(source.frames, copy.frames, strict=False)
        words += [] if all(same_hidden(*pair) for pair in pairs) else ["colours under full transparency"]
    if source.icc is not None and copy.icc is None and not any("colour profile" in word for word in words):
        words.append("the colour profile")
    if nearness is not None:
        words.append(_nearness(nearness))
    words += _metadata(source, copy, stored, carried, target)
    return tuple(dict.fromkeys(words))


def _size(source: AllSamples, copy: AllSamples) -> list[str]:
    (height, width), (new_height, new_width) = source.frames[0].shape[:2], copy.frames[0].shape[:2]
    if (height, width) == (new_height, new_width):
        return []
    return [f"size: {width:,} × {height:,} became {new_width:,} × {new_height:,} px"]


def _depth(source: AllSamples, copy: AllSamples) -> list[str]:
    if copy.bits >= source.bits or any(f"{source.bits} bits" in note for note in source.notes):
        return []
    return [f"depth: {source.bits} bits a sample became {copy.bits}"]


def _frames(source: AllSamples, copy: AllSamples, target: ConversionTarget) -> list[str]:
    words = []
    if len(source.frames) == 1 and source.stored_frames > 1:
        what, kept = _PARTS.get(source.format, ("frames", "the first"))
        words.append(f"{what}: only {kept} of {source.stored_frames:,} is kept")
    if len(copy.frames) < len(source.frames):
        words.append(
            f"frames: {len(source.frames):,} became {len(copy.frames):,}"
            + ("; equal neighbours were joined" if sum(copy.durations_ms) == sum(source.durations_ms) else "")
        )
    elif copy.durations_ms != source.durations_ms:
        words.append("the durations of frames, rounded by the format")
    return words


def _nearness(nearness: Nearness) -> str:
    if nearness.psnr_db is None:
        return "samples: changed below what 8 bits show"
    return f"samples: compressed with loss, PSNR {nearness.psnr_db:.1f} dB, SSIM {nearness.ssim:.3f}"


def _metadata(
    source: AllSamples, copy: AllSamples, stored: Blocks, carried: Blocks, target: ConversionTarget
) -> list[str]:
    asked = ", as asked" if target.strip_metadata else ""
    words = []
    if stored.exif and not carried.exif:
        words.append(f"EXIF{_of_exif(stored.exif)}{asked}")
        if source.header.exif.colour_space and source.icc is None:
            words.append("which colour space the samples are in: EXIF alone said it")
    elif stored.exif and carried.exif and _has_preview(stored.exif) and not _has_preview(carried.exif):
        words.append("the small preview in EXIF, which no longer showed the picture as it is")
    if stored.xmp and not carried.xmp:
        words.append(f"XMP{asked}" if asked else "XMP, which speaks of parts that are not carried or does not fit")
    return [*words, *stored.others]


def _of_exif(block: bytes) -> str:
    facts = parse_exif(block)
    held = [
        word
        for word, value in (("time", facts.taken_at), ("camera", facts.camera), ("position", facts.gps_latitude))
        if value is not None
    ]
    return f" ({', '.join(held)})" if held else ""


def _has_preview(block: bytes) -> bool:
    try:
        structure = TiffStructure(block)
    except ValueError:
        return False
    main = structure.directory(structure.first_offset)
    return main is not None and bool(main.next_offset)
