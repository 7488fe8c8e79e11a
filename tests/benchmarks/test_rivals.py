"""Rivals are asked in an environment of their own, scored as sets of pairs; what cannot be had is left out by name."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from benchmarks import rivals
from benchmarks.copy_scores import CopyBenchmark
from benchmarks.rivals import RIVALS, Rival, RivalMissingError, ask
from tests.examples import IN_FULL

HERE = (sys.version_info[:2], sys.version_info[:2])
# Nothing to install: what this test asks for is pip, which an environment brings with it.
BY_SIZE = Rival(
    "pip",
    """
import collections, csv, itertools, pathlib, sys
by_size = collections.defaultdict(list)
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.*")):
    by_size[path.stat().st_size].append(path)
rows = [(a, b, 1.0) for same in by_size.values() for a, b in itertools.combinations(same, 2)]
""",
    "size",
    HERE,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "images" / "é 1").mkdir(parents=True)
    sizes = {"a": ("s", 10), "b": ("s", 10), "c": ("t", 10), "d": ("u", 20)}
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        manifest = csv.writer(stream)
        manifest.writerow(["path", "source_id", "family", "role", "category", "scene_group", "kind"])
        for name, (source, size) in sizes.items():
            (folder / "images" / "é 1" / f"{name}.jpg").write_bytes(bytes(size))
            role = "reference" if name == "a" else "query"
            manifest.writerow([f"images/é 1/{name}.jpg", source, "blur", role, "photo", "", ""])
    return folder


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environments")
    # As `pip install` leaves it where what is asked for is there: the test needs no network.
    home = folder / "pip"
    rivals._run([sys.executable, "-m", "venv", "--without-pip", str(home)], "no environment")
    (home / "installed").touch()
    return folder


def test_a_rival_answers_in_paths_of_the_benchmark(bench: Path, environments: Path) -> None:
    answer = ask(BY_SIZE, bench, environments)
    assert {pair[:2] for pair in answer.pairs} == {
        (f"images/é 1/{a}.jpg", f"images/é 1/{b}.jpg") for a, b in ("ab", "ac", "bc")
    }
    assert answer.wall_seconds > 0 and answer.cpu_seconds > 0


def test_figures_stand_beside_what_is_left_out(
    bench: Path,
    environments: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nowhere = Rival("nothing", "", "", ((2, 0), (2, 1)))
    broken = Rival("pip", "raise SystemExit('no such mode')", "", HERE)
    monkeypatch.setattr(rivals, "RIVALS", {"by size": BY_SIZE, "nowhere": nowhere, "broken": broken})
    figures = rivals.measure(
        ["by size", "nowhere", "broken"], {"full": CopyBenchmark(bench)}, bench, environments, tmp_path
    )
    found = figures["by size"]["full"]
    # Of three query-reference pairs a-b, a-c, a-d the first two are listed, and one of them is right.
    assert isinstance(found, dict)
    assert (found["pairs_listed"], found["precision_of_all_listed"], found["recall_of_all_listed"]) == (2, 0.5, 1.0)
    assert "Python 2.0 to 2.1" in str(figures["nowhere"]["left_out"])
    assert "no such mode" in str(figures["broken"]["left_out"])
    assert capsys.readouterr().err.count("is left out") == 2
    assert len((tmp_path / "by-size.csv").read_text(encoding="utf-8").splitlines()) == 4
    rivals.print_rivals(figures)
    shown = capsys.readouterr().out
    assert "by size, full" in shown and "broken: left out" in shown


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_what_cannot_be_installed_is_said(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, {"PIP_NO_INDEX": "1"}.get(name, str(tmp_path)))
    with pytest.raises(RivalMissingError, match=r"difPy==4\.2\.1 could not be installed"):
        ask(Rival(RIVALS["difPy similar"].requirement, "", "", HERE), bench, tmp_path)
    assert not list(tmp_path.glob("*/installed"))


def test_the_command_prints_json(
    bench: Path, environments: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rivals, "RIVALS", {"by size": BY_SIZE})
    assert rivals.main([str(bench), "--rival", "by size", "--environments", str(environments), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "rivals" and printed["rivals"]["by size"]["core"]["positives"] == 1
    assert rivals.main([str(bench / "images")]) == 2


def test_rivals_are_pinned() -> None:
    assert set(rivals.BY_DEFAULT) <= set(RIVALS)
    assert all("==" in rival.requirement for rival in RIVALS.values())
