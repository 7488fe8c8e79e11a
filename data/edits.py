"""What people do to pictures: the edits and encodings by which the sample library makes its copies.

Takes RGB pictures and gives new ones, or their encoded bytes; must not read or write files. Each edit is
deterministic: the same picture and arguments give the same result with the same library versions.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps
from pillow_heif import from_pillow

__all__ = [
    "Quality",
    "added_noise",
    "brightened",
    "captioned",
    "cropped",
    "encoded",
    "exif_block",
    "greyed",
    "mirrored",
    "recoloured",
    "samples_as_png",
    "scaled",
    "tilted",
    "turned",
    "watermarked",
    "without_exif",
]

Quality = int
"""JPEG, WebP, AVIF or HEIF quality, 1..100."""

_ORIENTATION, _MAKE, _MODEL, _EXIF_IFD, _TAKEN_AT = 0x0112, 0x010F, 0x0110, 0x8769, 0x9003
_JPEG_MARKER_STARTS_SCAN, _JPEG_APP1 = 0xDA, 0xE1


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    """Resized by `factor` on both sides; above 1 it is an upscale, which adds no detail."""
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def cropped(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The part between the given shares (0..1) of width and height."""
    return picture.crop(
        (
            round(left * picture.width),
            round(top * picture.height),
            round(right * picture.width),
            round(bottom * picture.height),
        )
    )


def turned(picture: Image.Image) -> Image.Image:
    """Turned by 90 degrees, anticlockwise."""
    return picture.transpose(Image.Transpose.ROTATE_90)


def mirrored(picture: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return ImageOps.mirror(picture)


def tilted(picture: Image.Image, degrees: float) -> Image.Image:
    """Turned by a few degrees within its frame; the corners become black."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC)


def recoloured(picture: Image.Image) -> Image.Image:
    """Sepia: grey levels between a dark brown and a light yellow."""
    return ImageOps.colorize(ImageOps.grayscale(picture), black="#1e1208", white="#fff4dc")


def greyed(picture: Image.Image) -> Image.Image:
    """The picture without its colours, still with three channels."""
    return picture.convert("L").convert("RGB")


def brightened(picture: Image.Image, factor: float) -> Image.Image:
    """Every sample multiplied by `factor`."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def added_noise(picture: Image.Image, sigma: float, seed: int) -> Image.Image:
    """Gaussian noise of `sigma` levels of 255 on every sample."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).round().astype(np.uint8))


def watermarked(picture: Image.Image, text: str) -> Image.Image:
    """Half-transparent white text across the lower right corner."""
    layer = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(size=max(10, picture.width // 18))
    draw.text((picture.width * 0.97, picture.height * 0.97), text, fill=128, font=font, anchor="rs")
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, layer)


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """A white band with text under the picture: the picture becomes part of a larger one."""
    band = max(24, picture.height // 6)
    wider = ImageOps.expand(picture, border=(0, 0, 0, band), fill="white")
    draw = ImageDraw.Draw(wider)
    font = ImageFont.load_default(size=band // 2)
    draw.text((picture.width / 2, picture.height + band / 2), text, fill="black", font=font, anchor="mm")
    return wider


def exif_block(
    taken_at: str = "", camera: tuple[str, str] = ("Example Cameras", "Model One"), orientation: int = 1
) -> bytes:
    """An EXIF block.

    Args:
        taken_at: "YYYY:MM:DD hh:mm:ss" as EXIF writes it; left out when empty.
        camera: Maker and model.
        orientation: 1..8, how a viewer has to turn the stored samples.
    """
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL] = camera
    exif[_ORIENTATION] = orientation
    if taken_at:
        exif.get_ifd(_EXIF_IFD)[_TAKEN_AT] = taken_at
    return exif.tobytes()


def encoded(picture: Image.Image, form: str, quality: Quality = 90, exif: bytes = b"") -> bytes:
    """The bytes of a picture file.

    Args:
        picture: RGB.
        form: "JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF" or "HEIF".
        quality: For the lossy ones.
        exif: A block from `exif_block`, for JPEG and PNG.
    """
    stream = io.BytesIO()
    if form == "JPEG":
        picture.save(stream, form, quality=quality, exif=exif)
    elif form == "PNG":
        picture.save(stream, form, exif=exif)
    elif form == "TIFF":
        picture.save(stream, form, compression="tiff_adobe_deflate")
    elif form == "HEIF":
        from_pillow(picture).save(stream, quality=quality)
    elif form in ("WEBP", "AVIF"):
        picture.save(stream, form, quality=quality)
    else:
        picture.save(stream, form)
    return stream.getvalue()


def samples_as_png(jpeg: bytes) -> bytes:
    """What a JPEG decodes to, stored as PNG with its colour profile: other bytes, the same samples."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.save(stream, "PNG", icc_profile=opened.info.get("icc_profile"))
    return stream.getvalue()


def without_exif(jpeg: bytes) -> bytes:
    """The same JPEG without its EXIF and XMP segments; every coded sample stays as it is (ITU-T T.81, annex B)."""
    kept, at = [jpeg[:2]], 2
    while jpeg[at + 1] != _JPEG_MARKER_STARTS_SCAN:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != _JPEG_APP1:
            kept.append(jpeg[at:end])
        at = end
    return b"".join([*kept, jpeg[at:]])
