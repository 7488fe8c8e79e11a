"""The benchmark of searches on a small library: every part is measured, and what is planted is found."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from examples import IN_FULL

from benchmarks import search, vectors


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@pytest.mark.slow
def test_a_small_run_finds_the_photographs_and_measures_every_part(
    capsys: pytest.CaptureFixture[str], spare_processes: Callable[..., None]
) -> None:
    """By the command, whose JSON holds what `measure` gives."""
    spare_processes(search, vectors)
    photographs = () if IN_FULL else ("--photographs", "3")
    assert search.main(["--scale", "500", "--rounds", "1", "--queries", "10", *photographs, "--json"]) == 0
    web, camera = json.loads(capsys.readouterr().out)["rows"]
    for row in (web, camera):
        assert row["found_first"] == 1.0
        assert row["pictures"] == 500
        for part in ("whole", "whole_cpu", "freshness", "decode_and_embed", "search_and_rank", "places"):
            times = row[f"{part}_ms"]
            assert isinstance(times, dict)
            assert 0 < times["p50"] <= times["p95"] <= times["p99"]
    assert web["recall_at_10"] == 1.0
    assert web["index_recall_at_10"] == 1.0
    filters = {f"by_id_{name}_ms" for name in ("all", "location", "most", "some", "few", "dates", "glob")}
    assert filters <= web.keys()
    assert {"ready_seconds", "ready_seconds_first", "held_mib", "index_index_bytes"} <= web.keys()
