"""The stream of jobs: what a reader is told, and what one that comes back misses (nothing)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import ImageStage, JobProgress, JobState, Resource
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs import StreamItem, events, submit

ME = "eve@elsewhere pid 7 (other/1 2)"


async def _until(stream: AsyncIterator[StreamItem], event: str) -> list[StreamItem]:
    seen = []
    async for item in stream:
        seen.append(item)
        if item.event == event:
            break
    return seen


def test_a_reader_of_one_job_is_told_all_of_it_and_when_it_ends(workspace: Workspace) -> None:
    ledger = workspace.ledger
    other, job_id = submit(workspace, "index", {}).job_id, submit(workspace, "index", {}, priority=1).job_id
    job = ledger.claim_job(ME, [Resource.CPU], 60)
    assert job is not None

    async def read() -> list[StreamItem]:
        stream = events(workspace, None, job_id[:10], poll_seconds=0.01)
        seen = await _until(stream, "progress")
        ledger.beat_job(job, JobProgress(5, 2), stages=[ImageStage("a/1.jpg", "indexed")])
        seen += await _until(stream, "progress")
        ledger.finish_job(job, {})
        return seen + await _until(stream, "end")

    seen = asyncio.run(read())
    stages = [item.data["stage"] for item in seen if item.event == "stage"]
    assert stages == ["job.queued", "job.running", "indexed", "job.done"]
    progress = [item.data["progress"]["processed"] for item in seen if item.event == "progress"]
    assert progress == [0, 2, 2]
    assert seen[-1].data["state"] == "done"
    assert other not in {item.data["job_id"] for item in seen}
    # Who comes back with the last number that it has gets the rest.
    last = [item.sequence for item in seen if item.event == "stage"][1]
    again = asyncio.run(_until(events(workspace, last, job_id), "end"))
    assert [item.data["stage"] for item in again if item.event == "stage"] == ["indexed", "job.done"]


def test_a_reader_of_all_hears_what_comes_from_now_on_and_that_it_missed_something(workspace: Workspace) -> None:
    ledger = workspace.ledger
    submit(workspace, "index", {})
    first, last = ledger.job_event_bounds()

    async def read() -> list[StreamItem]:
        stream = events(workspace, poll_seconds=0.01)
        waiting = asyncio.ensure_future(_until(stream, "stage"))
        await asyncio.to_thread(ledger.tell_stages, [])
        while not waiting.done():
            # Until the reader stands where it begins, what is told is before it.
            await asyncio.to_thread(ledger.tell_stages, [ImageStage("a/2.jpg", "gone")])
            await asyncio.sleep(0)
        return waiting.result()

    (told,) = asyncio.run(read())
    assert (told.data["image_id"], told.data["stage"]) == ("a/2.jpg", "gone")
    assert told.sequence is not None
    assert told.sequence > last >= first
    with ledger._writing() as (session, now):
        from deeplens_kit.ledger import job_events

        job_events.prune(session, -1, now)
    ledger.tell_stages([ImageStage("a/3.jpg", "gone")])
    missed, then = asyncio.run(_until(events(workspace, 1), "stage"))
    assert (missed.event, missed.data["last"]) == ("forgotten", then.sequence)
    with pytest.raises(UnknownNameError):
        asyncio.run(_until(events(workspace, None, "ffff"), "end"))
    assert ledger.job_counts()[JobState.QUEUED] == 1
