"""Thresholds, rules and decisions in turn on the sample library: groups change as the ground truth says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sample_workspace import Place, SampleWorkspace, sample_workspace

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import DEFAULT_POLICY, STRICT, KeepPolicy, Rule, Thresholds
from deeplens_kit.pipeline import (
    ThresholdLab,
    Workspace,
    add_location,
    chosen_rule,
    decide,
    diff_rules,
    explain,
    import_decisions,
    index,
    list_decisions,
    list_groups,
    list_rules,
    match,
    retire_rule,
    rule_named,
    save_rule,
    use_rule,
    withdraw_decisions,
)
from deeplens_kit.pipeline.deciding import EXPORTED
from deeplens_kit.pipeline.duplicate_facts import DuplicateFrames
from deeplens_kit.pipeline.search_library import held_state
from deeplens_kit.reporting import report_savings
from deeplens_kit.reporting.explanation_summary import ExplanationSummary
from deeplens_kit.storage import decode_path

TIGHTEST = Thresholds(likelihood_min=1, page_likelihood_min=1, other_shots_pdq_max=0).rule()
MASTER = "share:photos/portraits/astronaut.png"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    return sample_workspace(tmp_path_factory)


@pytest.fixture
def workspace(sample: SampleWorkspace) -> Iterator[Workspace]:
    with Workspace.open(sample.workspace) as opened:
        yield opened
        # The next test finds what this one found.
        opened.ledger.withdraw_decisions(opened.ledger.decisions()["decision_id"])


def proposed(workspace: Workspace, rule: Rule | None = STRICT, policy: KeepPolicy | None = None) -> set[Place]:
    going = list_groups(workspace, rule=rule, policy=policy).groups.filter(~pl.col("is_keeper"))
    return {(location, decode_path(path)) for location, path in going.select("location", "path").iter_rows()}


def group_of(workspace: Workspace, place: Place) -> pl.DataFrame:
    groups = list_groups(workspace).groups
    (group_id,) = groups.filter(location=place[0], path=place[1], is_keeper=False)["group_id"]
    return groups.filter(group_id=group_id)


def test_thresholds_and_decisions_in_turn_change_the_groups_as_the_truth_says(
    sample: SampleWorkspace, workspace: Workspace
) -> None:
    truth = sample.truth
    copies = {place for place, row in truth.items() if row["expected"] == "copy"}
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    (small,) = sample.places(source_id="astronaut", family="resize")
    (rocket,) = sample.places(source_id="rocket", family="reencode")
    # 1. By thresholds alone.
    strict, tight = proposed(workspace), proposed(workspace, TIGHTEST)
    assert {jpeg, small, rocket} <= strict <= copies and tight < strict
    # 2. Both of a pair stay, whichever is named first and whatever the bounds.
    decide(workspace, "keep_both", ":".join(jpeg), MASTER, why="printed from it")
    assert proposed(workspace) == strict - {jpeg} and proposed(workspace, TIGHTEST) == tight - {jpeg}
    # 3. A picture is never proposed.
    decide(workspace, "never_propose", ":".join(rocket))
    assert proposed(workspace) == strict - {jpeg, rocket}
    # 4. What the tightest bounds doubt goes once a person approved it, and so does what is withheld.
    assert small not in tight
    decide(workspace, "approved", MASTER, ":".join(small))
    assert proposed(workspace, TIGHTEST) == (tight | {small}) - {jpeg, rocket}
    doubted = list_groups(workspace).withheld.filter((pl.col("tier") == "copy") & pl.col("companion").is_null())
    names = dict(workspace.location_names().select("location_id", "location").iter_rows())
    for row in doubted.iter_rows(named=True):
        location, path = row["object_id"].split("/", 1)
        approved = (names[location], decode_path(path))
        if approved in copies and not row["reason"].startswith("a person"):
            break
    assert approved in copies - strict
    decide(workspace, "approved", row["keeper_digest"], row["digest"])
    assert proposed(workspace) == (strict | {approved}) - {jpeg, rocket}
    # 5. Everything is matched anew: what people decided stands.
    stood = list_decisions(workspace)
    workspace.catalog.replace_pairs(workspace.catalog.pairs().clear(), "none")
    assert match(workspace) is not None
    assert list_decisions(workspace).equals(stood) and stood.height == 4
    assert proposed(workspace) == (strict | {approved}) - {jpeg, rocket}
    lab = ThresholdLab(workspace)
    for rule in (STRICT, TIGHTEST):
        outcome, view = lab.outcome(rule), list_groups(workspace, rule=rule)
        assert outcome.objects == view.groups.filter(~pl.col("is_keeper")).height
        assert outcome.withheld == view.withheld.height
    # 6. Taken back one by one.
    assert "printed from it" in stood["why"] and stood["member"].null_count() == 0
    for number, act in stood.select("decision_id", "act_id").iter_rows():
        assert len(withdraw_decisions(workspace, [act if number % 2 else str(number)])) == 1
    assert proposed(workspace) == strict and list_decisions(workspace).height == 0


def test_what_was_decided_holds_where_files_moved_and_everything_is_indexed_anew(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    sample = sample_workspace(tmp_path_factory)
    copies = {place for place, row in sample.truth.items() if row["expected"] == "copy"}
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    with Workspace.open(sample.workspace) as workspace:
        strict = proposed(workspace)
        decide(workspace, "keep_both", MASTER, ":".join(jpeg))
        # By another policy others stay; the decision holds under it too, and what it protects is not proposed.
        guarded = replace(DEFAULT_POLICY, name="guarded", protected_locations=(jpeg[0],))
        going = proposed(workspace, policy=guarded)
        assert going and {place[0] for place in going} == {place[0] for place in strict} - {jpeg[0]}
        assert proposed(workspace, policy=DEFAULT_POLICY) == strict - {jpeg}
        # Of its location a copy at another place, with the file under another name.
        moved = f"{jpeg[0]}2"
        shutil.copytree(sample.library / jpeg[0], tmp_path / moved, symlinks=True)
        (tmp_path / moved / jpeg[1]).rename(tmp_path / moved / "renamed.jpg")
        add_location(workspace, moved, str(tmp_path / moved))
        workspace.ledger.set_location_active(jpeg[0], active=False)
        index(workspace)
        expected = {(moved if place[0] == jpeg[0] else place[0], place[1]) for place in strict - {jpeg}}
        assert proposed(workspace) == expected and strict <= copies
        withdraw_decisions(workspace, ["1"])
        assert proposed(workspace) == expected | {(moved, "renamed.jpg")}


def test_a_decision_on_a_group_is_on_each_of_its_pairs(sample: SampleWorkspace, workspace: Workspace) -> None:
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    before, group = proposed(workspace), group_of(workspace, jpeg)
    group_id, pictures = group["group_id"][0], group["digest"].n_unique()
    its = {(row["location"], decode_path(row["path"])) for row in group.filter(~pl.col("is_keeper")).to_dicts()}
    made = decide(workspace, "alternates", group_id[:6])
    assert (made.group_id, made.act.added) == (group_id, pictures * (pictures - 1) // 2)
    assert proposed(workspace) == before - its
    (act,) = set(list_decisions(workspace)["act_id"])
    assert len(withdraw_decisions(workspace, [act])) == made.act.added
    assert decide(workspace, "approved", group_id).act.added == pictures - 1
    assert proposed(workspace) == before
    assert decide(workspace, "never_propose", group_id).act.added == pictures - 1
    assert proposed(workspace) == before - its
    # Files of equal bytes are one picture: they stay beside each other.
    (renamed,) = sample.places(source_id="astronaut", family="renamed")
    equal = group_of(workspace, renamed)["group_id"][0]
    made = decide(workspace, "keep_both", equal)
    assert made.act.added == 1 and proposed(workspace) == before - its - {renamed}
    assert decide(workspace, "keep_both", MASTER, ":".join(renamed)).act.standing == 1


def test_a_crowd_is_approved_as_a_whole(sample: SampleWorkspace, workspace: Workspace) -> None:
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    before, group = proposed(workspace), group_of(workspace, jpeg)
    file = sample.workspace / "workspace.toml"
    usual = file.read_text(encoding="utf-8")
    file.write_text(usual + "\n[group]\ncrowd_pictures = 3\n", encoding="utf-8")
    try:
        with Workspace.open(sample.workspace) as careful:
            waiting = list_groups(careful).withheld.filter(pl.col("reason").str.contains("placeholder"))
            assert group.filter(~pl.col("is_keeper"))["object_id"].is_in(waiting["object_id"].implode()).all()
            made = decide(careful, "approved", MASTER, crowd=True)
            assert made.act.added == group["digest"].n_unique() - 1 > 3
            assert jpeg in proposed(careful)
            with pytest.raises(SettingsError, match="set aside as a crowd"):
                decide(careful, "approved", MASTER, crowd=True)
    finally:
        file.write_text(usual, encoding="utf-8")
    assert proposed(workspace) == before


def test_a_rule_in_use_is_what_everything_goes_by(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = sample_workspace(tmp_path_factory)
    with Workspace.open(own.workspace) as workspace:
        before, strict = held_state(workspace), proposed(workspace)
        frame = DuplicateFrames(workspace).frame()
        save_rule(workspace, "tight", TIGHTEST)
        assert use_rule(workspace, "tight").name == "tight"
        tight = proposed(workspace, TIGHTEST)
        assert tight < strict and proposed(workspace, None) == tight
        assert held_state(workspace) != before and not DuplicateFrames(workspace).frame().equals(frame)
        assert explain(workspace, MASTER).rule.name == chosen_rule(workspace).name == "tight"
        assert report_savings(workspace, rule="").rule == "tight (version 1)"
        assert list_rules(workspace).select("rule", "in_use").rows() == [("tight", True)]
    with Workspace.open(own.workspace) as workspace:
        assert proposed(workspace, None) == tight
        assert chosen_rule(workspace, STRICT) is chosen_rule(workspace, "strict") is STRICT
        with pytest.raises(SettingsError, match="is in use"):
            retire_rule(workspace, "tight")
        workspace.ledger.retire_rule("tight")
        with pytest.raises(SettingsError, match="rules use --default"):
            proposed(workspace, None)
        use_rule(workspace)
        assert proposed(workspace, None) == strict


def test_what_is_searched_sees_a_decision_at_once(workspace: Workspace) -> None:
    before, frame = held_state(workspace), DuplicateFrames(workspace).frame()
    made = decide(workspace, "never_propose", MASTER)
    assert held_state(workspace) != before and made.act.added == 1
    (digest,) = made.pairs["member_digest"]
    changed = DuplicateFrames(workspace).frame()
    assert not changed.equals(frame)
    assert "bytes" not in changed.filter(digest=digest)["tiers"][0]


def test_decisions_come_into_another_workspace_as_they_were(
    sample: SampleWorkspace, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    decide(workspace, "keep_both", MASTER, ":".join(jpeg))
    decide(workspace, "never_propose", MASTER)
    exported = list_decisions(workspace)
    with Workspace.create(tmp_path_factory.mktemp("other") / "w") as other:
        assert import_decisions(other, exported).added == 2
        found = list_decisions(other)
        assert found.select(EXPORTED).sort("kind").equals(exported.select(EXPORTED).sort("kind"))
        assert found["member"].null_count() == found["keeper"].null_count() == 2, "no file of them is there"
        with pytest.raises(SettingsError, match="lack the column 'kind'"):
            import_decisions(other, exported.drop("kind"))


def test_what_cannot_be_decided_says_what_to_give(workspace: Workspace) -> None:
    for args, message in (
        (("keep_all", MASTER), "did you mean 'keep_both'"),
        (("keep_both", MASTER), "name the other one"),
        (("never_propose", MASTER, MASTER), "by itself"),
        (("keep_both", MASTER, "f" * 64), "no picture named"),
        (("keep_both", MASTER, "share:photos/portraits/astronut.png"), "did you mean"),
    ):
        with pytest.raises(SettingsError, match=message):
            decide(workspace, *args)
    with pytest.raises(SettingsError, match="as a whole"):
        decide(workspace, "keep_both", MASTER, crowd=True)
    with pytest.raises(UnknownNameError, match="decide list"):
        withdraw_decisions(workspace, ["first"])
    with pytest.raises(UnknownNameError, match="kind of decision"):
        list_decisions(workspace, kind="x")
    assert list_decisions(workspace).height == 0


def test_rules_are_saved_chosen_and_compared(workspace: Workspace) -> None:
    careful = Thresholds(likelihood_min=0.99).rule()
    saved = save_rule(workspace, "careful", careful, "as agreed in May")
    save_rule(workspace, "careful", TIGHTEST)
    first, latest = rule_named(workspace, "careful@1"), rule_named(workspace, "careful")
    assert (saved.version, first.verified, latest.verified) == (1, careful.verified, TIGHTEST.verified)
    assert (latest.name, latest.version, rule_named(workspace, "strict")) == ("careful", 2, STRICT)
    assert proposed(workspace, latest) == proposed(workspace, TIGHTEST)
    found = diff_rules(workspace, STRICT, first)
    assert found.bounds.rows() == [("verified[0].likelihood_min", "0.9", "0.99")]
    files = dict(found.outcomes.select("what", "more").iter_rows())
    assert files["objects"] == len(proposed(workspace, first)) - len(proposed(workspace)) < 0
    assert list_rules(workspace, versions=True).select("rule", "version").rows() == [("careful", 1), ("careful", 2)]
    workspace.ledger.retire_rule("careful")
    assert list_rules(workspace).height == 0
    with pytest.raises(SettingsError, match="'careful@2'"):
        rule_named(workspace, "careful")
    assert rule_named(workspace, "careful@2") == latest
    with pytest.raises(UnknownNameError, match="did you mean 'strict'"):
        rule_named(workspace, "strickt")
    with pytest.raises(SettingsError, match="comes with DeepLens"):
        save_rule(workspace, "strict", careful)


def test_an_approval_without_effect_waits_and_says_for_what(sample: SampleWorkspace, workspace: Workspace) -> None:
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    (rocket,) = sample.places(source_id="rocket", family="reencode")
    # 1. As the policy has it, and so in effect; and of what nothing but the approval speaks for.
    (made,) = decide(workspace, "approved", MASTER, ":".join(jpeg)).pairs.rows(named=True)
    assert (made["stored"], made["waits"], made["member"]) == (True, None, ":".join(jpeg))
    (made,) = decide(workspace, "approved", MASTER, ":".join(rocket)).pairs.rows(named=True)
    assert not made["stored"] and made["waits"].endswith("is the better keeper of the two")
    # 2. The other way round: recorded, and without effect until the policy says otherwise.
    backwards = decide(workspace, "approved", ":".join(jpeg), MASTER)
    (made,) = backwards.pairs.rows(named=True)
    assert backwards.act.added == 1 and made["stored"]
    why = "by the keep policy 'default' the one that may go is the better keeper of the two"
    assert made["waits"] == f"{why}, and the other one goes for it"
    # 3. What is withheld for another reason than doubt.
    decide(workspace, "never_propose", ":".join(jpeg))
    (made,) = decide(workspace, "approved", MASTER, ":".join(jpeg)).pairs.rows(named=True)
    assert made["waits"].startswith("a person decided on ") and made["waits"].endswith("that it is never proposed")
    # 4. Listed and explained so.
    listed = list_decisions(workspace)
    assert listed["waits"].null_count() == 1 and made["waits"] in listed["waits"].to_list()
    told = explain(workspace, ":".join(jpeg)).waiting
    assert told.filter(member=":".join(jpeg))["waits"].to_list() == [made["waits"]]
    assert f"it waits: {made['waits']}." in str(ExplanationSummary(explain(workspace, ":".join(jpeg))))


def test_a_decision_on_equal_files_names_two_of_them(sample: SampleWorkspace, workspace: Workspace) -> None:
    (renamed,) = sample.places(source_id="astronaut", family="renamed")
    decide(workspace, "keep_both", MASTER, ":".join(renamed))
    (row,) = list_decisions(workspace).rows(named=True)
    assert row["keeper_digest"] == row["member_digest"] and row["keeper"] != row["member"]
    assert {row["keeper"], row["member"]} == {MASTER, ":".join(renamed)}
    with pytest.raises(SettingsError, match="No group or file is named"):
        decide(workspace, "keep_both", " ")
