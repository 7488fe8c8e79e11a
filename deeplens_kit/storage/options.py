"""What can be said of a location: the options of each kind, as frozen and typed values.

Takes options as the ledger or a command line has them, gives a frozen dataclass of the kind; must not resolve a
credential or ask a storage. Every kind's class inherits the options that all have, and describes each of its fields.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self, TypeVar

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.storage.globs import path_matcher

__all__ = ["LocationOptions", "OptionDescription", "Permission", "RemoteOptions", "option"]

_Options = TypeVar("_Options")
_UP_TO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TRUTH = {"true": True, "false": False}
_MOST_CONNECTIONS = 256


class Permission(StrEnum):
    """What a location is opened for; each includes what stands before it. Without saying so it is only read."""

    READ = "read"
    CREATE = "create"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class OptionDescription:
    """One option of a kind, for people.

    Attributes:
        name: As it is given.
        takes: What a value is, in words.
        default: As it would be given; empty where there is none.
        meaning: What it does.
        secret: It must be a reference to a credential, never the credential.
        own: The kind has it by itself; else many kinds do.
    """

    name: str
    takes: str
    default: str
    meaning: str
    secret: bool
    own: bool = True


def option(default: Any, meaning: str, *, secret: bool = False) -> Any:
    """A field of an options class.

    Args:
        default: Its value where it is not given; tuples for options that may come several times.
        meaning: One sentence for `deeplens locations kinds`.
        secret: It holds a reference to a credential.
    """
    return field(default=default, metadata={"meaning": meaning, "secret": secret})


@dataclass(frozen=True, slots=True)
class LocationOptions:
    """The options that every kind has.

    Attributes:
        safer: How to come in without a key or password that somebody could copy; empty where a kind takes none.
    """

    safer: ClassVar[str] = ""

    include: tuple[str, ...] = option((), "Only files that match one of these globs; may come several times.")
    exclude: tuple[str, ...] = option((), "Files and folders that match one of these globs are left out.")
    hidden: bool = option(False, "Whether names that start with '.' are listed.")
    base_path: str = option("", "Only what lies beneath this path of the location.")
    permissions: Permission = option(
        Permission.READ, "What the location is opened for: read, create (new files too) or change (actions too)."
    )
    redundancy: int = option(1, "How many copies the storage itself keeps of each file, for the price book.")
    immutable: bool = option(False, "Whether nobody can change or remove what lies there, for the keep policy.")

    def __post_init__(self) -> None:
        path_matcher("include", self.include)
        path_matcher("exclude", self.exclude)
        _between("redundancy", self.redundancy, 1, 100)
        if any(part in (".", "..") for part in self.base_path.split("/")):
            raise SettingsError(f"Location option 'base_path' is {self.base_path!r}; it may hold no '.' or '..' parts.")

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """Check options as they come from a command line or the ledger; texts are read as what the option takes.

        Raises:
            UnknownNameError: An option that does not exist.
            SettingsError: A value of the wrong type, or one that is not allowed.
        """
        known = {item.name: item for item in fields(cls)}
        for name in options:
            if name not in known:
                raise UnknownNameError("location option", name, known)
        types = typing.get_type_hints(cls)
        secret = {name for name, item in known.items() if item.metadata.get("secret")}
        for name in secret & options.keys():
            if not isinstance(options[name], str):
                raise SettingsError(f"Location option {name!r} is no text; give a reference, such as ${{NAME}}.")
        values: dict[str, Any] = {name: _read(name, types[name], value) for name, value in options.items()}
        return cls(**values)

    @classmethod
    def described(cls) -> tuple[OptionDescription, ...]:
        """Every option of the kind, its own first."""
        types = typing.get_type_hints(cls)
        common = {item.name for item in fields(RemoteOptions)} | {item.name for item in fields(LocationOptions)}
        own_first = sorted(fields(cls), key=lambda item: item.name in common)
        return tuple(_described(item, types[item.name], own=item.name not in common) for item in own_first)

    @classmethod
    def given(cls, items: Iterable[str]) -> dict[str, object]:
        """Options as people write them, `KEY=VALUE`; those that may come several times are gathered.

        Raises:
            SettingsError: An item without '='.
            UnknownNameError: An option that does not exist.
        """
        types = typing.get_type_hints(cls)
        options: dict[str, object] = {}
        for item in items:
            key, equals, text = item.partition("=")
            # What stands behind the name of an option, or alone, may be a password.
            name = match[0] if (match := _UP_TO_NAME.match(key)) else ""
            if not equals or not key or (key != name and name in types):
                shown = f" {name!r}" if name in types else ""
                raise SettingsError(f"--option{shown} is not allowed so; write KEY=VALUE, for example exclude=*.tmp.")
            if key not in types:
                raise UnknownNameError("location option", name, types)
            if typing.get_origin(types[key]) is tuple:
                options[key] = [*options.get(key, ()), text]  # type: ignore[misc]
            else:
                # As the ledger keeps it: true and numbers as such.
                options[key] = _read(key, types[key], text)
        return options


@dataclass(frozen=True, slots=True)
class RemoteOptions(LocationOptions):
    """What every kind has besides that is reached over a network."""

    connections: int = option(8, "How many requests go to it at once.")
    timeout_seconds: float = option(30.0, "How long one request may take before it is tried again.")
    retries: int = option(3, "How often what may pass (timeouts, resets, busy servers) is tried again.")
    retry_wait_seconds: float = option(0.2, "How long to wait before the first retry; each further wait is doubled.")
    max_bytes_per_second: int = option(0, "Read so many bytes a second from it at most; 0 for no limit.")

    def __post_init__(self) -> None:
        # `super()` without arguments does not work in a dataclass with slots.
        LocationOptions.__post_init__(self)
        _between("connections", self.connections, 1, _MOST_CONNECTIONS)
        _between("timeout_seconds", self.timeout_seconds, 0.1, 3600)
        _between("retries", self.retries, 0, 20)
        _between("retry_wait_seconds", self.retry_wait_seconds, 0, 600)
        _between("max_bytes_per_second", self.max_bytes_per_second, 0, 2**63)


def _read(name: str, wanted: Any, value: object) -> object:
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise _refused(name, value, "a list of texts, for example ['*.jpg']")
    choices = _choices(wanted)
    if choices:
        if isinstance(value, str) and value in choices:
            return wanted(value) if isinstance(wanted, type) else value
        raise _refused(name, value, f"one of: {', '.join(choices)}")
    if wanted is bool:
        value = _TRUTH.get(value, value) if isinstance(value, str) else value
        if isinstance(value, bool):
            return value
        raise _refused(name, value, "true or false")
    if wanted in (int, float):
        try:
            if not isinstance(value, bool) and isinstance(value, (int, float, str)):
                return wanted(value)
        except ValueError:
            pass
        raise _refused(name, value, "a whole number" if wanted is int else "a number")
    if isinstance(value, str):
        return value
    raise _refused(name, value, "a text")


def _refused(name: str, value: object, wanted: str) -> SettingsError:
    return SettingsError(f"Location option {name!r} is {value!r}; it must be {wanted}.")


def _choices(wanted: Any) -> tuple[str, ...]:
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return tuple(str(item) for item in wanted)
    return typing.get_args(wanted) if typing.get_origin(wanted) is Literal else ()


def _described(item: Field[Any], wanted: Any, *, own: bool) -> OptionDescription:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    choices = _choices(wanted)
    takes = " | ".join(filter(None, choices)) or names.get(wanted, "a text, again and again")
    secret = bool(item.metadata.get("secret"))
    default = "" if item.default in (MISSING, (), "") else _TEXT_OF.get(str(item.default), str(item.default))
    return OptionDescription(
        item.name, "a reference, such as ${NAME}" if secret else takes, default, item.metadata["meaning"], secret, own
    )


_TEXT_OF = {"True": "true", "False": "false"}


def _between(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise SettingsError(f"Location option {name!r} is {value}; it must be {least} to {most}.")
