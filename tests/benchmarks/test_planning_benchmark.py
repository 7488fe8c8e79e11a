"""The benchmark of planning runs, and reads back the plan that it saved."""

from __future__ import annotations

import json

import pytest

from benchmarks.planning import main
from tests.examples import IN_FULL


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_command_prints_what_a_plan_costs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--scale", "1200", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["objects"] == 1200
    assert 0 < row["steps"] < row["members"] <= row["steps"] + row["left_out"]
    assert row["seconds"] > 0 and row["peak_mib"] > 0
