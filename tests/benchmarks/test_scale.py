"""The benchmark of whole runs: its library is the same at every size, and every stage is measured."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import scale
from benchmarks.scale import exponents, measure
from benchmarks.scale_corpus import COPY_EVERY, beginning, make_corpus, original_of, picture
from benchmarks.stage_costs import BETWEEN, StageCosts
from deeplens_kit.pipeline import ProgressSnapshot
from tests.examples import IN_FULL


def test_one_picture_in_five_is_a_copy_of_another() -> None:
    originals = [original_of(number) for number in range(1_000)]
    copies = [number for number, original in enumerate(originals) if original != number]
    assert len(copies) == 1_000 // COPY_EVERY
    assert all(originals[originals[number]] == originals[number] < number for number in copies)


def test_a_corpus_goes_on_where_it_was_left(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    assert make_corpus(corpus, 4, 1) == 4
    first = {path: path.stat().st_mtime_ns for path in corpus.rglob("*.jpg")}
    assert make_corpus(corpus, 7, 2) == 3
    assert make_corpus(corpus, 7, 1) == 0
    assert {path: path.stat().st_mtime_ns for path in first} == first
    paths = sorted(corpus.rglob("*.*"))
    assert [path.read_bytes() for path in paths] == [picture(number) for number in range(7)]
    beginning(corpus, 5, tmp_path / "beginning")
    taken = sorted((tmp_path / "beginning").rglob("*.jpg"))
    assert [path.name for path in taken] == [path.name for path in paths[:5]]


def test_originals_are_pictures_of_one_size_and_unlike() -> None:
    shown = [np.asarray(Image.open(io.BytesIO(picture(number))).convert("L"), np.float64) for number in range(4)]
    assert {array.shape for array in shown} == {(360, 480)}
    alike = np.corrcoef([array.ravel() for array in shown])
    assert all(array.std() > 10 for array in shown)
    assert np.abs(alike[~np.eye(4, dtype=bool)]).max() < 0.6


def test_costs_go_to_the_stage_that_reports_them() -> None:
    seconds = iter(range(100))
    costs = StageCosts(wall_clock=lambda: float(next(seconds)), cpu_clock=lambda: 0.0)

    def told(stage: str, done: int, total: int | None) -> None:
        costs.update(ProgressSnapshot("", stage, done, total, 0, 0.0, None, 0))

    told("index", 0, 2)  # what came before
    told("index", 1, 2)
    told("index", 2, 2)
    told("verify", 0, 1)  # between two stages
    told("verify", 1, 1)
    told("verify", 0, 1)  # between two rounds of one stage
    told("verify", 1, 1)
    costs.finish()
    assert costs.wall_seconds == {BETWEEN: 4.0, "index": 2.0, "verify": 2.0}


def test_exponents_are_slopes_of_logarithms() -> None:
    seconds = {1_000: {"linear": 1.0, "square": 0.1, "small": 0.01}}
    seconds |= {10_000: {"linear": 10.0, "square": 10.0, "small": 0.1}}
    fitted = exponents(seconds)
    assert fitted.keys() == {"linear", "square", "all"}
    assert fitted["linear"] == pytest.approx(1.0) and fitted["square"] == pytest.approx(2.0)
    assert exponents({1_000: {"linear": 1.0}}) == {}


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@pytest.mark.slow
def test_a_small_run_measures_every_stage(tmp_path: Path, spare_processes: Callable[..., None]) -> None:
    spare_processes(scale)
    report = measure([15, 30], tmp_path / "corpus", tmp_path, 1)
    assert [row["pictures"] for row in report.rows] == [15, 30]
    for row in report.rows:
        stages = row["stages_cpu_seconds"]
        assert isinstance(stages, dict) and {"index", "match", "verify", BETWEEN} <= stages.keys()
        assert sum(stages.values()) == pytest.approx(row["cpu_seconds"], abs=0.5)
        assert row["removed_wrongly"] == 0
    last = report.rows[-1]
    assert int(str(last["pairs_of_copies"])) >= 3 and int(str(last["copies_removed_rightly"])) > 0
    assert int(str(last["peak_memory_mib"])) > 100
    # No stage takes a second for so few pictures; all of them together may, on a slow machine.
    assert set(report.figures["exponents"]) <= {"all", *last["stages_cpu_seconds"]}  # type: ignore[call-overload, misc]
