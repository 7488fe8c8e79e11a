"""Rules under a name: saved in versions, put in use, and compared with one another.

Takes an open workspace, names and rules, gives rules and frames; writes rules to the ledger, and into `workspace.toml`
the name of the one in use. Must not judge a pair by itself: what two rules come to is what grouping says.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import SavedRule
from deeplens_kit.matching import STRICT, Rule, rule_to_json
from deeplens_kit.pipeline.graph import floor_of
from deeplens_kit.pipeline.rule_in_use import rule_named
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import RuleSettings, save_choice

__all__ = ["RuleDifference", "counts_at_once", "diff_rules", "list_rules", "retire_rule", "save_rule", "use_rule"]

_NAMED = ("name", "version")
_LISTED = pl.Schema(
    {
        "rule": pl.String(),
        "version": pl.Int64(),
        "in_use": pl.Boolean(),
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


def counts_at_once(workspace: Workspace, name: str) -> bool:
    """Whether a rule that is saved under a name is in use by that: it is the next version of the one in use.

    Args:
        workspace: An open workspace.
        name: In any spelling; the ledger keeps one of them, so that others would pass by whoever compares texts.
    """
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", workspace.chosen().rules.use)


def save_rule(workspace: Workspace, name: str, rule: Rule, note: str = "") -> SavedRule:
    """Save a rule under a name: its first version, or the next one where a bound changed.

    Raises:
        SettingsError: The name is not allowed.
    """
    if name == STRICT.name:
        raise SettingsError(f"{name!r} is the rule that comes with DeepLens; choose another name.")
    document = {key: value for key, value in rule_to_json(rule).items() if key not in _NAMED}
    return workspace.ledger.save_rule(name, document, note)


def use_rule(workspace: Workspace, name: str = STRICT.name) -> Rule:
    """Judge by a rule from now on, wherever no other one is named.

    Args:
        workspace: An open workspace, which follows, and so does whoever else has it open.
        name: As for `rule_named`: by a name alone its later versions count as soon as they are saved.

    Raises:
        SettingsError: As `rule_named`, or the rule is looser than the floor of the stored pairs.
    """
    rule = rule_named(workspace, name)
    floor_of(workspace).refuse_looser(rule)
    save_choice(workspace.directory, "rules", "use", name)
    workspace.settings = replace(workspace.settings, rules=RuleSettings(name))
    return rule


def retire_rule(workspace: Workspace, name: str) -> SavedRule:
    """Take a rule out of use; its versions can still be read.

    Raises:
        UnknownNameError: There is none of the name.
        SettingsError: It is the one in use.
    """
    if workspace.chosen().rules.use == name:
        raise SettingsError(
            f"The rule {name!r} is in use; put another one in its place first: `deeplens rules use --default`, or a "
            "version of it."
        )
    return workspace.ledger.retire_rule(name)


def list_rules(workspace: Workspace, *, retired: bool = False, versions: bool = False) -> pl.DataFrame:
    """Saved rules by name: rule, version, in_use, note, who, at, retired_at, retired_by.

    Args:
        workspace: An open workspace.
        retired: Also those that were taken out of use.
        versions: All versions, and not only the latest.
    """
    found = workspace.ledger.rules(retired=retired, versions=versions)
    used = workspace.chosen().rules.use
    latest = {item.name: item.version for item in found}
    rows = [
        (
            item.name,
            item.version,
            used == f"{item.name}@{item.version}" or (used == item.name and item.version == latest[item.name]),
            item.note,
            item.who,
            item.at,
            item.retired_at,
            item.retired_by,
        )
        for item in found
    ]
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


def _flat(document: object, name: str = "") -> dict[str, str]:
    """Each single value of a document by its path: "verified[0].likelihood_min"."""
    if isinstance(document, dict):
        items = [(f"{name}.{key}" if name else str(key), value) for key, value in document.items()]
    elif isinstance(document, list):
        items = [(f"{name}[{at}]", value) for at, value in enumerate(document)]
    else:
        return {} if document is None else {name: str(document)}
    return {path: value for key, part in items for path, value in _flat(part, key).items()}
