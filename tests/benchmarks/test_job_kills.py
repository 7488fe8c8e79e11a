"""The benchmark that kills at jobs: one job of each kind, each struck, and what is held against what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.job_kills import measure
from benchmarks.job_truth import once_told, told_in_order
from benchmarks.job_wishes import KINDS, Library, Scan
from deeplens_kit.service.jobs import Worker, submit
from tests.examples import IN_FULL

pytestmark = pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")


def test_jobs_survive_what_is_killed(tmp_path: Path) -> None:
    report = measure(len(KINDS), tmp_path)
    assert report.figures["passed"], report.figures
    assert report.figures["kills"] >= len(KINDS) // 2


def test_what_is_lost_or_done_twice_is_seen(tmp_path: Path) -> None:
    with Library.made(tmp_path, 1) as library:
        wish = Scan(library, 0)
        job = submit(library.workspace, "index", {"locations": ["pictures"]})
        Worker(library.workspace, poll_seconds=0.05).run(until_idle=True)
        done = library.workspace.ledger.job(job.job_id)
        assert wish.problems(done) == []
        assert told_in_order(library.workspace) == []
        assert [problem.kind for problem in once_told(library.workspace, done, ["a/1.jpg"], "indexed")] == ["lost"]
        assert wish.others("") == [job.job_id]
        (tmp_path / "pictures" / "run0" / "3.jpg").write_bytes(library.picture(9, 9))
        (tmp_path / "pictures" / "one more.jpg").write_bytes(library.picture(9, 8))
        assert {problem.kind for problem in wish.problems(done)} == {"lost", "doubled"}
