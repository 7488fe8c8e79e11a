"""A report on record while it is made."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from deeplens_kit.errors import Interrupted, ReportError
from deeplens_kit.ledger import Ledger, ReportRunState
from deeplens_kit.pipeline import report_recording
from deeplens_kit.pipeline.report_recording import recorded_report


@pytest.fixture
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger.create(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.sqlite")


def test_a_report_begins_lives_and_ends_on_record(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_recording, "_BEAT_SECONDS", 0.001)
    beaten, beat = threading.Event(), ledger.beat_report_run

    def watched(run_id: str) -> bool:
        beaten.set()
        return beat(run_id)

    monkeypatch.setattr(ledger, "beat_report_run", watched)
    due_at = datetime(2026, 11, 30, tzinfo=UTC)
    with ledger, recorded_report(ledger, "savings", {"rule": "x"}, schedule="weekly", due_at=due_at) as noted:
        assert ledger.report_runs(states=[ReportRunState.RUNNING]) == [noted.run]
        assert beaten.wait(30)
        noted.figures, noted.message = {"n": 1}, "4 GB"
    with Ledger.open(ledger._engine.url.render_as_string(False)) as other:
        (run,) = other.report_runs()
        assert (run.state, run.figures, run.message) == (ReportRunState.FINISHED, {"n": 1}, "4 GB")
        assert run.delivered_at is None, "a schedule's run is not over before it is delivered"


@pytest.mark.parametrize(
    ("error", "state"), [(ReportError("no space"), "failed"), (Interrupted("stopped"), "interrupted")]
)
def test_what_was_not_made_says_why(ledger: Ledger, error: Exception, state: str) -> None:
    with ledger:
        with pytest.raises(type(error)), recorded_report(ledger, "savings", {}):
            raise error
        (run,) = ledger.report_runs()
        assert (str(run.state), run.message) == (state, str(error))
