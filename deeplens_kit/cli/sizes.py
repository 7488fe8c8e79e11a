"""Sizes as people write them on a command line; takes a text, gives bytes."""

from __future__ import annotations

import re

from deeplens_kit.errors import SettingsError

__all__ = ["given_bytes"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(|[kMGT])B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def given_bytes(option: str, given: str | None) -> int | None:
    """A size in decimal units: "500kB" is 500,000 bytes; None where none is given.

    Raises:
        SettingsError: It is no size.
    """
    if given is None:
        return None
    found = _SIZE.fullmatch(given.strip())
    if found is None:
        raise SettingsError(f"{option} is {given!r}; it must be a size such as 250000, 500kB or 1.5MB.")
    return int(float(found[1]) * _UNITS[found[2].upper()])
