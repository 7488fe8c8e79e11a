from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.threshold_simulation import POPULATIONS, main, population, simulated, wilson_width
from deeplens_kit.evidence.bounds import Cells

DRAWS = 50
# Of so many draws fewer hold the truth in one of a thousand runs, were it held in 95 % of them.
FEWEST_HELD = int(binom.ppf(0.001, DRAWS, 0.95))


@pytest.mark.parametrize(
    ("kind", "wrong_share", "budget"), [("rising", 0.05, 200), ("unrelated", 0.3, 50), ("not nested", 0.005, 200)]
)
def test_a_tenth_of_the_draws_keep_what_is_claimed(kind: str, wrong_share: float, budget: int) -> None:
    row = simulated(kind, wrong_share, budget, DRAWS, seed=11)
    held = {name: value for name, value in row.items() if name.startswith("held_")}
    assert len(held) == 6
    assert all(int(str(value)) >= FEWEST_HELD for value in held.values()), held
    broken = {name: value for name, value in row.items() if name.endswith("_broken")}
    assert all(int(str(value)) <= DRAWS - FEWEST_HELD for value in broken.values()), broken
    assert 0.7 < float(str(row["times_wilson"])) <= 1.3


@pytest.mark.parametrize("kind", POPULATIONS)
def test_populations_have_so_many_wrong_pairs_as_they_say(kind: str) -> None:
    whole = population(kind, 0.05, 3)
    proposed = whole.proposals["pair"].unique().to_numpy()
    assert whole.wrong[proposed].mean() == pytest.approx(0.05)
    rises = np.polyfit(range(len(whole.precision)), whole.precision, 1)[0]
    assert rises < -0.002 if kind != "unrelated" else abs(rises) < 0.002


def test_one_stratum_has_the_plain_wilson_interval() -> None:
    one, drawn, wrong, nothing = (np.array([value]) for value in (10_000, 100, 10, 0))
    cells = Cells.of(one, drawn, one, drawn, wrong, nothing)
    # (Wilson 1927): .0552 to .1744 for 10 of 100.
    assert wilson_width(cells, 0.95, finite=False) == pytest.approx(0.1744 - 0.0552, abs=1e-3)
    assert wilson_width(cells, 0.95, finite=True) < wilson_width(cells, 0.95, finite=False)


def test_the_command_prints_a_row_for_every_population(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--draws", "2", "--budget", "50", "--processes", "1", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "threshold_simulation"
    assert len(printed["rows"]) == 9
    assert {row["population"] for row in printed["rows"]} == set(POPULATIONS)
