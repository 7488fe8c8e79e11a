"""Names of what looking at pictures found: by them caches and stored pairs tell what still holds.

Takes the versions of everything that the numbers depend on beside the pictures themselves, gives names for folders and
columns; must not read or write. The limits on decoding are no part of them: they say whether a picture is looked at,
not what is seen.
"""

from __future__ import annotations

from deeplens_kit.decode import GREY_SPEC
from deeplens_kit.matching.verification import LOOK_SIDE_PX, VERIFICATION
from deeplens_kit.matching.verification.resolution import RESOLUTION

__all__ = ["LOOKS", "RESOLUTIONS", "VERDICTS", "look_name", "resolution_name", "verdict_name"]


def look_name(method: str = VERIFICATION, grey: str = GREY_SPEC, side_px: int = LOOK_SIDE_PX) -> str:
    """Names local features of pictures.

    Args:
        method: How they are found.
        grey: How bytes become grey samples.
        side_px: Long side of the grey pictures.
    """
    return f"{verdict_name(method, grey)}-{side_px}"


def verdict_name(method: str = VERIFICATION, grey: str = GREY_SPEC) -> str:
    """Names what a close look at a pair says; `pairs.verification` holds it.

    Args:
        method: How pairs are looked at; it settles the size of the grey pictures.
        grey: How bytes become grey samples.
    """
    return f"{method}-{grey}"


def resolution_name(method: str = VERIFICATION, grey: str = GREY_SPEC, measure: str = RESOLUTION) -> str:
    """Names which picture of a pair resolves more.

    Args:
        method: How one is laid on the other.
        grey: How bytes become grey samples.
        measure: How they are compared.
    """
    return f"{verdict_name(method, grey)}-{measure}".replace("/", "-")


LOOKS, VERDICTS, RESOLUTIONS = look_name(), verdict_name(), resolution_name()
"""The names of what this release finds."""
