"""Frozen values as JSON can hold them, and back: by the types that their fields are declared with.

Takes dataclasses of texts, numbers, choices, times, tuples and mappings, gives dictionaries and lists; must not know
what they mean. What does not fit the declared type is refused with its name and what it must be.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from deeplens_kit.errors import SettingsError, UnknownNameError

__all__ = ["from_plain", "to_plain"]

Plain: TypeAlias = Any
"""What json.dumps takes and json.loads gives."""

_TIME = "$time"
_DAY = "$date"
# Of a declared type, as it is said to whoever wrote the JSON.
_WORDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime: "a time as 2024-05-31T12:00:00",
    date: "a day as 2024-05-31",
    Decimal: "a number as a text",
    Path: "a path",
}
_READ: Mapping[type, Callable[[str], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
    Path: Path,
}


def to_plain(value: object, *, sparse: bool = False) -> Plain:
    """A value as JSON can hold it.

    Args:
        value: None, a text, number, choice, time, day, path, tuple, set or mapping of such, or a dataclass of them.
        sparse: Leave out fields of dataclasses that have their default.

    Raises:
        TypeError: It is something else.
    """
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    if isinstance(value, date):
        return {_DAY: value.isoformat()}
    if isinstance(value, Path | Decimal):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_plain(getattr(value, item.name), sparse=sparse)
            for item in dataclasses.fields(value)
            if item.init and not (sparse and getattr(value, item.name) == _default(item))
        }
    if isinstance(value, Mapping):
        return {_key(name): to_plain(item, sparse=sparse) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(to_plain(item, sparse=sparse) for item in value)
    if isinstance(value, list | tuple):
        return [to_plain(item, sparse=sparse) for item in value]
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def from_plain(kind: Any, plain: Plain, name: str) -> Any:
    """The value of a declared type that `to_plain` gave.

    Args:
        kind: The type, as `get_type_hints` gives it.
        plain: What JSON holds.
        name: What to call it in an error, for example "filters.min_bytes".

    Raises:
        SettingsError: It does not fit the type; UnknownNameError for a field that the dataclass does not have.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return _untyped(plain)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, plain, name)
    if origin is Literal:
        if plain not in arguments:
            raise SettingsError(f"{name} is {plain!r}; it must be {' or '.join(map(repr, arguments))}.")
        return plain
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind, plain, name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = [item.value for item in kind]
        if plain not in values:
            raise UnknownNameError(name, str(plain), map(str, values))
        return kind(plain)
    if origin is not None and issubclass(origin, Mapping):
        items = _checked(plain, dict, name, "an object in braces").items()
        return {key: from_plain(arguments[1], item, f"{name}.{key}") for key, item in items}
    if origin in (tuple, list, set, frozenset) or (origin is not None and issubclass(origin, Sequence)):
        return _sequence(origin, arguments, plain, name)
    return _single(kind, plain, name)


def _default(item: dataclasses.Field[Any]) -> object:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a key of type {type(name).__name__} cannot be written as JSON")
    return name


def _untyped(plain: Plain) -> Any:
    if isinstance(plain, list):
        return tuple(_untyped(item) for item in plain)
    if isinstance(plain, dict):
        if set(plain) == {_TIME}:
            return datetime.fromisoformat(plain[_TIME])
        if set(plain) == {_DAY}:
            return date.fromisoformat(plain[_DAY])
        return {key: _untyped(item) for key, item in plain.items()}
    return plain


def _one_of(kinds: Sequence[Any], plain: Plain, name: str) -> Any:
    if plain is None and type(None) in kinds:
        return None
    allowed = [kind for kind in kinds if kind is not type(None)]
    # A choice before the text that it also is.
    allowed.sort(key=lambda kind: kind is str)
    for kind in allowed[:-1]:
        try:
            return from_plain(kind, plain, name)
        except SettingsError:
            continue
    return from_plain(allowed[-1], plain, name)


def _dataclass(kind: type[Any], plain: Plain, name: str) -> Any:
    items = _checked(plain, dict, name, "an object in braces")
    hints = get_type_hints(kind)
    known = {item.name for item in dataclasses.fields(kind) if item.init}
    for key in items:
        if key not in known:
            raise UnknownNameError(f"part of {name}", key, known)
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.init and item.name not in items and _default(item) is dataclasses.MISSING
    ]
    if missing:
        raise SettingsError(f"{name} lacks {', '.join(missing)}; add it.")
    return kind(**{key: from_plain(hints[key], item, f"{name}.{key}") for key, item in items.items()})


def _sequence(origin: Any, arguments: tuple[Any, ...], plain: Plain, name: str) -> Any:
    items = _checked(plain, list, name, "a list in brackets")
    made = origin if origin in (list, set, frozenset) else tuple
    if origin is tuple and arguments[-1] is not Ellipsis:
        if len(items) != len(arguments):
            raise SettingsError(f"{name} has {len(items)} items; it must have {len(arguments)}.")
        return tuple(from_plain(kind, item, name) for kind, item in zip(arguments, items, strict=True))
    return made(from_plain(arguments[0], item, name) for item in items)


def _single(kind: Any, plain: Plain, name: str) -> Any:
    words = _WORDS.get(kind, "something else")
    if isinstance(plain, dict) and set(plain) in ({_TIME}, {_DAY}):
        (plain,) = plain.values()
    if kind in _READ:
        try:
            return _READ[kind](_checked(plain, str, name, words))
        except (ValueError, ArithmeticError) as error:
            raise SettingsError(f"{name} is {plain!r}; it must be {words}.") from error
    if kind is float and type(plain) is int:
        return float(plain)
    if kind not in _WORDS:
        raise TypeError(f"{name} is declared as {kind}, which cannot be read from JSON")
    if type(plain) is not kind:
        raise SettingsError(f"{name} is {plain!r}; it must be {words}.")
    return plain


def _checked(plain: Plain, kind: type[Any], name: str, words: str) -> Any:
    if not isinstance(plain, kind):
        raise SettingsError(f"{name} is {plain!r}; it must be {words}.")
    return plain
