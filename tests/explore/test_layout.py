"""Maps: one seed one map, any number of vectors, alike beside alike, and nothing left where a person stops it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from examples import IN_FULL
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shared_folder import shared_folder

from deeplens_kit.errors import ExtraMissingError, SettingsError
from deeplens_kit.explore import layout, umap_engine

FAMILY = 5


def families(count: int, *, seed: int = 3, size: int = 64) -> NDArray[np.float16]:
    """Vectors in families of five whose members are far nearer to each other than to others."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(-(-count // FAMILY), size)), FAMILY, axis=0)[:count]
    rows = centres + 0.3 * random.normal(size=centres.shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


def family_kept(places: NDArray[np.float32]) -> float:
    """Share of points whose nearest point is of their own family."""
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return float((gaps.argmin(axis=1) // FAMILY == np.arange(len(places)) // FAMILY).mean())


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By one process, where there is no machine code yet; to compile it takes longer than all these tests."""
    shared_folder(tmp_path_factory, "machine-code-of-maps", lambda _: layout(families(30), seed=0))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 40])
def test_any_number_of_vectors_has_places(count: int) -> None:
    vectors = families(count)
    places = layout(vectors, seed=0)
    assert places.shape == (count, 2)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count
    assert np.array_equal(places, layout(vectors, seed=0))


def test_one_seed_gives_one_map_and_another_seed_another() -> None:
    vectors = families(200)
    first = layout(vectors, seed=7)
    assert np.array_equal(first, layout(vectors, seed=7))
    assert not np.array_equal(first, layout(vectors, seed=8))
    # Also in a thread of its own, and while another is made.
    found: dict[int, NDArray[np.float32]] = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: layout(vectors, seed=seed)})) for seed in (7, 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(found[7], first)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_another_process_with_another_number_of_threads_gives_the_same_map(tmp_path: Path, repository: Path) -> None:
    vectors = families(120)
    np.save(tmp_path / "vectors.npy", vectors)
    code = (
        "import sys, numpy as np; from deeplens_kit.explore import layout;"
        "np.save(sys.argv[2], layout(np.load(sys.argv[1]), seed=7))"
    )
    made = []
    for threads in ("1", "2"):
        target = tmp_path / f"places-{threads}.npy"
        command = [sys.executable, "-c", code, str(tmp_path / "vectors.npy"), str(target)]
        environment = {**os.environ, "NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        subprocess.run(command, check=True, cwd=repository, env=environment)
        made.append(np.load(target))
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], layout(vectors, seed=7))


def test_alike_vectors_lie_together() -> None:
    assert family_kept(layout(families(300), seed=0, neighbours=6)) > 0.95


def test_vectors_that_are_no_landmarks_lie_among_their_like() -> None:
    vectors = families(400)
    steps: list[tuple[int, int]] = []
    places = layout(vectors, seed=0, neighbours=6, landmarks=200, progress=lambda *step: steps.append(step))
    assert np.isfinite(places).all()
    assert np.array_equal(places, layout(vectors, seed=0, neighbours=6, landmarks=200))
    # A family of which one landmark at least was drawn: nearly all of them.
    assert family_kept(places) > 0.9
    assert steps[0] == (0, 400)
    assert steps[-1] == (400, 400)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_equal_vectors_that_are_no_landmarks_are_counted_once_each() -> None:
    done: list[int] = []
    layout(np.tile(families(40), (4, 1)), seed=0, landmarks=20, progress=lambda placed, _: done.append(placed))
    assert done == [0, 80, 160, 160]


def test_equal_vectors_share_a_place_and_do_not_move_the_others() -> None:
    vectors = families(40)
    many = np.concatenate([vectors, np.repeat(vectors[:1], 500, axis=0)])
    places = layout(many, seed=0)
    assert (places[40:] == places[0]).all()
    assert np.array_equal(places[:40], layout(vectors, seed=0))
    assert np.isfinite(layout(np.ones((9, 4), np.float32), seed=0)).all()


def test_vectors_that_say_nothing_lie_in_the_middle() -> None:
    vectors = families(30).astype(np.float32)
    vectors[3], vectors[7, 2] = 0.0, np.nan
    places = layout(vectors, seed=0)
    others = np.delete(places, [3, 7], axis=0)
    assert places[[3, 7]] == pytest.approx(np.tile(others.mean(axis=0), (2, 1)), abs=1e-4)
    assert np.array_equal(layout(np.zeros((3, 4), np.float32), seed=0), np.zeros((3, 2)))


@hypothesis_settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=0, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_vectors_every_one_has_a_place(rows: list[list[int]], seed: int) -> None:
    vectors = np.array(rows, np.float16).reshape(-1, 3)
    places = layout(vectors, seed=seed, neighbours=4, landmarks=6)
    assert places.shape == (len(rows), 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"seed": -1}, "seed of a map is -1; it must be a whole number from 0 to 4,294,967,295"),
        ({"seed": 2**32}, "must be a whole number"),
        ({"seed": 0, "neighbours": 1}, "take at least 2"),
        ({"seed": 0, "landmarks": 4}, "take at least 5"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, int], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        layout(families(10), **values)


def test_without_umap_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    umap_engine._umap.cache_clear()
    with pytest.raises(ExtraMissingError, match=r"The map needs the extra 'workbench'"):
        layout(families(20), seed=0)
    # Few vectors need none.
    assert layout(families(4), seed=0).shape == (4, 2)


def test_nothing_is_said_and_warned_of(capfd: pytest.CaptureFixture[str], repository: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layout(families(60), seed=0)
    code = (
        "import warnings; warnings.simplefilter('error'); import numpy as np; from deeplens_kit.explore import layout;"
        "layout(np.random.default_rng(0).normal(size=(30, 8)), seed=0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_machine_code_is_kept_between_processes(tmp_path: Path, repository: Path) -> None:
    # Of umap-learn a copy, which has none yet; to compile what it imports takes four times as long.
    installed = importlib.util.find_spec("umap")
    assert installed is not None and installed.origin is not None
    copy = tmp_path / "umap"
    shutil.copytree(Path(installed.origin).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import time, numpy as np; from deeplens_kit.explore import layout, umap_engine;"
        "print(umap_engine._umap().__file__); began = time.process_time();"
        "layout(np.random.default_rng(0).normal(size=(30, 8)), seed=0); print(time.process_time() - began)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(repository)])
    seconds = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        loaded, taken = ran.stdout.splitlines()
        assert Path(loaded).parent == copy
        seconds.append(float(taken))
    kept = {path.name.split(".")[1].rsplit("-", 1)[0] for path in copy.rglob("*.nbi")}
    assert {"smooth_knn_dist", "compute_membership_strengths", "_optimize_layout_euclidean_single_epoch"} <= kept
    assert seconds[1] < seconds[0] / 3


def test_a_person_can_stop_it() -> None:
    calls: list[int] = []

    def stop(done: int, _: int) -> None:
        calls.append(done)
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layout(families(200), seed=0, landmarks=50, progress=stop)
    # The next map is made as if nothing had happened.
    assert np.isfinite(layout(families(30), seed=0)).all()
