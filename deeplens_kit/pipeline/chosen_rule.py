"""The rule that is meant: by itself, by thresholds, or by saying nothing.

Takes what a person gave, gives a rule; must not judge a pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.matching import Rule, Thresholds

__all__ = ["chosen_rule"]


def chosen_rule(given: Rule | Thresholds | None) -> Rule:
    """The rule that is meant: a Rule, Thresholds, or None for the strict rule.

    Raises:
        SettingsError: It is none of them.
    """
    from deeplens_kit.matching import STRICT, Rule, Thresholds

    if given is None:
        return STRICT
    if isinstance(given, Rule):
        return given
    if not isinstance(given, Thresholds):
        raise SettingsError(f"{given!r} is no rule; give a Rule, Thresholds(...) or None for the strict rule.")
    return given.rule()
