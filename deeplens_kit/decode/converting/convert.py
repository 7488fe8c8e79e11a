"""One picture converted, step by step, and the copy measured against its source.

Takes the bytes of a file, what is wanted and limits; gives a copy and what was lost. Must not read or write a file.
"""

from __future__ import annotations

from deeplens_kit.decode.converting.base import ConversionTarget, Converted
from deeplens_kit.decode.converting.beside import beside_words
from deeplens_kit.decode.converting.blocks import Blocks, stored_blocks, tells_position, true_exif, true_xmp
from deeplens_kit.decode.converting.encoding import encode
from deeplens_kit.decode.converting.losses import lost_words
from deeplens_kit.decode.converting.measure import Nearness, read_back, same_samples, seen_nearness
from deeplens_kit.decode.converting.preparing import prepare
from deeplens_kit.decode.converting.source import AllSamples, all_samples
from deeplens_kit.decode.converting.whole_jpeg import whole_jpeg
from deeplens_kit.decode.picture import translating
from deeplens_kit.settings import DecodeSettings

__all__ = ["convert_picture"]


def convert_picture(data: bytes, target: ConversionTarget, settings: DecodeSettings) -> Converted:
    """Convert one picture, and measure what that cost.

    Args:
        data: The whole file.
        target: What it is to become.
        settings: Limits on what is decoded, each inclusive.

    Returns:
        The copy: upright, with the colour profile, EXIF and XMP of the source as far as the format takes them.

    Raises:
        UnsupportedFormatError: The source is no picture format that is read.
        LimitExceededError: Bytes, pixels or frames above the limit, or a side above what the format holds.
        CorruptPictureError: The source cannot be decoded whole.
        ObjectError: The encoder refuses it.
    """
    whole = whole_jpeg(data, settings) if _may_keep_jpeg(target) else None
    if whole is not None:
        return whole
    # 1. All that the file holds.
    source = all_samples(data, settings, animated=target.held.animation)
    with translating(source.format):
        stored, beside = stored_blocks(source.format, data), beside_words(data, source)
    # 2. What the format can hold of it.
    prepared = prepare(source, target)
    blocks = _carried(stored, source, prepared.frames[0].shape, target)
    # 3. The copy, and what is really in it.
    encoded = encode(prepared, source, target, blocks)
    copy = read_back(target.held.format, encoded, settings, animated=len(prepared.frames) > 1)
    found = stored_blocks(copy.format, encoded)
    # 4. What was lost.
    exact = same_samples(source.frames, copy.frames) and source.stored_frames == len(source.frames)
    exact = exact and (source.icc == copy.icc) and not source.notes
    nearness = Nearness(None, 1.0) if exact else seen_nearness(source, copy)
    encoded_alike = same_samples(prepared.frames, copy.frames)
    costs = (*prepared.words, *beside)
    words = lost_words(source, copy, stored, found, target, None if encoded_alike else nearness, costs)
    (height, width), (source_height, source_width) = copy.frames[0].shape[:2], source.frames[0].shape[:2]
    return Converted(
        data=encoded,
        format=copy.format,
        source_format=source.format,
        width_px=width,
        height_px=height,
        source_width_px=source_width,
        source_height_px=source_height,
        frames=len(copy.frames),
        source_frames=source.stored_frames,
        bits=copy.bits,
        source_bits=source.bits,
        exact=exact,
        psnr_db=nearness.psnr_db,
        ssim=nearness.ssim,
        has_position=copy.header.exif.gps_latitude is not None or tells_position(found.xmp),
        lost=words,
    )


def _may_keep_jpeg(target: ConversionTarget) -> bool:
    return target.format == "jxl" and target.lossless and target.max_side_px is None and not target.strip_metadata


def _carried(stored: Blocks, source: AllSamples, shape: tuple[int, ...], target: ConversionTarget) -> Blocks:
    """EXIF and XMP that go along, true of the copy."""
    if target.strip_metadata:
        return Blocks()
    size = shape[1], shape[0]
    redrawn = source.header.exif.orientation != 1 or shape[:2] != source.frames[0].shape[:2]
    exif = true_exif(stored.exif, size, redrawn=redrawn) if stored.exif else None
    xmp = true_xmp(stored.xmp) if stored.xmp else None
    largest = target.held.largest_block_bytes
    return Blocks(
        exif if exif and len(exif) <= largest - len(b"Exif\x00\x00") else None,
        xmp if xmp and len(xmp) <= largest else None,
    )
