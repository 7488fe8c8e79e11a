"""The rule that is meant: by itself, by thresholds, by its name, or by saying nothing.

Takes an open workspace and what a person gave, gives a rule; must not judge a pair. Without a word the rule in use is
meant: the strict one until somebody puts a saved one in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from deeplens_kit.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from deeplens_kit.ledger import SavedRule
    from deeplens_kit.matching import Rule, Thresholds
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["RuleLike", "chosen_rule", "rule_named"]

RuleLike: TypeAlias = "Rule | Thresholds | str | None"
"""What stands for a rule: itself, thresholds, a name as for `rule_named`, or None for the rule in use."""


def chosen_rule(workspace: Workspace, given: RuleLike = None) -> Rule:
    """The rule that is meant.

    Args:
        workspace: An open workspace.
        given: A Rule, Thresholds, a name as for `rule_named`, or None for the rule in use.

    Raises:
        SettingsError: It is none of them; or as `rule_named`.
    """
    from deeplens_kit.matching import Rule, Thresholds

    if given is None:
        used = workspace.chosen().rules.use
        try:
            return rule_named(workspace, used)
        except SettingsError as error:
            raise SettingsError(
                f"The rule in use is {used!r}, which cannot be taken: {error} `deeplens rules use --default` puts the "
                "strict one in its place."
            ) from error
    if isinstance(given, str):
        return rule_named(workspace, given)
    if isinstance(given, Rule):
        return given
    if not isinstance(given, Thresholds):
        raise SettingsError(f"{given!r} is no rule; give a Rule, Thresholds(...), a name, or None for the rule in use.")
    return given.rule()


def rule_named(workspace: Workspace, name: str) -> Rule:
    """The rule of a name: "strict", a saved one, or a version of it as "NAME@2".

    Raises:
        UnknownNameError: There is none; the nearest name is suggested.
        SettingsError: It was retired, and no version is named.
    """
    from deeplens_kit.matching import STRICT

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


def _as_rule(saved: SavedRule) -> Rule:
    from deeplens_kit.matching import rule_from_json

    return rule_from_json({**saved.document, "name": saved.name, "version": saved.version})
