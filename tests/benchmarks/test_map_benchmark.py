"""The benchmark of the map runs at a small size and measures what it says."""

from __future__ import annotations

import numpy as np
import pytest
from examples import IN_FULL

from benchmarks import map as benchmark


@pytest.mark.slow
def test_it_measures_layouts_and_looks() -> None:
    # What it is compared with is compiled anew in every process, for twenty seconds: not where time is to be spared.
    report = benchmark.measure([200], 200 if IN_FULL else 0, [400])
    by_part = {str(row["part"]): row for row in report.rows}
    assert {"layout", "pointing"} < set(by_part)
    assert sum(part.startswith("drawing by") for part in by_part) == 6
    # Vectors in families of four: the nearest stay near, whoever lays them out.
    assert by_part["layout"]["neighbours_kept"] > 0.3  # type: ignore[operator]
    if IN_FULL:
        assert by_part["umap-learn alone"]["neighbours_kept"] > 0.3  # type: ignore[operator]
        assert report.figures["layout_to_umap_alone_cpu"]


def test_places_that_say_nothing_keep_no_neighbours() -> None:
    vectors = benchmark._vectors(2_000, 1)
    nonsense = np.random.default_rng(2).random((2_000, 2)).astype(np.float32)
    assert benchmark._kept(vectors, nonsense, 1) < 0.05
