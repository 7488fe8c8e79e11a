"""What is done with a selection: pairs are asked one by one, decisions can be taken back, errors are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import PlanError, SettingsError
from deeplens_kit.ledger import DecisionAct
from deeplens_kit.views.state.selection import SelectionState
from deeplens_kit.views.state.selection_desk import SelectionDesk

A, B, C = "a" * 64, "b" * 64, "c" * 64


class Recorder:
    """Does what a workbench does, in memory."""

    def __init__(self, pairs: Sequence[tuple[str, str, str | None]] = ()) -> None:
        self.pairs, self.said = list(pairs), []  # type: ignore[var-annotated]
        self.refuses = False

    def pairs_among(self, digests: Iterable[str]) -> pl.DataFrame:
        rows = [(a, b, 0.9, "copy", "whole", verdict) for a, b, verdict in self.pairs if {a, b} <= set(digests)]
        columns = ["digest_a", "digest_b", "score", "tier", "relation", "verdict"]
        return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String) | {"score": pl.Float64}, orient="row")

    def label(self, first: str, second: str, verdict: str, note: str = "") -> Any:
        self.said.append((first, second, verdict))

    def keep_pictures(self, digests: Iterable[str], why: str = "") -> DecisionAct:
        self.said.append(("keep", *digests))
        return DecisionAct("0123456789abcdef", len(list(digests)), 1, 0, 0)

    def withdraw_decisions(self, *which: str | int) -> list[int]:
        self.said.append(("withdraw", *which))
        return [1, 2]

    def plan_of(self, digests: Iterable[str], *, tiers: Sequence[str] | None = None) -> Any:
        if self.refuses:
            raise PlanError("There is nothing to plan.")
        self.said.append(("plan", *digests, *(tiers or ())))
        return SimpleNamespace(plan_id="p1", steps=3, document={"totals": {"frees_bytes": 2_500}})


@pytest.fixture
def selection() -> SelectionState:
    selection = SelectionState()
    selection.select([A, B, C], "map")
    return selection


def test_pairs_without_a_label_are_asked_one_after_the_other(selection: SelectionState) -> None:
    acts = Recorder([(A, B, None), (A, C, "same"), (B, C, None)])
    desk = SelectionDesk(selection, acts)
    desk.start_labelling()
    assert ((desk.pair["digest_a"], desk.pair["digest_b"]), desk.left) == ((A, B), 1)
    desk.answer("same")
    assert (desk.pair["digest_b"], desk.left) == (C, 0)
    desk.answer("")
    assert (desk.pair, acts.said) == ({}, [(A, B, "same")])
    assert desk.outcome.heading == "1 pair labelled"
    desk.answer("same")
    assert len(acts.said) == 1, "nothing is asked any more"


def test_another_selection_ends_what_was_under_way(selection: SelectionState) -> None:
    desk = SelectionDesk(selection, Recorder([(A, B, None)]))
    desk.start_labelling()
    selection.select([C], "map")
    assert (desk.pair, desk.outcome.heading) == ({}, "")
    desk.start_labelling()
    assert desk.outcome.heading == "No pair to label"


def test_pictures_are_kept_and_let_go_again(selection: SelectionState) -> None:
    acts = Recorder()
    desk = SelectionDesk(selection, acts)
    desk.keep()
    assert desk.outcome.heading == "3 pictures will never be proposed for removal"
    assert "1 picture had the decision already" in desk.outcome.text
    desk.undo()
    assert acts.said[-1] == ("withdraw", "0123456789abcdef")
    assert (desk.outcome.heading, desk.outcome.undo) == ("2 decisions taken back", "")


def test_what_cannot_be_taken_back_says_why(selection: SelectionState) -> None:
    class Away(Recorder):
        def withdraw_decisions(self, *which: str | int) -> list[int]:
            raise SettingsError("The ledger is away.")

    desk = SelectionDesk(selection, Away())
    desk.keep()
    desk.undo()
    assert (desk.outcome.failed, desk.outcome.text) == (True, "The ledger is away.")


def test_a_plan_says_what_it_comes_to_and_why_there_is_none(selection: SelectionState) -> None:
    acts = Recorder()
    desk = SelectionDesk(selection, acts)
    assert desk.plan().heading == "Plan p1: 3 steps, 2.50 kB"
    assert acts.said == [("plan", A, B, C, "bytes", "pixels")]
    acts.refuses = True
    refused = desk.plan()
    assert (refused.failed, refused.text) == (True, "There is nothing to plan.")
