from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchmarks import thresholds
from tests.examples import IN_FULL


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_command_prints_how_its_totals_compare_with_the_groups(
    capsys: pytest.CaptureFixture[str], spare_processes: Callable[..., None]
) -> None:
    """A small run holds its totals against the groups."""
    spare_processes(thresholds)
    thresholds.main(["--scale", "1200", "--moves", "3", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "thresholds"
    assert {"machine", "seed", "date", "rows"} <= printed.keys()
    (row,) = printed["rows"]
    assert row["pictures"] == 1_200
    assert 0 < row["totals_median_seconds"] <= row["totals_p95_seconds"] <= row["move_p95_seconds"]
    assert row["times_faster"] > 1
