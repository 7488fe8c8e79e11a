"""The tags of a file whose samples nobody asked for.

Takes the bytes of one file, gives its format, tags and dates; must not decode a sample. A picture that cannot be
decoded still says what it says about itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deeplens_kit.decode.picture import open_picture
from deeplens_kit.decode.signature import HEAD_BYTES, require_format
from deeplens_kit.decode.tags import PictureDates, PictureTags, read_tags
from deeplens_kit.errors import ObjectError
from deeplens_kit.settings import DecodeSettings

__all__ = ["FileTags", "file_tags"]


@dataclass(frozen=True, slots=True)
class FileTags:
    """What a file says about itself.

    Attributes:
        format: As the catalog names it.
        tags: Its tags, with what could not be read.
        dates: When it was made.
    """

    format: str
    tags: PictureTags
    dates: PictureDates


def file_tags(data: bytes, settings: DecodeSettings) -> FileTags:
    """Read the tags of a file.

    Args:
        data: The whole file.
        settings: Limits; beyond them, or where it is damaged, the picture is not opened and its profile is not named.

    Raises:
        UnsupportedFormatError: Not a picture format that is read.
    """
    format_name = require_format(data[:HEAD_BYTES])
    icc: bytes | None = None
    problems: tuple[str, ...] = ()
    try:
        icc = open_picture(data, settings)[2].icc
    except ObjectError as error:
        problems = (f"the picture cannot be opened ({error.code})",)
    tags, dates = read_tags(data, icc)
    return FileTags(format_name, replace(tags, problems=(*tags.problems, *problems)), dates)
