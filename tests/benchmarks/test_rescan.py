from __future__ import annotations

import json
from pathlib import Path

import pytest
from examples import IN_FULL

from benchmarks.rescan import main, make_files, scandir_and_stat


def test_the_files_are_made_and_the_least_looks_at_each(tmp_path: Path) -> None:
    make_files(tmp_path, 1_203)
    assert scandir_and_stat(tmp_path) == 1_203
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder_0000", "folder_0001"]


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_small_run_measures_every_step_against_the_least(capsys: pytest.CaptureFixture[str]) -> None:
    """By the command, whose JSON holds what `measure` gives."""
    main(["--files", "300", "--repeats", "1", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == "rescan"
    assert printed["rows"][0]["step"] == "scandir and stat alone"
    assert printed["rows"][0]["times_the_least"] == 1.0
    assert [row["step"] for row in printed["rows"]][-2:] == ["index run, in process", "the whole command"]
    assert printed["files"] == 300
    assert printed["ratio_wall"] > 0
    assert {"machine", "seed", "date", "peak_memory_mib"} <= printed.keys()
