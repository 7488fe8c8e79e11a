from __future__ import annotations

import json

import pytest

from benchmarks.thresholds import main, measure


def test_a_small_run_holds_its_totals_against_the_groups() -> None:
    report = measure([1_200], moves=3)
    row = report.rows[0]
    assert row["pictures"] == 1_200
    assert 0 < row["totals_median_seconds"] <= row["totals_p95_seconds"] <= row["move_p95_seconds"]
    assert row["times_faster"] > 1


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--scale", "600", "--moves", "2", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "thresholds"
    assert {"machine", "seed", "date", "rows"} <= printed.keys()
