"""A JPEG in a JPEG XL, whole: its coded data packed tighter, so that the very file can be had back.

Takes the bytes of a JPEG, gives a copy that was unpacked again and compared byte for byte; None where libjxl cannot
take the file so (CMYK, broken ends), which is then converted by its samples.
"""

from __future__ import annotations

from deeplens_kit.decode.converting.base import Converted
from deeplens_kit.decode.converting.blocks import position_among
from deeplens_kit.decode.metadata import upright_size
from deeplens_kit.decode.picture import open_picture, translating
from deeplens_kit.decode.tags.reading import read_tags
from deeplens_kit.settings import DecodeSettings

__all__ = ["whole_jpeg"]

_BITS = 8


def whole_jpeg(data: bytes, settings: DecodeSettings) -> Converted | None:
    """Pack a JPEG into a JPEG XL; None for another format, and where the JPEG would not come back as it is.

    Args:
        data: The whole file.
        settings: Limits, each inclusive.

    Raises:
        ObjectError: As `picture.decode_picture`.
    """
    format_name, reader, header = open_picture(data, settings)
    if format_name != "JPEG":
        return None
    with translating(format_name):
        reader.pixels(None)  # a file whose samples end early is an error here as well
    import imagecodecs

    try:
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(data, usecontainer=True, numthreads=1))
        unpacked = bytes(imagecodecs.jpegxl_decode_jpeg(packed, numthreads=1))
    except (RuntimeError, ValueError):  # JpegxlError is a RuntimeError
        return None
    if unpacked != data:
        return None
    # libjxl writes the orientation into its codestream, and turns by it when it decodes.
    width, height = upright_size((header.width_px, header.height_px), header.exif.orientation)
    return Converted(
        data=packed,
        format="JXL",
        source_format=format_name,
        width_px=width,
        height_px=height,
        source_width_px=width,
        source_height_px=height,
        frames=1,
        source_frames=1,
        bits=_BITS,
        source_bits=_BITS,
        exact=True,
        psnr_db=None,
        ssim=1.0,
        has_position=header.exif.gps_latitude is not None or position_among(read_tags(data)[0], data),
        lost=(),
    )
