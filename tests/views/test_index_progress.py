"""Progress is told in the same words everywhere, and a notebook's widgets show it as it goes."""

from __future__ import annotations

import signal

import pytest

from deeplens_kit.errors import Interrupted
from deeplens_kit.pipeline import ProgressSnapshot
from deeplens_kit.pipeline.stopping import stop_on_signals
from deeplens_kit.views.index_progress import PlainProgress, figures, progress_listener, title
from deeplens_kit.views.notebook_progress import NotebookProgress


def snapshot(stage: str, done: int, total: int | None, failures: int = 0) -> ProgressSnapshot:
    return ProgressSnapshot("a<b>\n", stage, done, total, 0, 10.0, None, failures)


def test_the_words() -> None:
    assert title(snapshot("index", 1, 2)) == "a<b>\\n: reading"
    assert title(ProgressSnapshot("", "map", 1, 2, 0, 0.0, None, 0)) == "laying out the map"
    assert figures(snapshot("index", 250, 1000, 1)) == "250 of 1,000, 10/s, 1 failure"
    assert figures(snapshot("scan", 7, None)) == "7, 10/s"


def test_outside_notebooks_and_terminals_lines_are_printed_unless_it_is_to_be_quiet() -> None:
    with progress_listener() as listener:
        assert isinstance(listener, PlainProgress)
    with progress_listener(quiet=True) as listener:
        assert listener is None


def test_a_bar_for_each_stage_that_ends_as_it_went() -> None:
    with NotebookProgress() as shown:
        shown.update(snapshot("scan", 7, None))
        shown.update(snapshot("index", 1, 4, 1))
        (_, listing, _), (name, reading, words) = (row.children for row in shown.box.children[:2])
        assert (listing.value, listing.max, listing.bar_style) == (1, 1, "success")
        assert name.value == "a<b>\\n: reading"
        assert (reading.value, reading.max, reading.bar_style) == (1, 4, "")
        assert words.value == "1 of 4, 10/s, 1 failure"
        shown.update(snapshot("index", 4, 4, 1))
        assert reading.bar_style == "warning"
        shown.update(snapshot("match", 0, 0))
    assert len(shown.box.children) == 4
    assert shown.box.children[-1].value == "Done."


@pytest.mark.parametrize(
    ("error", "said"),
    [(Interrupted("stopped"), "Run the cell again to go on."), (RuntimeError("broken"), "Ended early; see below.")],
)
def test_an_end_before_the_end_is_said(error: Exception, said: str) -> None:
    shown = NotebookProgress()
    with pytest.raises(type(error)), shown:
        shown.update(snapshot("index", 1, 4))
        raise error
    assert said in shown.box.children[-1].value


def test_every_signal_after_the_first_raises_where_the_process_is_not_to_be_left() -> None:
    said: list[int] = []
    with stop_on_signals((signal.SIGINT,), said.append) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert said == [1, 2, 2]
