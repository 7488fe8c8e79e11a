"""Jobs by command: what is dead is tried again, and one that cannot be keeps no other back."""

from __future__ import annotations

from pathlib import Path

from cli_process import Deeplens

from deeplens_kit.ledger import JobState, Resource
from deeplens_kit.pipeline import Workspace


def test_all_that_are_dead_are_tried_again_but_for_those_that_would_do_the_same(
    deeplens: Deeplens, tmp_path: Path
) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        for key in ("same", "same", "other"):
            workspace.ledger.enqueue("index", {}, key=key, max_attempts=1)
            job = workspace.ledger.claim_job("eve@elsewhere pid 7", [Resource.CPU], 60)
            assert job is not None
            assert workspace.ledger.fail_job(job, "it is away", again_in_seconds=0.0).state is JobState.DEAD
    again = deeplens("--workspace", tmp_path / "w", "jobs", "retry", "--dead", "--json")
    assert (again.code, again.json["summary"]) == (0, {"queued": 2, "left": 1})
