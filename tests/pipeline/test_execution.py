"""The flow of threads: everything is read once, worked on once and yielded once, whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.pipeline.execution import ByteBudget, Flow, run_flow


def _flow(readers: int = 2, workers: int = 2, batch_size: int = 3, budget: int = 1000) -> Flow[int, int, str]:
    def read(task: int) -> tuple[Sequence[str], int | None]:
        return ([f"failed {task}"], None) if task % 5 == 0 else ([f"read {task}"], task)

    def work(contents: Sequence[int]) -> Sequence[str]:
        assert len(contents) <= batch_size
        return [f"done {content}" for content in contents]

    return Flow(read, lambda task: task, work, readers, workers, batch_size, budget)


def _expected(tasks: range) -> list[str]:
    failed = [f"failed {task}" for task in tasks if task % 5 == 0]
    return sorted(failed + [f"{what} {task}" for task in tasks if task % 5 for what in ("read", "done")])


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 60),
    readers=st.integers(1, 4),
    workers=st.integers(1, 4),
    batch_size=st.integers(1, 9),
    budget=st.integers(1, 200),
)
def test_every_task_is_read_worked_on_and_yielded_once(
    count: int, readers: int, workers: int, batch_size: int, budget: int
) -> None:
    flow = _flow(readers, workers, batch_size, budget)
    assert sorted(run_flow(flow, range(count), threading.Event())) == _expected(range(count))


def test_stop_begins_nothing_more_but_finishes_what_was_read() -> None:
    stop = threading.Event()
    seen = []
    for result in run_flow(_flow(), range(1, 10_000), stop):
        seen.append(result)
        stop.set()
    read = {text.split()[1] for text in seen if text.startswith("read")}
    done = {text.split()[1] for text in seen if text.startswith("done")}
    assert read == done
    assert 0 < len(read) < 5_000


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 4, 500])
@pytest.mark.parametrize("where", ["read", "work"])
def test_an_exception_in_a_thread_is_raised_and_leaves_no_thread(where: str, count: int, workers: int) -> None:
    def fail(_: object) -> tuple[Sequence[str], int | None]:
        raise RuntimeError("broken")

    good = _flow()
    flow = Flow(
        fail if where == "read" else good.read,
        good.size_of,
        fail if where == "work" else good.work,  # type: ignore[arg-type]
        workers,
        workers,
        3,
        1000,
    )
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        list(run_flow(flow, range(1, count + 1), threading.Event()))
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_the_last_batch_is_not_lost(workers: int) -> None:
    def work(contents: Sequence[int]) -> Sequence[str]:
        if 9 in contents:
            raise RuntimeError("broken at the end")
        return [f"done {content}" for content in contents]

    for _ in range(50):
        flow = Flow(lambda task: ((), task), lambda _: 1, work, 1, workers, 1, 1000)
        with pytest.raises(RuntimeError, match="at the end"):
            list(run_flow(flow, range(10), threading.Event()))


def test_closing_early_leaves_no_thread() -> None:
    before = threading.active_count()
    results = run_flow(_flow(budget=5), range(1, 10_000), threading.Event())
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_budget_holds_the_limit_and_lets_one_giant_pass_alone() -> None:
    budget, lock = ByteBudget(100), threading.Lock()
    held, most = 0, 0

    def use(size: int) -> None:
        nonlocal held, most
        assert budget.acquire(size, lambda: False)
        with lock:
            held += size
            most = max(most, held)
        with lock:
            held -= size
        budget.release(size)

    threads = [threading.Thread(target=use, args=(size,)) for size in [40, 40, 40, 60, 30] * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 100
    assert budget.acquire(500, lambda: False)
    assert not budget.acquire(1, lambda: True)
