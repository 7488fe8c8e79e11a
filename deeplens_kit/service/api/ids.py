"""The ids of the API: `image_id` names an object, one stored file, and `picture_id` a content, whatever files hold it.

Takes what the catalog calls them and gives texts that stand in a path as they are, and the other way round; must not
look anything up. An image_id is reversible, so that no table of ids has to be kept: it stays when its location is
renamed, and is another one when the file is moved.
"""

from __future__ import annotations

import base64
import binascii
import re

from deeplens_kit.errors import UnknownNameError

__all__ = ["ID_PATTERN", "image_id_of", "is_picture_id", "object_id_of", "object_parts"]

ID_PATTERN = r"^[A-Za-z0-9_-]{4,2000}$"
"""What an id looks like, of either kind."""

_PICTURE = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(ID_PATTERN)
_ADVICE = "take it from an answer of this API."


def image_id_of(object_id: str) -> str:
    """The id of an object, from LOCATION_ID/path as the catalog has it."""
    return base64.urlsafe_b64encode(object_id.encode()).rstrip(b"=").decode()


def is_picture_id(text: str) -> bool:
    """Whether a text is the id of a picture: a SHA-256, hexadecimal. No image_id looks like one."""
    return bool(_PICTURE.fullmatch(text))


def object_id_of(image_id: str) -> str:
    """The object that an id names; it need not be there.

    Raises:
        UnknownNameError: It is no id.
    """
    return "/".join(object_parts(image_id))


def object_parts(image_id: str) -> tuple[str, str]:
    """The id of the location and the path there, encoded, that an id names; neither need be there.

    Raises:
        UnknownNameError: It is no id.
    """
    try:
        if not _ID.fullmatch(image_id):
            raise ValueError("it holds other letters")
        raw = base64.urlsafe_b64decode(image_id + "=" * (-len(image_id) % 4))
        location_id, slash, path = raw.decode().partition("/")
        # One spelling for each object: bits that base64 leaves over would make others.
        if not (slash and location_id and path) or "\0" in path or image_id_of(f"{location_id}/{path}") != image_id:
            raise ValueError("it names no object")
    except (ValueError, binascii.Error) as error:
        raise UnknownNameError("image", image_id[:80], (), advice=_ADVICE) from error
    return location_id, path
