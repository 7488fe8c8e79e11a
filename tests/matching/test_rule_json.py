"""Rules are kept as JSON without any loss, and what is not understood is refused."""

from __future__ import annotations

import json

import pytest
from examples import examples
from hypothesis import given, settings
from test_regrouping import RULES

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import STRICT, Rule, Thresholds
from deeplens_kit.matching.rule_json import rule_from_json, rule_to_json


@settings(deadline=None, max_examples=examples(60))
@given(RULES)
def test_a_rule_comes_back_exactly(rule: Rule) -> None:
    for each in (rule, STRICT, Thresholds(likelihood_min=0.1 + 0.2).rule()):
        assert rule_from_json(json.loads(json.dumps(rule_to_json(each)))) == each


def test_what_a_rule_has_no_part_for_is_refused() -> None:
    plain = rule_to_json(STRICT)
    minimal = {name: plain[name] for name in ("name", "version", "plain", "unmeasured", "page_like", "other_shots")}
    assert rule_from_json(minimal).curve == STRICT.curve
    for wrong, message in (
        ({"verifed": []}, "did you mean 'verified'"),
        ({"plain": [{"pdq_mox": 3}]}, "did you mean 'pdq_max'"),
        ({"curve": {"pdq_midle": 3}}, "did you mean 'pdq_middle'"),
        ({"tiers": ["bites"]}, "did you mean 'bytes'"),
    ):
        with pytest.raises(UnknownNameError, match=message):
            rule_from_json(plain | wrong)
    for wrong, message in (
        ({"plain": {}}, "a list in brackets"),
        ({"plain": [3]}, "an object in braces"),
        ({"plain": [{"pdq_max": 3.5}]}, r"plain\[0\]\.pdq_max is 3\.5; it must be a whole number"),
        ({"plain": [{"pdq_max": True}]}, "a whole number"),
        ({"plain": [{}]}, "at least one of its bounds"),
        ({"verified": [{"likelihood_min": "0.9"}]}, "a number"),
        ({"version": None}, "a whole number"),
        ({"name": 3}, "a text"),
    ):
        with pytest.raises(SettingsError, match=message):
            rule_from_json(plain | wrong)
    with pytest.raises(SettingsError, match="lacks 'version'"):
        rule_from_json({name: value for name, value in plain.items() if name != "version"})
