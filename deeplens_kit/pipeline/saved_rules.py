"""Rules under a name: saved in versions, chosen again, and compared with one another.

Takes an open workspace, names and rules, gives rules and frames; must not judge a pair by itself: what two rules come
to is what grouping says.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import SavedRule
from deeplens_kit.matching import STRICT, Rule, rule_from_json, rule_to_json
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["RuleDifference", "diff_rules", "list_rules", "rule_named", "save_rule"]

_NAMED = ("name", "version")
_LISTED = pl.Schema(
    {
        "rule": pl.String(),
        "version": pl.Int64(),
        "note": pl.String(),
        "who": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "retired_at": pl.Datetime("us", "UTC"),
        "retired_by": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """What tells two rules apart.

    Attributes:
        first: One rule.
        second: The other one.
        bounds: Columns bound, first, second: each part that differs, as text; null where a rule has none of it.
        outcomes: Columns what, first, second, more (Int64): groups, objects that could go, gross_bytes,
            realisable_bytes, largest_group and withheld matches of this workspace; `more` is second less first.
    """

    first: Rule
    second: Rule
    bounds: pl.DataFrame
    outcomes: pl.DataFrame


def rule_named(workspace: Workspace, name: str) -> Rule:
    """The rule of a name: "strict", a saved one, or a version of it as "NAME@2".

    Raises:
        UnknownNameError: There is none; the nearest name is suggested.
        SettingsError: It was retired, and no version is named.
    """
    if name == STRICT.name:
        return STRICT
    base, at, version = name.rpartition("@")
    ledger = workspace.ledger
    if at and base and version.isdecimal() and name not in {item.name for item in ledger.rules(retired=True)}:
        return _as_rule(ledger.rule(base, int(version)))
    try:
        saved = ledger.rule(name)
    except UnknownNameError as error:
        raise UnknownNameError("rule", name, [STRICT.name, *error.known]) from error
    if saved.retired_at is not None:
        raise SettingsError(
            f"The rule {name!r} was retired; name a version of it, such as '{name}@{saved.version}', or save it again."
        )
    return _as_rule(saved)


def save_rule(workspace: Workspace, name: str, rule: Rule, note: str = "") -> SavedRule:
    """Save a rule under a name: its first version, or the next one where a bound changed.

    Raises:
        SettingsError: The name is not allowed.
    """
    if name == STRICT.name:
        raise SettingsError(f"{name!r} is the rule that comes with DeepLens; choose another name.")
    document = {key: value for key, value in rule_to_json(rule).items() if key not in _NAMED}
    return workspace.ledger.save_rule(name, document, note)


def list_rules(workspace: Workspace, *, retired: bool = False, versions: bool = False) -> pl.DataFrame:
    """Saved rules by name: rule, version, note, who, at, retired_at, retired_by.

    Args:
        workspace: An open workspace.
        retired: Also those that were taken out of use.
        versions: All versions, and not only the latest.
    """
    found = workspace.ledger.rules(retired=retired, versions=versions)
    rows = [(item.name, item.version, item.note, item.who, item.at, item.retired_at, item.retired_by) for item in found]
    return pl.DataFrame(rows, schema=_LISTED, orient="row")


def diff_rules(workspace: Workspace, first: Rule, second: Rule) -> RuleDifference:
    """Which bounds of two rules differ, and what that comes to in this workspace.

    Raises:
        SettingsError: A rule is looser than the floor of the stored pairs.
    """
    lab = ThresholdLab(workspace)
    for rule in (first, second):
        lab.floor.refuse_looser(rule)
    plain = [_flat(rule_to_json(rule)) for rule in (first, second)]
    keys = [key for key in dict.fromkeys([*plain[0], *plain[1]]) if plain[0].get(key) != plain[1].get(key)]
    bounds = [(key, plain[0].get(key), plain[1].get(key)) for key in keys if key not in _NAMED]
    outcomes = [lab.outcome(rule) for rule in (first, second)]
    figures = ("groups", "objects", "gross_bytes", "realisable_bytes", "largest_group", "withheld")
    rows = [(name, *(getattr(outcome, name) for outcome in outcomes)) for name in figures]
    table = pl.DataFrame(rows, schema={"what": pl.String, "first": pl.Int64, "second": pl.Int64}, orient="row")
    schema = {"bound": pl.String, "first": pl.String, "second": pl.String}
    return RuleDifference(
        first,
        second,
        pl.DataFrame(bounds, schema=schema, orient="row"),
        table.with_columns(more=pl.col("second") - pl.col("first")),
    )


def _as_rule(saved: SavedRule) -> Rule:
    return rule_from_json({**saved.document, "name": saved.name, "version": saved.version})


def _flat(document: object, name: str = "") -> dict[str, str]:
    """Each single value of a document by its path: "verified[0].likelihood_min"."""
    if isinstance(document, dict):
        items = [(f"{name}.{key}" if name else str(key), value) for key, value in document.items()]
    elif isinstance(document, list):
        items = [(f"{name}[{at}]", value) for at, value in enumerate(document)]
    else:
        return {} if document is None else {name: str(document)}
    return {path: value for key, part in items for path, value in _flat(part, key).items()}
