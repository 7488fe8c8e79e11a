"""The benchmark of clusters runs at a small size and measures what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import clusters as benchmark
from tests.examples import IN_FULL


def test_it_finds_what_it_made_by_both_ways() -> None:
    for row in (benchmark.clustered(600, 1, 2), benchmark.by_every_distance(600, 1, 1)):
        assert row["rand_of_clustered"] > 0.9
        assert row["found_of_true"] > 0.9
        assert row["peak_mib"] > 0
    assert (row["part"], row["pictures"]) == ("scikit-learn alone", 600)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@pytest.mark.slow
def test_the_command_measures_each_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Its JSON holds what `measure` gives."""
    assert benchmark.main(["--pictures", "300", "--against", "0", "--times", "1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["part"], row["pictures"], row["times"]) == ("clusters", 300, 1)


def test_its_truth_is_of_different_pictures() -> None:
    vectors, truth, stands = benchmark._world(2_000, 1)
    assert np.allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)
    assert (truth == truth[stands]).all()
    assert (stands[stands] == stands).all()
    own = stands == np.arange(2_000)
    assert 0.05 < (~own).mean() < 0.15
    assert np.bincount(truth[own & (truth >= 0)]).min() >= 5
