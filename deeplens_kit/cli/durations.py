"""Durations as people write them on a command line; takes a text, gives seconds."""

from __future__ import annotations

import re

from deeplens_kit.errors import SettingsError

__all__ = ["given_seconds"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d)", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LONGEST_SECONDS = 366 * 86400


def given_seconds(option: str, given: str | None, *, least_seconds: float) -> float | None:
    """A duration: "90s", "15m", "2h" or "1d"; None where none is given.

    Args:
        option: Its name, for messages.
        given: What was given.
        least_seconds: The shortest that is allowed, inclusive; the longest is a year.

    Raises:
        SettingsError: It is no duration, or not allowed.
    """
    if given is None:
        return None
    found = _DURATION.fullmatch(given.strip())
    seconds = float(found[1]) * _UNITS[found[2].lower()] if found else -1.0
    if not least_seconds <= seconds <= _LONGEST_SECONDS:
        raise SettingsError(
            f"{option} is {given!r}; it must be a duration such as 90s, 15m, 2h or 1d, "
            f"from {least_seconds:g}s to a year."
        )
    return seconds
