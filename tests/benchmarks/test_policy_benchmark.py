"""The benchmark of keep policies runs, and holds orders and groups against each other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchmarks import policy
from deeplens_kit.matching import BUILT_IN_POLICIES, KeepCriterion


def test_the_command_prints_what_the_order_by_each_criterion_costs(
    capsys: pytest.CaptureFixture[str], spare_processes: Callable[..., None]
) -> None:
    spare_processes(policy)
    policy.main(["--scale", "1000", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "policy"
    named = {row["policy"]: row["seconds"] for row in printed["rows"]}
    assert {*BUILT_IN_POLICIES, *(f"{name} alone" for name in KeepCriterion)} <= named.keys()
    assert all(seconds > 0 for seconds in named.values())
