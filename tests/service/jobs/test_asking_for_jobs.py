"""What is asked for twice is one job, and never another than was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deeplens_kit.errors import JobStateError
from deeplens_kit.ledger import JobState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs import asking

EXPIRED = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws") as made:
        yield made


def test_all_of_a_quarantine_is_not_taken_for_what_expired(workspace: Workspace) -> None:
    first = asking.empty(workspace, "an-application", expired_before=EXPIRED)
    assert asking.empty(workspace, "an-application", expired_before=EXPIRED).job_id == first.job_id
    with pytest.raises(JobStateError, match=f"job {first.job_id} is removing what expired"):
        asking.empty(workspace, "an-application")
    whole = asking.empty(workspace, "another")
    with pytest.raises(JobStateError, match=f"job {whole.job_id} is removing all of it"):
        asking.empty(workspace, "another", expired_before=EXPIRED)
    assert len(workspace.ledger.jobs((JobState.QUEUED,))) == 2


def test_a_workflow_of_any_name_runs_once_at_a_time(workspace: Workspace) -> None:
    first = asking.run_workflow(workspace, "w" * 200)
    assert asking.run_workflow(workspace, "w" * 200).job_id == first.job_id
    assert asking.run_workflow(workspace, "w" * 199).job_id != first.job_id


def test_what_was_stored_is_indexed_however_many_jobs_wait(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[object] = []
    enqueue = workspace.ledger.enqueue

    def seen(*words: object, max_waiting: int | None = None, **named: object) -> object:
        bounds.append(max_waiting)
        return enqueue(*words, max_waiting=max_waiting, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(workspace.ledger, "enqueue", seen)
    job = asking.index_from_now(workspace, "lib")
    assert asking.index_from_now(workspace, "lib").job_id == job.job_id
    asking.undo(workspace, "an-application")
    assert bounds[0] is None
    assert bounds[1]
