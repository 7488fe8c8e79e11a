"""The benchmark of the API: every kind of request is answered and measured, and what wrk says is read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from examples import IN_FULL

from benchmarks import service


def test_what_wrk_says_counts_errors_apart() -> None:
    said = "Running 1s test @ http://127.0.0.1:1\n  9 requests in 1.0s\nFIGURES 9 1500000 20000.0 61000.0 90500.0 2\n"
    load = service.figures_of_wrk(said)
    assert (load.answered, load.errors, load.seconds) == (7, 2, 1.5)
    assert load.milliseconds == {"p50": 20.0, "p95": 61.0, "p99": 90.5}


def test_the_rate_of_several_is_held_against_the_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1})
    alone: dict[str, float] = {}
    assert service._ratio(alone, "by_id", {"rate": 100.0}, 1) == 1.0
    assert service._ratio(alone, "by_id", {"rate": 180.0}, 2) == 0.9
    assert service._ratio(alone, "by_id", {"rate": 180.0}, 4) == 0.9


def test_a_figure_is_reached_only_where_every_row_reaches_it() -> None:
    fast = {"kind": "by_id", "ms": {"p95": 20.0}, "rate": 250.0, "ratio": 1.0, "errors": 0}
    late = {"kind": "by_id", "ms": {"p95": 61.0}, "rate": 199.0, "ratio": 0.7, "errors": 1}
    assert all(service._reached([fast]).values())
    reached = service._reached([fast, late])
    assert [name for name, is_so in reached.items() if is_so] == ["upload_p95"]


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@pytest.mark.slow
def test_a_small_run_asks_for_everything(
    capsys: pytest.CaptureFixture[str], spare_processes: Callable[..., None]
) -> None:
    spare_processes(service)
    words = ["--scale", "500", "--workers", "1", "--seconds", "1", "--clients", "2", "--photographs", "2", "--json"]
    assert service.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reached"]["no_errors"] is True
    kinds = ["by_id", "by_vector", "by_given_vector", "upload", "thumbnail"]
    assert [row["kind"] for row in told["rows"]] == kinds
    for row in told["rows"]:
        assert row["rate"] > 0
        assert row["cpu_ms"] > 0
        assert row["worker_mib"] > 0
        assert 0 < row["ms"]["p50"] <= row["ms"]["p95"] <= row["ms"]["p99"]
