"""The benchmark of searches on a small library: every part is measured, and what is planted is found."""

from __future__ import annotations

import pytest

from benchmarks.search import measure


@pytest.mark.slow
def test_a_small_run_finds_the_photographs_and_measures_every_part() -> None:
    web, camera = measure([500], rounds=1).rows
    for row in (web, camera):
        assert row["found_first"] == 1.0
        assert row["pictures"] == 500
        for part in ("whole", "whole_cpu", "freshness", "decode_and_embed", "search_and_rank", "places"):
            times = row[f"{part}_p50_p95_ms"]
            assert isinstance(times, dict)
            assert 0 < times["p50"] <= times["p95"]
    assert web["recall_at_10"] == 1.0
    assert {"rare_format_p50_p95_ms", "ready_seconds", "ready_seconds_first", "held_mib"} <= web.keys()
