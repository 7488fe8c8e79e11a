from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fault_checks import applied_wrong, lost, not_restored
from benchmarks.fault_strikes import FaultWay
from benchmarks.fault_trees import Seen
from benchmarks.faults import main, measure
from deeplens_kit.actions.operations import quarantine
from tests.examples import IN_FULL

START = {("near", "a"): Seen("one", 1), ("far", "b"): Seen("one", 2), ("near", "c"): Seen("two", 3)}


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_some_runs_lose_nothing_on_this_machine_and_on_a_share(tmp_path: Path) -> None:
    report = measure(14, tmp_path, ("local", "smb"))
    assert (report.figures["runs"], report.figures["crashed"]) == (14, 0), report.figures.get("told")
    assert report.figures["lost"] == report.figures["inconsistent"] == report.figures["not_restored"] == 0
    assert int(str(report.figures["struck"])) >= 8
    assert {row["kind"] for row in report.rows} == {"local", "smb"}
    assert {row["fault"] for row in report.rows} <= {str(way) for way in FaultWay}


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_an_engine_that_errs_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # After a kill in the middle it would say that nothing happened, wherever the file is.
    monkeypatch.setattr(
        quarantine.QuarantineOperation, "settle", lambda *_: quarantine.not_done("It did not happen, they say.")
    )
    with pytest.raises(SystemExit, match=r"not zero: .*not_restored"):
        main(["--runs", "30", "--kinds", "local"])
    assert "there and not held" in capsys.readouterr().out


def test_what_is_missing_moved_or_touched_is_told() -> None:
    fewer = {file: seen for file, seen in START.items() if file != ("far", "b")}
    assert lost(START, fewer) == ["1 fewer of one"]
    moved = {**fewer, ("far", ".deeplens-quarantine/1/b"): Seen("one", 2)}
    assert lost(START, moved) == []
    assert len(not_restored(START, moved)) == 2
    assert not_restored(START, {**START, ("near", ".deeplens-1-2"): Seen("x", 9)}) == []
    assert applied_wrong([], set(), START, START, [("near", "a")]) == []
    touched = {**START, ("near", "a"): Seen("three", 1)}
    assert applied_wrong([], set(), START, touched, [("near", "a")]) == ["keeper touched: ('near', 'a')"]
