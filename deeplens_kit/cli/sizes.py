"""Sizes and budgets as people write them on a command line; takes a text, gives bytes or money."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Budget

__all__ = ["given_budget", "given_bytes"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(|[kMGT])B?", re.IGNORECASE)
_MONEY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Z]{3})")
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


def given_budget(option: str, given: str | None) -> Budget | None:
    """A budget in bytes ("10GB") or money ("5EUR"); None where none is given.

    Raises:
        SettingsError: It is neither.
    """
    if given is None:
        return None
    from deeplens_kit.pipeline import Budget

    money = _MONEY.fullmatch(given.strip())
    if money is not None:
        return Budget(max_money=Decimal(money[1]), currency=money[2])
    if _SIZE.fullmatch(given.strip()) is None:
        raise SettingsError(f"{option} is {given!r}; it must be a size such as 10GB, or money such as 5EUR.")
    return Budget(max_bytes=given_bytes(option, given))
