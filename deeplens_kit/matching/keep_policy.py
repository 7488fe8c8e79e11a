"""Keep policies: what a person wants to stay where a picture is there more than once, as a frozen value with a name.

Takes names of criteria, in order or with weights, and gives them checked, as JSON or read back from it; must not order
objects (`keep_order` does) or allow anything: what may not go for a keeper stays, whatever a policy prefers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError

__all__ = [
    "BUILT_IN_POLICIES",
    "DEFAULT_POLICY",
    "MOST_WEIGHT",
    "POLICY_VERSION",
    "KeepCriterion",
    "KeepPolicy",
    "policy_from_json",
]

POLICY_VERSION = 1
"""Of the form of policies as JSON; one that is greater is not understood."""

MOST_WEIGHT = 1000
"""Of a criterion, inclusive."""

_LONGEST_NAME = 100
_MOST_GLOBS = 100


class KeepCriterion(StrEnum):
    """What one file may be better in than another that is a copy of it."""

    RESOLUTION = "resolution"
    COLOUR = "colour"
    CAMERA = "camera"
    QUALITY = "quality"
    ORIGINAL = "original"
    FAMILY = "family"
    AGE = "age"
    METADATA = "metadata"
    PATH = "path"
    CHEAPER = "cheaper"
    REPLICATED = "replicated"
    IMMUTABLE = "immutable"
    REFERENCES = "references"

    @property
    def meaning(self) -> str:
        """What comes first by it, for people."""
        return _MEANINGS[self]


_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "resolution": "more pixels that carry detail: an upscale counts as what it was made from",
        "colour": "full colours over a palette over grey, more bits per sample, transparency",
        "camera": "it says when or with what it was taken",
        "quality": "lossless, else less compressed by the tables of JPEG or by bytes per pixel",
        "original": "the lossy file over the lossless one that was made from it",
        "family": "it belongs with other files: a RAW, a sidecar, a video",
        "age": "taken earlier, then modified earlier",
        "metadata": "more is known of it: when, where and with what it was taken, its colour profile",
        "path": "its path matches one of preferred_paths, the earlier the better, and none of avoided_paths",
        "cheaper": "its place costs less a GB and month by the price book",
        "replicated": "its place keeps more copies, by the price book or the location's option 'redundancy'",
        "immutable": "nobody can change or remove it there: the location's option 'immutable'",
        "references": "people said more of it (tags, collections), more files hold it, it has more names (hard links)",
    }
)

_ORDERED = (
    KeepCriterion.RESOLUTION,
    KeepCriterion.COLOUR,
    KeepCriterion.CAMERA,
    KeepCriterion.QUALITY,
    KeepCriterion.ORIGINAL,
    KeepCriterion.FAMILY,
    KeepCriterion.AGE,
)


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """Which of the files that hold copies of a picture stays.

    Where all of it is equal the criteria of `DEFAULT_POLICY` that it does not name decide in their order, and last of
    all location and path: no two files are equal.

    Attributes:
        name: What to call it.
        criteria: The first decides, the next where that does not tell; with weights their order says nothing.
        weights: From 1 to `MOST_WEIGHT`, one for each criterion; none for an order. The sum of what each criterion
            gives, from 0 to 1000 points by its weight, decides then.
        protected_locations: Names of locations. What lies there is never proposed, and stays before all else.
        protected_paths: Globs of paths, at any location, for which the same holds.
        preferred_paths: Globs of paths for the criterion `path`, the best first.
        avoided_paths: Globs of paths that come after all others by that criterion.

    Raises:
        SettingsError: A value is not allowed; UnknownNameError for a criterion that there is none of.
    """

    name: str
    criteria: tuple[KeepCriterion, ...] = _ORDERED
    weights: tuple[int, ...] = ()
    protected_locations: tuple[str, ...] = ()
    protected_paths: tuple[str, ...] = ()
    preferred_paths: tuple[str, ...] = ()
    avoided_paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > _LONGEST_NAME:
            raise SettingsError(
                f"A keep policy cannot be named {self.name!r}; use 1 to {_LONGEST_NAME} letters on one line."
            )
        object.__setattr__(self, "criteria", tuple(_criterion(name) for name in self.criteria))
        twice = sorted({str(name) for name in self.criteria if self.criteria.count(name) > 1})
        if twice:
            raise self._refused(f"names the criterion {twice[0]!r} twice; name it once")
        if not self.criteria:
            raise self._refused("has no criteria; name one, for example 'resolution'")
        if self.weights and len(self.weights) != len(self.criteria):
            raise self._refused(f"has {len(self.weights)} weights for {len(self.criteria)} criteria; give each one")
        for weight in self.weights:
            if type(weight) is not int or not 1 <= weight <= MOST_WEIGHT:
                raise self._refused(f"has the weight {weight!r}; it must be a whole number from 1 to {MOST_WEIGHT}")
        self._check_paths()

    def _check_paths(self) -> None:
        globs = self.preferred_paths + self.avoided_paths
        if globs and KeepCriterion.PATH not in self.criteria:
            raise self._refused("prefers or avoids paths without the criterion 'path'; name it among the criteria")
        if KeepCriterion.PATH in self.criteria and not globs:
            raise self._refused("has the criterion 'path' and no preferred_paths or avoided_paths; give a glob")
        for name in ("protected_locations", "protected_paths", "preferred_paths", "avoided_paths"):
            values = getattr(self, name)
            if len(values) > _MOST_GLOBS or not all(isinstance(value, str) and value for value in values):
                raise self._refused(f"has {name} {values!r:.200}; they must be at most {_MOST_GLOBS} texts, none empty")

    def _refused(self, why: str) -> SettingsError:
        return SettingsError(f"The keep policy {self.name!r} {why}.")

    @property
    def is_weighted(self) -> bool:
        """Whether weights decide, and not the order of the criteria."""
        return bool(self.weights)

    @property
    def protects(self) -> bool:
        """Whether anything is never proposed by it."""
        return bool(self.protected_locations or self.protected_paths)

    def to_json(self) -> dict[str, Any]:
        """The policy as JSON can hold it: `policy_from_json` gives an equal one back."""
        document: dict[str, Any] = {"version": POLICY_VERSION, "name": self.name}
        names = [str(name) for name in self.criteria]
        document["criteria"] = dict(zip(names, self.weights, strict=True)) if self.weights else names
        for name in _LISTS:
            if values := getattr(self, name):
                document[name] = list(values)
        return document


_LISTS = ("protected_locations", "protected_paths", "preferred_paths", "avoided_paths")


def policy_from_json(document: object) -> KeepPolicy:
    """The policy that an object of JSON says.

    Args:
        document: `name`, `criteria` (a list of names, or an object of names with their weights), and of
            protected_locations, protected_paths, preferred_paths and avoided_paths those that there are.

    Raises:
        SettingsError: A value is missing or not allowed, or it is of a newer DeepLens; UnknownNameError for a key or a
            criterion that there is none of.
    """
    if not isinstance(document, Mapping):
        raise SettingsError(f"A keep policy is an object in braces; got {type(document).__name__!r}.")
    version = document.get("version", POLICY_VERSION)
    if type(version) is not int or not 1 <= version <= POLICY_VERSION:
        raise SettingsError(
            f"The keep policy is of version {version!r}; this DeepLens reads 1 to {POLICY_VERSION}: install the one "
            "that wrote it."
        )
    known = {"version", *(item.name for item in fields(KeepPolicy))} - {"weights"}
    for key in document:
        if key not in known:
            raise UnknownNameError("part of a keep policy", str(key), known)
    name, criteria = document.get("name"), document.get("criteria")
    if not isinstance(name, str):
        raise SettingsError(f"The keep policy has the name {name!r}; it must be a text in quotes.")
    weights: tuple[Any, ...] = ()
    if isinstance(criteria, Mapping):
        weights = tuple(criteria.values())
    elif not isinstance(criteria, list):
        raise SettingsError(
            f"The keep policy {name!r} has the criteria {criteria!r}; they must be a list in brackets, or an object in "
            "braces that gives each its weight."
        )
    values = {}
    for key in _LISTS:
        listed = document.get(key, [])
        if not isinstance(listed, list):
            raise SettingsError(f"The keep policy {name!r} has {key} {listed!r}; it must be a list in brackets.")
        values[key] = tuple(listed)
    return KeepPolicy(name, tuple(criteria), weights, **values)


def _criterion(name: object) -> KeepCriterion:
    known = [str(item) for item in KeepCriterion]
    if str(name) not in known:
        raise UnknownNameError("keep criterion", str(name), known)
    return KeepCriterion(str(name))


DEFAULT_POLICY = KeepPolicy("default")
"""What is used where nothing else is said."""

# What a picture is worth comes first in each: a place or an age decides between files that are equally good.
_WORTH = _ORDERED[:-2]
BUILT_IN_POLICIES: Mapping[str, KeepPolicy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            DEFAULT_POLICY,
            KeepPolicy("oldest", (KeepCriterion.RESOLUTION, KeepCriterion.COLOUR, KeepCriterion.AGE)),
            KeepPolicy("cheapest", (*_WORTH, KeepCriterion.CHEAPER)),
            KeepPolicy("safest", (*_WORTH, KeepCriterion.IMMUTABLE, KeepCriterion.REPLICATED)),
            KeepPolicy("described", (*_WORTH, KeepCriterion.REFERENCES, KeepCriterion.METADATA)),
        )
    }
)
"""Policies that every workspace has, by name."""
