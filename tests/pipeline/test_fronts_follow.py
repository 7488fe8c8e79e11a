"""Every front says what `duplicates` says: the keep policy in use and what people decided hold in all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import DEFAULT_POLICY, STRICT, KeepCriterion, KeepPolicy, Thresholds
from deeplens_kit.pipeline import (
    Workspace,
    add_location,
    chosen_policy,
    chosen_rule,
    compare_files,
    decide,
    index,
    is_current,
    list_groups,
    list_rules,
    match,
    retire_rule,
    save_rule,
    use_policy,
    use_rule,
)
from deeplens_kit.pipeline.new_duplicates import Arrivals, NewDuplicate
from deeplens_kit.pipeline.pair_proposal import proposal_for_two
from deeplens_kit.pipeline.search_library import held_state
from deeplens_kit.reporting.savings_frames import report_savings
from deeplens_kit.schemas import PAIRS
from deeplens_kit.settings import FeatureSettings, IndexSettings, PolicySettings

COPIES_FIRST = KeepPolicy("copies first", (KeepCriterion.PATH,), preferred_paths=("copies/",))
PROTECTING = KeepPolicy("protecting", (KeepCriterion.AGE,), protected_locations=("pics",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Path]]:
    """Two pictures that a watch knows, and equal copies of both that have been indexed since."""
    folder = tmp_path_factory.mktemp("fronts") / "files"
    draw = np.random.default_rng(5)
    (folder / "copies").mkdir(parents=True)
    names = ("a.png", "b.png")
    for name in names:
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / name)
    with Workspace.create(folder.parent / "workspace") as workspace:
        features = FeatureSettings(enabled=("phash", "pdq"))
        workspace.settings = replace(workspace.settings, features=features, index=IndexSettings(workers=1))
        add_location(workspace, "pics", str(folder))
        index(workspace)
        Arrivals(workspace)
        for name in names:
            shutil.copy(folder / name, folder / "copies" / name)
        index(workspace)
        (workspace.directory / "policies").mkdir()
        yield workspace, folder


@pytest.fixture
def files(made: tuple[Workspace, Path]) -> Iterator[tuple[Workspace, Path]]:
    """The same for each test: no decision holds, and the default policy is in use."""
    workspace, folder = made
    before = workspace.settings
    yield workspace, folder
    workspace.settings = before
    workspace.ledger.withdraw_decisions(workspace.ledger.decisions()["decision_id"])


def use(workspace: Workspace, policy: KeepPolicy) -> None:
    (workspace.directory / "policies" / f"{policy.name}.json").write_text(json.dumps(policy.to_json()))
    workspace.settings = replace(workspace.settings, policy=PolicySettings(keep=policy.name))


def arrived(workspace: Workspace) -> dict[str, NewDuplicate]:
    return {item.path: item for item in Arrivals(workspace).since_last().listed}


def proposed(workspace: Workspace) -> set[str]:
    return set(list_groups(workspace).groups.filter(is_keeper=False)["path"])


def test_what_a_watch_tells_is_what_duplicates_proposes(files: tuple[Workspace, Path]) -> None:
    workspace, folder = files
    told = arrived(workspace)
    assert {path: (item.known_path, item.stays) for path, item in told.items()} == {
        "copies/a.png": ("a.png", "known"), "copies/b.png": ("b.png", "known"),
    }  # fmt: skip
    assert proposed(workspace) == set(told)
    use(workspace, COPIES_FIRST)
    assert {item.stays for item in arrived(workspace).values()} == {"new"}
    assert proposed(workspace) == {"a.png", "b.png"}
    use(workspace, PROTECTING)
    kept = arrived(workspace)
    assert {(item.stays, item.saved_bytes) for item in kept.values()} == {("both", 0)}
    decide(workspace, "never_propose", "pics:a.png", None)
    assert set(arrived(workspace)) == {"copies/b.png"}, "what a person keeps is no news"
    assert told["copies/a.png"].saved_bytes == (folder / "a.png").stat().st_size


def test_the_savings_report_names_the_keepers_of_the_policy_and_heeds_decisions(files: tuple[Workspace, Path]) -> None:
    workspace, folder = files
    use(workspace, COPIES_FIRST)
    decide(workspace, "never_propose", "pics:b.png", None)
    report = report_savings(workspace)
    assert report.totals.objects == 1
    assert report.totals.realisable_bytes == (folder / "a.png").stat().st_size
    assert any("copies first" in note for note in report.notes)


def test_two_files_are_held_against_each_other_by_policy_and_decisions(files: tuple[Workspace, Path]) -> None:
    workspace, folder = files
    a, copy = folder / "a.png", folder / "copies" / "a.png"
    assert compare_files(workspace, copy, a).proposal.startswith("Proposed: A could go, B stays")
    use(workspace, COPIES_FIRST)
    said = compare_files(workspace, copy, a).proposal
    assert said.startswith("Proposed: B could go, A stays")
    assert "path" in said
    use(workspace, PROTECTING)
    assert "protect" in compare_files(workspace, copy, a).proposal
    # What was never indexed is protected by where it lies; what lies elsewhere is not.
    shutil.copy(a, folder / "new.png")
    outside = shutil.copy(a, folder.parent / "outside.png")
    assert compare_files(workspace, outside, folder / "new.png").proposal.startswith("Proposed: A could go, B stays")
    use(workspace, COPIES_FIRST)
    decide(workspace, "never_propose", "pics:a.png", None)
    assert "a person decided on" in compare_files(workspace, copy, a).proposal


def test_pairs_are_looked_for_anew_once_where_another_policy_is_in_use(files: tuple[Workspace, Path]) -> None:
    workspace, _ = files
    assert match(workspace) is None
    use(workspace, COPIES_FIRST)
    assert is_current(workspace), "what is stored answers until then"
    assert match(workspace) is not None
    assert match(workspace) is None
    use(workspace, DEFAULT_POLICY)
    assert match(workspace) is not None
    assert match(workspace) is None


def test_a_pair_that_nothing_found_is_proposed_where_a_person_approved_it(files: tuple[Workspace, Path]) -> None:
    workspace, folder = files
    paths = [folder / "a.png", folder / "b.png"]
    pictures = workspace.catalog.pictures()
    of_path = dict(workspace.catalog.objects(columns=["path", "digest"]).select("path", "digest").iter_rows())
    digests = [of_path["a.png"], of_path["b.png"]]
    ask = (workspace, paths, digests, pictures, PAIRS.empty(), STRICT)
    assert proposal_for_two(*ask, chosen_policy(workspace)) == "Not proposed: by the rule they are no copies."
    # Which of the two noises packs better is of no interest here.
    decide(workspace, "approved", "pics:b.png", "pics:a.png")
    decide(workspace, "approved", "pics:a.png", "pics:b.png")
    assert proposal_for_two(*ask, chosen_policy(workspace)).startswith("Proposed: ")


def test_what_another_process_chooses_holds_here_at_once(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "workspace") as there, Workspace.open(tmp_path / "workspace") as here:
        before = held_state(here)
        save_rule(there, "tight", Thresholds(likelihood_min=1).rule())
        use_rule(there, "tight")
        assert chosen_rule(here).name == "tight"
        assert list_rules(here)["in_use"].to_list() == [True]
        with pytest.raises(SettingsError, match="is in use"):
            retire_rule(here, "tight")
        assert held_state(here) != before, "a search judges anew"
        (there.directory / "policies").mkdir()
        (there.directory / "policies" / "mine.json").write_text(
            json.dumps(replace(COPIES_FIRST, name="mine").to_json())
        )
        use_policy(there, "mine")
        assert chosen_policy(here).name == "mine"
        (there.directory / "workspace.toml").write_text("rules = [")
        assert (chosen_rule(here).name, chosen_policy(here).name) == ("tight", "mine"), "while somebody mends the file"
