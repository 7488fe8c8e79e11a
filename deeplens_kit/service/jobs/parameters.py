"""Parameters of jobs, checked before a job is enqueued and again before it is done.

Takes a mapping as JSON holds it and gives its values one by one; must not know what they are for. A name that is not
allowed, a value of another type and one that is missing are errors that say what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from deeplens_kit.errors import SettingsError, UnknownNameError

__all__ = ["Parameters"]

_Value = TypeVar("_Value")
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", list: "a list", dict: "an object"}


class Parameters:
    """Values of a job's parameters.

    Args:
        kind: Of the job, for messages.
        given: As JSON holds them.
        known: Names that are allowed.

    Raises:
        UnknownNameError: Another name is given.
    """

    def __init__(self, kind: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
        self._kind, self._given = kind, given
        names = sorted(known)
        for name in given:
            if name not in names:
                raise UnknownNameError(f"parameter of a job of kind {kind!r}", name, names)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default there must be one."""
        if default is None and not self._given.get(name):
            raise SettingsError(f"A job of kind {self._kind!r} needs the parameter {name!r}.")
        return self._of(name, str, default or "")

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        return self._of(name, bool, default)

    def number(self, name: str, default: int | None = None, *, least: int = 0) -> int | None:
        """A whole number; None where there is none."""
        if self._given.get(name) is None:
            return default
        value = self._of(name, int, 0)
        if isinstance(value, bool) or value < least:
            raise SettingsError(f"Parameter {name!r} of a job of kind {self._kind!r} must be at least {least}.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        values = self._of(name, list, [])
        if any(not isinstance(value, str) for value in values):
            raise SettingsError(f"Parameter {name!r} of a job of kind {self._kind!r} must be a list of texts.")
        return tuple(values)

    def object(self, name: str) -> Mapping[str, Any]:
        """An object; empty where there is none."""
        return self._of(name, dict, {})

    def objects(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """A list of objects; empty where there is none."""
        values = self._of(name, list, [])
        if any(not isinstance(value, dict) for value in values):
            raise SettingsError(f"Parameter {name!r} of a job of kind {self._kind!r} must be a list of objects.")
        return tuple(values)

    def _of(self, name: str, kind: type[_Value], default: _Value) -> _Value:
        value = self._given.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise SettingsError(
                f"Parameter {name!r} of a job of kind {self._kind!r} is {value!r}; it must be {_WORDS[kind]}."
            )
        return value
