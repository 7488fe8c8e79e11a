"""Bytes to upright RGB thumbnails and metadata, within limits.

Takes the bytes of one file, never its name, and gives samples and facts of it; must not read or write users'
files. The names below load their modules, and with them Pillow and the decoders, when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.decode.converting import TARGETS, ConversionTarget, Converted, convert_picture
    from deeplens_kit.decode.detail import effective_pixels
    from deeplens_kit.decode.grey import GREY_SPEC, decode_grey
    from deeplens_kit.decode.isolation import IsolatedDecoder, close_decoders
    from deeplens_kit.decode.metadata import PictureMetadata
    from deeplens_kit.decode.picture import (
        DECODE_SPEC,
        THUMBNAIL_SIDE_PX,
        DecodedPicture,
        decode_luma,
        decode_picture,
        decode_preview,
    )
    from deeplens_kit.decode.samples import SAMPLES_VERSION, native_samples
    from deeplens_kit.decode.signature import FORMATS, describe, sniff
    from deeplens_kit.decode.tags import PictureDates, PictureTags, Tag, mask_tags, shown_value
    from deeplens_kit.decode.thumbnails import THUMBNAIL_SIDES_PX, ThumbnailCache, decode_thumbnail, encode_thumbnail

__all__ = [
    "DECODE_SPEC",
    "FORMATS",
    "GREY_SPEC",
    "SAMPLES_VERSION",
    "TARGETS",
    "THUMBNAIL_SIDES_PX",
    "THUMBNAIL_SIDE_PX",
    "ConversionTarget",
    "Converted",
    "DecodedPicture",
    "IsolatedDecoder",
    "PictureDates",
    "PictureMetadata",
    "PictureTags",
    "Tag",
    "ThumbnailCache",
    "close_decoders",
    "convert_picture",
    "decode_grey",
    "decode_luma",
    "decode_picture",
    "decode_preview",
    "decode_thumbnail",
    "describe",
    "effective_pixels",
    "encode_thumbnail",
    "mask_tags",
    "native_samples",
    "shown_value",
    "sniff",
]

_MODULES = {
    "ConversionTarget": "converting",
    "Converted": "converting",
    "DECODE_SPEC": "picture",
    "FORMATS": "signature",
    "GREY_SPEC": "grey",
    "SAMPLES_VERSION": "samples",
    "TARGETS": "converting",
    "THUMBNAIL_SIDES_PX": "thumbnails",
    "THUMBNAIL_SIDE_PX": "picture",
    "DecodedPicture": "picture",
    "IsolatedDecoder": "isolation",
    "PictureDates": "tags",
    "PictureMetadata": "metadata",
    "PictureTags": "tags",
    "Tag": "tags",
    "ThumbnailCache": "thumbnails",
    "close_decoders": "isolation",
    "convert_picture": "converting",
    "decode_grey": "grey",
    "decode_luma": "picture",
    "decode_picture": "picture",
    "decode_preview": "picture",
    "describe": "signature",
    "effective_pixels": "detail",
    "decode_thumbnail": "thumbnails",
    "encode_thumbnail": "thumbnails",
    "mask_tags": "tags",
    "native_samples": "samples",
    "shown_value": "tags",
    "sniff": "signature",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
