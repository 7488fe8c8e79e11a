"""Single stored files that cannot be analysed or acted on.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

from deeplens_kit.errors.base import DeepLensError

__all__ = [
    "CorruptPictureError",
    "DecodeTimeoutError",
    "DecoderCrashedError",
    "LimitExceededError",
    "NotAPictureError",
    "ObjectChangedError",
    "ObjectError",
    "ObjectExistsError",
    "ObjectForbiddenError",
    "ObjectGoneError",
    "ObjectUnreadableError",
    "PlaceholderError",
    "UnsupportedFormatError",
]


class ObjectError(DeepLensError):
    """One stored file cannot be analysed; it becomes a row in `failures`, never a silence.

    Attributes:
        passing: It may be the circumstances (time, memory, a process that ended) and not the bytes: another try, under
            other circumstances, may go well, so nothing is concluded from it.
    """

    code = "object"
    passing = False


class ObjectUnreadableError(ObjectError):
    """The bytes of an object cannot be had."""

    code = "unreadable"


class ObjectForbiddenError(ObjectUnreadableError):
    """The storage does not let us read an object."""

    code = "permission"


class ObjectGoneError(ObjectUnreadableError):
    """An object that was listed is no longer there."""

    code = "gone"


class PlaceholderError(ObjectError):
    """A cloud client keeps only the name of the file here: reading it would download it."""

    code = "placeholder"


class ObjectChangedError(ObjectError):
    """An object changed while it was read."""

    code = "changed_while_read"


class ObjectKeptOutError(ObjectError):
    """A picture was forgotten on request and must not come back."""

    code = "kept_out"


class ObjectExistsError(ObjectError):
    """Something has the name already; what has it is as it was."""

    code = "exists"


class UnsupportedFormatError(ObjectError):
    """The bytes are not in a picture format that is read."""

    code = "unsupported"


class NotAPictureError(UnsupportedFormatError):
    """The bytes are no picture, drawing or video, whatever their name says."""

    code = "not_a_picture"


class CorruptPictureError(ObjectError):
    """The decoder could not make a picture of the bytes."""

    code = "corrupt"


class DecoderCrashedError(ObjectError):
    """The process that decoded the bytes ended over them; they are not tried again until somebody asks."""

    code = "crashed"
    passing = True


class DecodeTimeoutError(ObjectError):
    """The bytes were not decoded in time; they are not tried again until somebody asks."""

    code = "timed_out"
    passing = True


class LimitExceededError(ObjectError):
    """Bytes, pixels, frames or the memory for them are above the limit set for decoding."""

    code = "too_large"
    passing = True
