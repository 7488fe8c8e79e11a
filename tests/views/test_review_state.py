"""The review without a browser: where one is among the groups, and what is said of them lands in a real ledger."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_duplicates_state import HOSTILE, findings

from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.reviewing import DuplicateActs
from deeplens_kit.schemas import DecisionKind, Verdict
from deeplens_kit.views.review_cards import list_html, pair_html
from deeplens_kit.views.state.duplicates_state import PAGE_GROUPS, Findings
from deeplens_kit.views.state.review_state import ReviewState

# Seconds for a step among ten thousand groups; a tenth of it is usual. Inclusive.
STEP_SECONDS = 0.5


class Source:
    """Findings that are given, and acts on the ledger of a workspace."""

    def __init__(self, found: Findings, workspace: Workspace) -> None:
        self.found, self.acts = found, DuplicateActs(workspace)

    def findings(self) -> Findings:
        return self.found


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "workspace") as made:
        yield made


@pytest.fixture
def state(workspace: Workspace) -> ReviewState:
    """Sixty groups of two copies each; that of the greatest number frees most, every fourth is of equal bytes."""
    return ReviewState(Source(findings(60), workspace))


def drawn(state: ReviewState) -> str:
    found = state.current()
    assert found is not None
    listed = list_html(state.lines(), state.group, first=1, groups=state.groups, page=state.page, pages=state.pages)
    return listed + pair_html(found, state.said, pending=state.pending, can_take_back=True, looking=False)


def labels(workspace: Workspace) -> list[str]:
    return workspace.ledger.labels()["verdict"].to_list()


def kinds(workspace: Workspace) -> list[str]:
    return workspace.ledger.decisions()["kind"].to_list()


def test_among_ten_thousand_groups_each_step_is_there_at_once(workspace: Workspace) -> None:
    state = ReviewState(Source(findings(10_000), workspace))
    for step in (
        lambda: state.move_group(1),
        lambda: state.move_member(1),
        lambda: state.turn_to(400),
        lambda: state.open_group("g00500"),
        lambda: state.label("same"),
        lambda: state.decide_page("keep_both"),
        state.take_back,
    ):
        started = time.process_time()
        step()
        html = drawn(state)
        assert time.process_time() - started <= STEP_SECONDS
        assert html.count('data-act="open"') == PAGE_GROUPS
    assert (state.groups, state.pages) == (10_000, 400)


def test_marked_groups_are_decided_on_together_and_taken_back_together(
    state: ReviewState, workspace: Workspace
) -> None:
    first, second = state.lines()[1].group_id, state.lines()[4].group_id
    here = state.group
    state.mark()
    assert state.group == state.lines()[1].group_id, "who marks by keyboard goes on"
    state.mark(here)
    state.mark(first)
    state.mark(second)
    state.mark("of another workspace")
    assert state.marked == {first, second}
    html = drawn(state)
    assert "2 marked groups" not in html, "the list is told what is marked"
    state.decide_marked("keep_both")
    assert (state.said, state.marked, kinds(workspace)) == (
        "2 marked groups: 6 decisions recorded.", frozenset(), ["keep_both"] * 6,
    )  # fmt: skip
    assert {line.group_id for line in state.lines() if line.decided == line.pairs} == {first, second}
    state.take_back()
    assert kinds(workspace) == []
    state.decide_marked("keep_both")
    assert kinds(workspace) == [], "nothing is marked"


def test_who_may_only_look_sees_the_evidence_and_no_button_that_says_anything(state: ReviewState) -> None:
    found = state.current()
    assert found is not None
    html = list_html(
        state.lines(), state.group, first=1, groups=60, page=1, pages=3, marked={state.group}, may_act=False
    ) + pair_html(found, "", pending=3, can_take_back=True, looking=False, may_act=False)
    assert set(re.findall('data-act="([a-z-]+)"', html)) == {"open", "page", "move", "member", "look"}
    assert "Stays" in html and 'class="evidence"' in html


def test_those_who_look_at_one_answer_share_its_order(workspace: Workspace) -> None:
    found = findings(60)
    one, other = (ReviewState(Source(found, workspace)) for _ in range(2))
    assert one._order is other._order and one._rows is other._rows
    one.tiers = ["copy"]
    assert one.groups < other.groups == 60
    assert found.order(tiers=["copy"]) is found.order((), ["copy"])


def test_one_steps_through_copies_and_groups_and_stays_at_the_ends(state: ReviewState) -> None:
    seen = []
    for _ in range(130):
        seen.append((state.group, state.member))
        state.move_member(1)
    assert len(set(seen)) == 120
    assert seen[:3] == [("g00059", 0), ("g00059", 1), ("g00058", 0)]
    assert (state.group, state.member, state.page) == ("g00000", 1, 3)
    for _ in range(130):
        state.move_member(-1)
    assert (state.group, state.member, state.page) == ("g00059", 0, 1)
    state.param.update(tiers=["bytes"])
    assert (state.groups, state.group) == (15, "g00056")
    state.param.update(tiers=["bytes"], locations=["loc-0"])
    found = state.current()
    assert found is not None
    assert found.groups == state.groups


def test_labels_are_recorded_and_taken_back_to_what_stood_before(state: ReviewState, workspace: Workspace) -> None:
    copy = state.current().entries[0].picture.title  # type: ignore[union-attr]
    state.label(Verdict.SAME)
    assert state.said == f"{copy}: labelled as the same picture."
    assert labels(workspace) == ["same"]
    assert (state.group, state.member) == ("g00059", 1)
    state.move_member(-1)
    state.label("different")
    assert labels(workspace) == ["different"]
    assert "labelled: different" not in drawn(state)
    state.take_back()
    assert labels(workspace) == ["same"]
    assert (state.group, state.member) == ("g00059", 0)
    assert "labelled: same picture" in drawn(state)
    state.take_back()
    assert labels(workspace) == []
    state.take_back()
    assert state.said == "There is nothing to take back."


def test_decisions_are_recorded_shown_and_taken_back(state: ReviewState, workspace: Workspace) -> None:
    state.decide(DecisionKind.APPROVED)
    state.move_member(-1)
    state.decide("never_propose")
    state.move_member(-1)
    # What is never proposed is said first; the approval stands too, for it is about the pair.
    assert sorted(kinds(workspace)) == ["approved", "never_propose"]
    assert "decided: never proposed" in drawn(state)
    state.take_back()
    assert kinds(workspace) == ["approved"]
    state.decide("keep_both")
    assert kinds(workspace) == ["keep_both"]
    state.take_back()
    assert kinds(workspace) == ["approved"]
    state.keep_instead()
    assert "It waits until the keep policy agrees. Why the other one stays now: it is older." in state.said
    keepers = set(workspace.ledger.decisions()["keeper_digest"])
    assert len(keepers) == 2
    state.take_back()
    state.decide_group("alternates")
    # The keeper and two copies, each beside each.
    assert kinds(workspace).count("alternates") == 3
    assert state.group == "g00058"
    state.take_back()
    state.decide_page("never_propose")
    assert kinds(workspace).count("never_propose") == 2 * PAGE_GROUPS
    assert state.pending > 0
    state.take_back()
    state.take_back()
    assert kinds(workspace) == []


def test_equal_files_need_no_label_and_what_a_page_makes_up_is_passed_over(workspace: Workspace) -> None:
    found = findings(1, digest=f"{0:032x}{0:032x}", tier="bytes")
    state = ReviewState(Source(found, workspace))
    state.open_member(0)
    for say in (lambda: state.label("same"), lambda: state.decide("approved")):
        entry = state.current()
        assert entry is not None
        assert entry.entry.is_equal
        say()
        assert "equal bytes" in state.said
    state.label("same", "ab" * 32)
    state.decide("keep_both", "../etc")
    assert labels(workspace) == kinds(workspace) == []
    state.decide("keep_both")
    assert kinds(workspace) == ["keep_both"]


def test_grouping_anew_keeps_the_place_or_the_one_beside_it(workspace: Workspace) -> None:
    source = Source(findings(60), workspace)
    state = ReviewState(source)
    state.open_group("g00030")
    source.found = findings(40)
    state.regroup()
    assert (state.group, state.groups, state.page) == ("g00030", 40, 1)
    source.found = findings(20)
    state.regroup()
    # It was the tenth, and so is this one.
    assert (state.group, state.groups, state.pending) == ("g00010", 20, 0)
    source.found = findings(0)
    state.regroup()
    assert state.current() is None
    for move in (state.move_group, state.move_member):
        move(1)
    state.label("same")
    assert labels(workspace) == []


def test_names_of_files_are_never_markup(workspace: Workspace) -> None:
    state = ReviewState(Source(findings(2, path=HOSTILE, reason=HOSTILE), workspace))
    html = drawn(state)
    state.move_member(1)
    html += drawn(state)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
