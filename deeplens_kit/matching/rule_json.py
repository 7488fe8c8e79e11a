"""Rules as JSON, to be kept and used again.

Takes a rule and gives a dictionary, or the other way round; loses nothing of it. Must not read a file. An unknown key
is refused: a rule understood in part calls other pairs copies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching.rules import Clause, Rule, ScoreCurve
from deeplens_kit.schemas import Tier

__all__ = ["rule_from_json", "rule_to_json"]

_CLAUSES = ("plain", "unmeasured", "page_like", "verified", "verified_page")
_BOUNDS = tuple(item.name for item in dataclasses.fields(Clause))
_CURVE = tuple(item.name for item in dataclasses.fields(ScoreCurve))
_PARTS = tuple(item.name for item in dataclasses.fields(Rule))
_NEEDED = ("name", "version", "plain", "unmeasured", "page_like", "other_shots")


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """A rule as JSON can hold it: every part, and of clauses the bounds that are set."""
    document: dict[str, Any] = {"name": rule.name, "version": rule.version}
    document |= {name: [_bounds(clause) for clause in getattr(rule, name)] for name in _CLAUSES}
    document |= {
        "other_shots": None if rule.other_shots is None else _bounds(rule.other_shots),
        "page_tone_min": rule.page_tone_min,
        "pdq_quality_min": rule.pdq_quality_min,
        "tiers": [str(tier) for tier in rule.tiers],
        "curve": dataclasses.asdict(rule.curve),
    }
    return document


def rule_from_json(document: Mapping[str, Any]) -> Rule:
    """The rule that a dictionary says.

    Raises:
        SettingsError: A value is missing, of another type or not allowed; UnknownNameError for a key that there is
            none of.
    """
    _refuse_unknown("rule", document, _PARTS)
    missing = [name for name in _NEEDED if name not in document]
    if missing:
        raise SettingsError(f"The rule lacks {', '.join(map(repr, missing))}; add it.")
    values: dict[str, Any] = {
        name: tuple(_clause(item, f"{name}[{at}]") for at, item in enumerate(_list(document[name], name)))
        for name in _CLAUSES
        if name in document
    }
    values["name"] = _typed(document["name"], str, "name", "a text")
    values["version"] = _whole(document["version"], "version")
    shots = document["other_shots"]
    values["other_shots"] = None if shots is None else _clause(shots, "other_shots")
    if "page_tone_min" in document:
        values["page_tone_min"] = _number(document["page_tone_min"], "page_tone_min")
    if "pdq_quality_min" in document:
        values["pdq_quality_min"] = _whole(document["pdq_quality_min"], "pdq_quality_min")
    if "tiers" in document:
        values["tiers"] = tuple(_tier(item) for item in _list(document["tiers"], "tiers"))
    if "curve" in document:
        curve = _object(document["curve"], "curve")
        _refuse_unknown("curve", curve, _CURVE)
        values["curve"] = ScoreCurve(**{name: _number(value, f"curve.{name}") for name, value in curve.items()})
    return Rule(**values)


def _bounds(clause: Clause) -> dict[str, Any]:
    return dict(clause.bounds)


def _clause(plain: object, name: str) -> Clause:
    bounds = _object(plain, name)
    _refuse_unknown(name, bounds, _BOUNDS)
    values: dict[str, Any] = {
        bound: _whole(value, f"{name}.{bound}") if bound.endswith("_max") else _number(value, f"{name}.{bound}")
        for bound, value in bounds.items()
    }
    return Clause(**values)


def _tier(plain: object) -> Tier:
    known = [str(tier) for tier in Tier]
    if str(plain) not in known:
        raise UnknownNameError("tier", str(plain), known)
    return Tier(str(plain))


def _object(plain: object, name: str) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise SettingsError(f"{name} is {plain!r}; it must be an object in braces.")
    return plain


def _list(plain: object, name: str) -> list[Any]:
    if not isinstance(plain, list):
        raise SettingsError(f"{name} is {plain!r}; it must be a list in brackets.")
    return plain


def _whole(plain: object, name: str) -> int:
    if type(plain) is not int:
        raise SettingsError(f"{name} is {plain!r}; it must be a whole number.")
    return plain


def _number(plain: object, name: str) -> float:
    if type(plain) is int:
        return float(plain)
    found: float = _typed(plain, float, name, "a number")
    return found


def _typed(plain: object, kind: type[Any], name: str, words: str) -> Any:
    if type(plain) is not kind:
        raise SettingsError(f"{name} is {plain!r}; it must be {words}.")
    return plain


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    for key in given:
        if key not in known:
            raise UnknownNameError(f"part of {what}", str(key), known)
