"""Retention rules: how long which pictures are kept, and what becomes of them then.

Takes a workspace's folder and a rule, gives rules; writes a file for each rule into that folder and nothing else. Must
not choose files: `retention` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import ActionKind
from deeplens_kit.search.cache_files import write_bytes
from deeplens_kit.storage.globs import path_matcher

__all__ = [
    "RETENTION_ACTIONS",
    "RETENTION_FOLDER",
    "RetentionRule",
    "known_rules",
    "remove_rule",
    "rule_of_name",
    "save_rule",
]

RETENTION_FOLDER = "retention"
"""Of a workspace: a file NAME.json for each rule; it lies beside `workspace.toml`."""

RETENTION_ACTIONS = (ActionKind.REMOVE, ActionKind.MOVE, ActionKind.STORAGE_CLASS)
"""What can become of a picture whose time is over."""

_ENDING = ".json"
_MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Names pictures by age, place and collection: those to which all of its parts apply.

    Attributes:
        name: Of the rule, and of its file.
        older_than_days: Last modified, as its storage says, at least so many days ago (inclusive); None: of any age. A
            picture of which no storage tells that is named by no rule with an age.
        locations: At one of these, by name; empty: anywhere.
        globs: At paths that one of these covers, as a location's option `include` has them; empty: at any.
        collections: In one of these; empty: in any or none.
        action: What becomes of them, one of `RETENTION_ACTIONS`.
        to: With `move`: "LOCATION" or "LOCATION/folder".
        storage_class: With `storage_class`: its name.

    Raises:
        SettingsError: A value is not allowed, or it would name every picture there is.
    """

    name: str
    older_than_days: float | None = None
    locations: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    action: ActionKind = ActionKind.REMOVE
    to: str = ""
    storage_class: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.name != Path(self.name).name or self.name.startswith("."):
            raise SettingsError(f"{self.name!r} cannot name a retention rule; use a name without '/'.")
        if self.older_than_days is not None and not self.older_than_days > 0:
            raise SettingsError(f"Older than {self.older_than_days:g} days is every picture; give more than 0.")
        if self.older_than_days is None and not (self.globs or self.collections):
            raise SettingsError(
                f"Retention rule {self.name!r} would name every picture of a location; give an age (--older-than), a "
                "glob or a collection."
            )
        if self.action not in RETENTION_ACTIONS:
            raise SettingsError(f"A retention rule cannot {self.action!r}; it can {', '.join(RETENTION_ACTIONS)}.")
        if (self.action == ActionKind.MOVE) != bool(self.to):
            raise SettingsError("Moving needs a place to move to (--to LOCATION), and nothing else takes one.")
        if (self.action == ActionKind.STORAGE_CLASS) != bool(self.storage_class):
            raise SettingsError("--storage-class goes with the action storage_class, which needs it.")
        path_matcher("glob", self.globs)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        found = asdict(self)
        return {**found, "action": str(self.action), **{name: list(found[name]) for name in _LISTS}}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RetentionRule:
        """Take what `to_json` gave.

        Raises:
            SettingsError: It is something else.
        """
        try:
            lists = {name: tuple(map(str, document.get(name, ()))) for name in _LISTS}
            return cls(**{**document, **lists, "action": ActionKind(document.get("action", "remove"))})
        except (TypeError, ValueError, AttributeError) as error:
            raise SettingsError(f"It is no retention rule: {error}.") from error


_LISTS = ("locations", "globs", "collections")


def known_rules(directory: Path) -> dict[str, RetentionRule]:
    """The rules of a workspace's folder, by name.

    Raises:
        SettingsError: A file cannot be read, or is no rule.
    """
    files = sorted((directory / RETENTION_FOLDER).glob(f"*{_ENDING}"))
    return {rule.name: rule for rule in map(_read, files)}


def rule_of_name(directory: Path, name: str) -> RetentionRule:
    """The rule of a name; UnknownNameError where there is none."""
    rules = known_rules(directory)
    if name not in rules:
        raise UnknownNameError("retention rule", name, rules)
    return rules[name]


def save_rule(directory: Path, rule: RetentionRule) -> None:
    """Keep a rule.

    Raises:
        SettingsError: There is one of this name already, or its file cannot be written.
    """
    folder = directory / RETENTION_FOLDER
    file = folder / f"{rule.name}{_ENDING}"
    if file.exists():
        raise SettingsError(
            f"There is a retention rule {rule.name!r} already; `deeplens retention remove {rule.name}` takes it away."
        )
    try:
        folder.mkdir(exist_ok=True)
        write_bytes(file, (json.dumps(rule.to_json(), ensure_ascii=False, indent=2) + "\n").encode())
    except OSError as error:
        raise SettingsError(f"Cannot write into {str(folder)!r}: {error.strerror or error}.") from error


def remove_rule(directory: Path, name: str) -> RetentionRule:
    """Take a rule away; plans that were made by it stay. UnknownNameError where there is none."""
    rule = rule_of_name(directory, name)
    try:
        (directory / RETENTION_FOLDER / f"{name}{_ENDING}").unlink()
    except OSError as error:
        raise SettingsError(f"Cannot remove the retention rule {name!r}: {error.strerror or error}.") from error
    return rule


def _read(file: Path) -> RetentionRule:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{str(file)!r} is no retention rule: it is larger than 1 MB.")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the retention rule {str(file)!r}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{str(file)!r} is not valid JSON: {error}; mend the file.") from error
    rule = RetentionRule.of(document)
    if rule.name != file.name.removesuffix(_ENDING):
        raise SettingsError(f"{str(file)!r} holds the retention rule {rule.name!r}; name the file like the rule.")
    return rule
