"""Filters as one line of text, for a command line, a link or a saved search: `format=JPEG,PNG size>=500kB tag=holiday`.

Takes a text and gives filters, or filters and gives the text; must not look at pictures or at what exists. Conditions
stand beside each other and all hold; of values with commas between them any will do. A value with a space, a comma or a
quote stands in double or single quotes, in which a backslash takes the next letter as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, time
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.search.filters import COPY_TIERS, SearchFilters

__all__ = ["filters_of", "text_of"]

_LONGEST_TEXT = 20_000  # characters

# Key -> field that a list of values goes to.
_LISTS = {
    "location": "locations", "path": "paths", "format": "formats", "camera": "cameras", "collection": "collections",
    "tag": "tags", "duplicates": "duplicates", "tier": "tiers",
}  # fmt: skip
# Key -> what reads a value, and the fields of the least and the greatest, None where there is none.
_BOUNDS: dict[str, tuple[str, str | None, str | None]] = {
    "size": ("size", "min_bytes", "max_bytes"),
    "saves": ("size", "min_saves_bytes", None),
    "width": ("number", "min_width_px", "max_width_px"),
    "height": ("number", "min_height_px", "max_height_px"),
    "side": ("number", "min_side_px", "max_side_px"),
    "taken": ("moment", "taken_from", "taken_to"),
    "modified": ("moment", "modified_from", "modified_to"),
    "score": ("share", "min_score", None),
}
_KEYS = (*_LISTS, *_BOUNDS, "only")
_OPERATORS = ("=", "~", ">=", "<=")
_CONTAINS = "camera"
_DUPLICATES = "duplicates"

_KEY = re.compile(r"[^\W\d]\w*")
_OPERATOR = re.compile(r">=|<=|=|~|[<>:!]+")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)([kMGT]?)B?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BARE = re.compile(r"[^\s,\"']+")
# Characters that a value without quotes may hold; the rest is quoted by `text_of`.
_PLAIN = re.compile(r"[^\s,\"'\\]+")


@dataclass(frozen=True, slots=True)
class _Condition:
    key: str
    operator: str
    values: tuple[str, ...]
    at: int


def filters_of(text: str) -> SearchFilters:
    """The filters that a text says; an empty one lets everything through.

    Args:
        text: Conditions with spaces between them: KEY=VALUE,VALUE, KEY>=VALUE, KEY<=VALUE, camera~PART and
            only=duplicates. Sizes are decimal: 500kB is 500,000 bytes. Dates are 2020, 2020-05, 2020-05-31 or
            2020-05-31T12:00.

    Raises:
        SettingsError: It cannot be read; says where and what is allowed. UnknownNameError for a key that is none.
    """
    if len(text) > _LONGEST_TEXT:
        raise SettingsError(f"The filters have {len(text):,} characters; at most {_LONGEST_TEXT:,} are read.")
    found: dict[str, Any] = {}
    for condition in _conditions(text):
        if condition.key in _LISTS:
            _take_list(found, condition)
        elif condition.key == "only":
            if condition.operator != "=" or condition.values != (_DUPLICATES,):
                raise _wrong(condition.at, "'only' takes nothing but only=duplicates")
            _add(found, "duplicates", COPY_TIERS)
        else:
            _take_bound(found, condition)
    return SearchFilters(**found)


def text_of(filters: SearchFilters) -> str:
    """The text that `filters_of` makes these filters of."""
    parts = []
    for key, name in _LISTS.items():
        values = tuple(map(str, getattr(filters, name)))
        if key == _DUPLICATES and values == tuple(map(str, COPY_TIERS)):
            parts.append(f"only={_DUPLICATES}")
        elif values:
            parts.append(f"{key}={','.join(map(_quoted, values))}")
        if key == _CONTAINS and filters.cameras_with:
            parts.append(f"{key}~{','.join(map(_quoted, filters.cameras_with))}")
    default = {field.name: field.default for field in fields(SearchFilters)}
    for key, (kind, least, greatest) in _BOUNDS.items():
        for operator, bound in ((">=", least), ("<=", greatest)):
            if bound is not None and (value := getattr(filters, bound)) != default[bound]:
                parts.append(f"{key}{operator}{value.isoformat() if kind == 'moment' else repr(value)}")
    return " ".join(parts)


def _conditions(text: str) -> Iterator[_Condition]:
    at = _past_spaces(text, 0)
    while at < len(text):
        start = at
        key = _KEY.match(text, at)
        if key is None:
            raise _wrong(start, f"{text[at : at + 20]!r} begins no condition; write KEY=VALUE, with KEY one of "
                                f"{', '.join(sorted(_KEYS))}")  # fmt: skip
        if key[0].lower() not in _KEYS:
            raise UnknownNameError(f"filter at character {start + 1}", key[0], _KEYS)
        operator = _OPERATOR.match(text, key.end())
        if operator is None or operator[0] not in _OPERATORS:
            raise _wrong(key.end(), _allowed_operators(key[0].lower(), operator[0] if operator else ""))
        values, at = _values(text, operator.end())
        yield _Condition(key[0].lower(), operator[0], values, start)
        at = _past_spaces(text, at)


def _values(text: str, at: int) -> tuple[tuple[str, ...], int]:
    values = []
    while True:
        value, at = _value(text, at)
        values.append(value)
        if at >= len(text) or text[at] != ",":
            break
        at += 1
    if at < len(text) and not text[at].isspace():
        raise _wrong(at, f"{text[at]!r} follows a value; put a space between conditions and a comma between values")
    return tuple(values), at


def _value(text: str, at: int) -> tuple[str, int]:
    if at < len(text) and text[at] in "\"'":
        quote, start, letters = text[at], at, []
        at += 1
        while at < len(text) and text[at] != quote:
            at += text[at] == "\\"
            letters.append(text[at : at + 1])
            at += 1
        if at >= len(text):
            raise _wrong(start, f"the quote {quote} is not closed")
        if not letters:
            raise _wrong(start, "the value is empty")
        return "".join(letters), at + 1
    bare = _BARE.match(text, at)
    if bare is None:
        raise _wrong(at, "a value is missing")
    return bare[0], bare.end()


def _past_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _take_list(found: dict[str, Any], condition: _Condition) -> None:
    if condition.operator == "~" and condition.key == _CONTAINS:
        _add(found, "cameras_with", condition.values)
    elif condition.operator != "=":
        raise _wrong(condition.at, _allowed_operators(condition.key, condition.operator))
    else:
        _add(found, _LISTS[condition.key], condition.values)


def _take_bound(found: dict[str, Any], condition: _Condition) -> None:
    kind, least, greatest = _BOUNDS[condition.key]
    targets = {">=": (least,), "<=": (greatest,), "=": (least, greatest)}.get(condition.operator, ())
    if not targets or None in targets:
        raise _wrong(condition.at, _allowed_operators(condition.key, condition.operator))
    if len(condition.values) != 1:
        raise _wrong(condition.at, f"{condition.key!r} takes one value, not {len(condition.values)}")
    for target in targets:
        assert target is not None
        if target in found:
            raise _wrong(condition.at, f"{condition.key!r} has this bound already; give it once")
        found[target] = _READERS[kind](condition, target)


def _add(found: dict[str, Any], name: str, values: tuple[str, ...]) -> None:
    found[name] = tuple(dict.fromkeys((*found.get(name, ()), *values)))


def _size(condition: _Condition, _target: str) -> int:
    given = _SIZE.fullmatch(condition.values[0])
    if given is None:
        raise _wrong(
            condition.at,
            f"{condition.key!r} is {condition.values[0]!r}; it must be a size such as 500kB or 1.5MB",
        )
    # Decimal digits in whole numbers stay exact however large.
    return int(given[1]) if given[1].isdigit() and not given[2] else round(float(given[1]) * _UNITS[given[2].upper()])


def _number(condition: _Condition, _target: str) -> int:
    if re.fullmatch(r"\d{1,9}", condition.values[0], re.ASCII) is None:
        raise _wrong(condition.at, f"{condition.key!r} is {condition.values[0]!r}; it must be a number of pixels")
    return int(condition.values[0])


def _share(condition: _Condition, _target: str) -> float:
    try:
        return float(condition.values[0])
    except ValueError as error:
        raise _wrong(condition.at, f"{condition.key!r} is {condition.values[0]!r}; it must be from 0 to 1") from error


def _moment(condition: _Condition, target: str) -> datetime:
    """A bound; a year, a month or a day means its beginning or its end."""
    given, is_end = condition.values[0], target.endswith("_to")
    shape = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", given, re.ASCII)
    try:
        if shape is None:
            moment = datetime.fromisoformat(given)
            if moment.tzinfo is None or target.startswith("modified"):
                return moment
            raise ValueError("cameras note no zone")
        year, month, day = int(shape[1]), int(shape[2] or (12 if is_end else 1)), int(shape[3] or 1)
        if is_end and shape[3] is None:
            day = _last_day(year, month)
        return datetime.combine(datetime(year, month, day), time.max if is_end else time.min)
    except ValueError as error:
        raise _wrong(
            condition.at,
            f"{condition.key!r} is {given!r}; it must be a date such as 2020, 2020-05, 2020-05-31 or 2020-05-31T12:00"
            + (", without a zone" if condition.key == "taken" else ""),
        ) from error


def _last_day(year: int, month: int) -> int:
    from calendar import monthrange

    return monthrange(year, month)[1]


_READERS: dict[str, Callable[[_Condition, str], Any]] = {
    "size": _size, "number": _number, "moment": _moment, "share": _share,
}  # fmt: skip


def _allowed_operators(key: str, given: str) -> str:
    if key in _LISTS or key == "only":
        allowed = f"{key}=VALUE" + (f" or {key}~PART" if key == _CONTAINS else "")
    else:
        _, least, greatest = _BOUNDS[key]
        allowed = " or ".join(f"{key}{sign}VALUE" for sign, name in ((">=", least), ("<=", greatest)) if name)
        allowed += f" or {key}=VALUE" if least and greatest else ""
    said = f"{key!r} is followed by {given!r}" if given else f"{key!r} stands alone"
    return f"{said}; write {allowed}, bounds are inclusive"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _wrong(at: int, what: str) -> SettingsError:
    return SettingsError(f"The filters cannot be read at character {at + 1}: {what}.")
