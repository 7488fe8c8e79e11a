"""The desk of labels: what is said shows at once, is written apart, and can be taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.views.desk_cards import asked_html, pairs_html
from deeplens_kit.views.state.desk_state import DeskState

PAIRS = [("a", "b"), ("c", "d"), ("e", "f")]


@dataclass
class Written:
    """A workspace that keeps what is said; no other call is made of it."""

    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    full: bool = False

    def label(self, first: str, second: str, verdict: str, note: str = "") -> tuple[str, str]:
        if self.full:
            raise SettingsError("The disk is full.")
        self.labels[first, second] = verdict
        return first, second

    def withdraw_label(self, first: str, second: str, who: str | None = None) -> pl.DataFrame:
        del self.labels[first, second]
        return pl.DataFrame()

    def next_pair_to_label(self) -> Any:
        raise SettingsError("No sample was drawn yet.")


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def desk(written: Written) -> DeskState:
    made = DeskState(written)  # type: ignore[arg-type]
    made.show(PAIRS)
    return made


def done(desk: DeskState, verdict: str) -> None:
    act = desk.say(verdict)
    assert act is not None
    desk.written(act, desk.write(act))


def test_no_pair_is_looked_at_before_one_is_chosen(desk: DeskState) -> None:
    assert desk.pair is None and desk.say("same") is None
    desk.move(1)
    assert desk.pair == PAIRS[0]
    desk.choose(("x", "y"))
    assert desk.pair == PAIRS[0]
    desk.move(9)
    assert desk.pair == PAIRS[2]


def test_saying_goes_on_to_the_next_without_a_label_and_undo_comes_back(desk: DeskState, written: Written) -> None:
    desk.choose(PAIRS[1])
    done(desk, "same")
    assert desk.pair == PAIRS[2]
    done(desk, "different")
    assert desk.pair == PAIRS[0] and written.labels == {PAIRS[1]: "same", PAIRS[2]: "different"}
    for left in ({PAIRS[1]: "same"}, {}):
        act = desk.undo()
        assert act is not None and desk.pair == act.pair
        assert desk.write(act) == ""
        assert desk.verdicts == written.labels == left
    assert desk.undo() is None and not desk.can_undo


def test_undo_of_a_changed_label_says_again_what_was_said(desk: DeskState, written: Written) -> None:
    written.labels[PAIRS[0]] = "unsure"
    desk.know(pl.DataFrame({"digest_a": ["a"], "digest_b": ["b"], "mine": ["unsure"]}))
    desk.choose(PAIRS[0])
    done(desk, "same")
    act = desk.undo()
    assert act is not None
    desk.write(act)
    assert written.labels == {PAIRS[0]: "unsure"} == desk.verdicts


def test_what_cannot_be_written_is_taken_back_and_said(desk: DeskState, written: Written) -> None:
    written.full = True
    desk.choose(PAIRS[0])
    done(desk, "same")
    assert desk.verdicts == {} and desk.failed and not desk.can_undo
    assert desk.said == "Not written: The disk is full."
    assert desk.next_of_sample() == (None, "No sample was drawn yet.")


def test_the_pair_that_is_looked_at_stays_while_it_is_there(desk: DeskState) -> None:
    desk.choose(PAIRS[1])
    desk.show([("x", "y"), PAIRS[1]])
    assert desk.pair == PAIRS[1]
    desk.show([("x", "y")])
    assert desk.pair is None
    desk.show([("x", "y")], first=True)
    assert desk.pair == ("x", "y")


def test_a_desk_that_stands_alone_cannot_label() -> None:
    desk = DeskState()
    desk.show(PAIRS, first=True)
    assert not desk.can_label and desk.say("same") is None
    html = asked_html(desk, drawn=0, left=0)
    assert html.count("disabled") == 6  # the sample, three verdicts, undo, the pair before
    assert 'aria-keyshortcuts="s"' in html


def test_of_a_pair_of_the_sample_nothing_is_told_that_would_sway(desk: DeskState) -> None:
    desk.choose(PAIRS[0])
    desk.turn_to("sample")
    # Until the next one is there no key says anything.
    assert desk.pair is None and desk.say("different") is None
    desk.show([("a", "b")], first=True)
    done(desk, "unsure")
    assert desk.pair is None and desk.verdicts == {("a", "b"): "unsure"}
    assert desk.undo() is not None and desk.pair == ("a", "b")
    assert pairs_html(pl.DataFrame({"accepted": [True]}), desk, str) == ""
    html = asked_html(desk, drawn=4, left=3)
    assert "From the sample (3 left)" in html and "likelihood is not told" in html
