"""The benchmark of the map runs at a small size and measures what it says."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from examples import IN_FULL

from benchmarks import map as benchmark
from deeplens_kit.views.state.map_colours import COLOUR_CHOICES


@pytest.mark.slow
@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_it_measures_layouts_and_looks(
    capsys: pytest.CaptureFixture[str], spare_processes: Callable[..., None]
) -> None:
    """By the command, whose JSON holds what `measure` gives."""
    spare_processes(benchmark)
    # What it is compared with is compiled anew in every process, for twenty seconds: not where time is to be spared.
    against = "200" if IN_FULL else "0"
    assert benchmark.main(["--layout", "200", "--against", against, "--turns", "1", "--points", "400", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    by_part = {row["part"]: row for row in report["rows"]}
    assert {"layout", "pointing"} < set(by_part)
    moving = [row for part, row in by_part.items() if part.startswith("moving, by")]
    assert len(moving) == 2 * len(COLOUR_CHOICES)
    assert all(0 < row["median_ms"] <= row["p95_ms"] <= row["worst_ms"] for row in moving)
    # Vectors in families of four: the nearest stay near, whoever lays them out.
    assert by_part["layout"]["neighbours_kept"] > 0.3
    if IN_FULL:
        assert by_part["umap-learn alone"]["neighbours_kept"] > 0.3
        assert report["layout_to_umap_alone_cpu_seconds"] > 0
        assert report["layout_to_umap_alone_seconds"] > 0


def test_places_that_say_nothing_keep_no_neighbours() -> None:
    vectors = benchmark._vectors(2_000, 1)
    nonsense = np.random.default_rng(2).random((2_000, 2)).astype(np.float32)
    assert benchmark._kept(vectors, nonsense, 1) < 0.05
