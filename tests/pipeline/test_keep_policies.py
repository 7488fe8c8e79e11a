"""Keep policies of a workspace: where they lie, which is in use, what they ask of places, and what they change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import NoteChange
from deeplens_kit.matching import BUILT_IN_POLICIES, KeepCriterion, KeepPolicy
from deeplens_kit.pipeline import (
    ThresholdLab,
    Workspace,
    add_location,
    annotate_file,
    chosen_policy,
    compare_policies,
    explain,
    index,
    known_policies,
    list_groups,
    summarise_savings,
    use_policy,
)
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.keep_facts import policy_state, with_keep_facts
from deeplens_kit.settings import load_workspace_settings, save_choice

PLACES = ("disk", "vault")
PRICES = """
currency: EUR
locations:
  disk: {storage_classes: {"*": {storage_per_gb_month: 0.02}}}
  vault: {storage_classes: {"*": {storage_per_gb_month: 0.004, replication_factor: 3}}}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two locations with the same two files; those of `disk` are the older ones, and come first by name."""
    folder = tmp_path_factory.mktemp("policies")
    draw = np.random.default_rng(3)
    with Workspace.create(folder / "workspace") as workspace:
        for place in PLACES:
            (folder / place / "kept").mkdir(parents=True)
            options = {"immutable": True} if place == "vault" else {}
            add_location(workspace, place, str(folder / place), options)
        for name in ("kept/a.png", "b.png"):
            Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "disk" / name)
            (folder / "vault" / name).write_bytes((folder / "disk" / name).read_bytes())
        index(workspace)
        annotate_file(workspace, "vault:b.png", NoteChange(add_tags=("cover",)))
        (workspace.directory / "prices.yaml").write_text(PRICES)
        yield workspace


def keepers(workspace: Workspace, policy: KeepPolicy | str | None = None) -> set[tuple[str, str]]:
    groups = list_groups(workspace, policy=policy).groups.filter("is_keeper")
    return set(groups.select("location", "path").iter_rows())


def every(place: str) -> set[tuple[str, str]]:
    return {(place, "kept/a.png"), (place, "b.png")}


def policy_of(*criteria: KeepCriterion, **more: tuple[str, ...]) -> KeepPolicy:
    return KeepPolicy("mine", criteria or (KeepCriterion.AGE,), **more)


def test_places_and_paths_and_words_decide_where_a_policy_asks_for_them(library: Workspace) -> None:
    assert keepers(library) == every("disk")
    for name in ("cheapest", "safest"):
        assert keepers(library, name) == every("vault")
    for criterion in (KeepCriterion.IMMUTABLE, KeepCriterion.REPLICATED, KeepCriterion.CHEAPER):
        assert keepers(library, policy_of(criterion)) == every("vault")
    # What is said of a picture is said of all files that hold it.
    assert keepers(library, "described") == every("disk")
    assert keepers(library, policy_of(protected_locations=("vault",))) == every("vault")
    assert keepers(library, policy_of(protected_paths=("b.*",))) == {("disk", "kept/a.png")}
    files = active_files(library)
    paths = policy_of(KeepCriterion.PATH, preferred_paths=("**/kept/**", "*.png"), avoided_paths=("b.png",))
    found = with_keep_facts(library, files, paths).select("path", "path_class").unique()
    assert dict(found.iter_rows()) == {"kept/a.png": 2, "b.png": 1}
    avoided = with_keep_facts(library, files, policy_of(KeepCriterion.PATH, avoided_paths=("b.png",)))
    assert dict(avoided.select("path", "path_class").unique().iter_rows()) == {"kept/a.png": 0, "b.png": -1}


def test_what_places_are_worth_is_what_prices_and_options_say(library: Workspace) -> None:
    found = with_keep_facts(library, active_files(library), BUILT_IN_POLICIES["cheapest"])
    rows = found.select("location", "place_cost", "place_copies", "place_immutable").unique().sort("location").rows()
    assert rows == [("disk", 0.02, 1, False), ("vault", pytest.approx(0.012), 3, True)]
    noted = with_keep_facts(library, active_files(library), BUILT_IN_POLICIES["described"])
    assert dict(noted.select("path", "notes").unique().iter_rows()) == {"kept/a.png": 0, "b.png": 1}


def test_a_comparison_counts_other_keepers_and_the_lab_adds_up_to_the_groups(library: Workspace) -> None:
    found = compare_policies(library, "safest")
    assert (found.other_keepers, found.more_bytes, found.objects) == (2, 0, (2, 2))
    assert sorted(found.changed.select("path", "before", "after").rows()) == [
        ("b.png", "keep", "remove"), ("b.png", "remove", "keep"),
        ("kept/a.png", "keep", "remove"), ("kept/a.png", "remove", "keep"),
    ]  # fmt: skip
    back = compare_policies(library, "default", "safest")
    assert back.other_keepers == 2
    protected = compare_policies(library, policy_of(protected_locations=PLACES))
    assert (protected.other_keepers, protected.objects, protected.withheld) == (0, (2, 0), (0, 2))
    assert protected.more_bytes == -summarise_savings(library)["realisable_bytes"].sum()
    assert compare_policies(library, "default").changed.is_empty()
    from deeplens_kit.matching import Thresholds

    lab = ThresholdLab(library, policy_of(protected_paths=("b.*",)))
    assert lab.outcome(Thresholds()).objects == 1


def test_a_policy_in_use_decides_everywhere_and_is_a_copy_of_its_file(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        file = tmp_path / "mine.json"
        mine = KeepPolicy("mine", (KeepCriterion.PATH,), preferred_paths=("a/",))
        file.write_text(json.dumps(mine.to_json()))
        assert use_policy(workspace, file) == mine
        file.write_text("{}")
        assert list(known_policies(workspace)) == [*BUILT_IN_POLICIES, "mine"]
    with Workspace.open(tmp_path / "workspace") as workspace:
        assert workspace.settings.policy.keep == "mine"
        assert chosen_policy(workspace) == mine
        assert workspace.directory / "policies" in workspace.own_paths()
        with pytest.raises(SettingsError, match="has the name None"):
            chosen_policy(workspace, file)
        assert use_policy(workspace, "default") == BUILT_IN_POLICIES["default"]
        assert load_workspace_settings(workspace.directory).policy.keep == "default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no", "is not valid JSON"),
        ('{"name": "a", "criteria": ["agee"]}', "keep criterion in .*'agee'; did you mean 'age'"),
        (
            '{"name": "a", "criteria": ["age"], "protected_locations": ["disc"]}',
            "'a' named 'disc'; did you mean 'disk'",
        ),
        ('{"name": "a", "criteria": ["age"], "protected_paths": ["!x"]}', "is negated"),
        ('{"name": "default", "criteria": ["path"], "avoided_paths": ["x"]}', "give yours another name"),
        ('{"name": "a/b", "criteria": ["age"]}', "cannot name a file"),
    ],
)
def test_a_file_that_is_no_policy_here_is_refused(library: Workspace, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        use_policy(library, file)
    assert load_workspace_settings(library.directory).policy.keep == "default"


def test_names_that_there_are_none_of_are_refused_with_the_nearest(library: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'oldest'"):
        chosen_policy(library, "oldst")
    with pytest.raises(SettingsError, match=r"no keep policy '.*none.json'"):
        chosen_policy(library, tmp_path / "none.json")


def test_groups_that_were_kept_are_made_again_where_what_a_policy_looks_at_changes(library: Workspace) -> None:
    cheapest, default = BUILT_IN_POLICIES["cheapest"], BUILT_IN_POLICIES["default"]
    before = policy_state(library, cheapest), policy_state(library, default)
    book = library.directory / "prices.yaml"
    book.write_text(PRICES.replace("0.02", "0.03"))
    try:
        after = policy_state(library, cheapest), policy_state(library, default)
    finally:
        book.write_text(PRICES)
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '\n\n[policy]\nkeep = "mine"\n'),
        ('[policy]\nkeep = "old"  # why\n', '[policy]\nkeep = "mine"\n'),
        ("[ policy ] # mine\n\n[index]\nworkers = 2\n", '[ policy ] # mine\nkeep = "mine"\n\n[index]\nworkers = 2\n'),
        ("# a remark\n[index]\nworkers = 2", '# a remark\n[index]\nworkers = 2\n\n[policy]\nkeep = "mine"\n'),
        ("[policy]", '[policy]\nkeep = "mine"\n'),
    ],
)
def test_setting_a_policy_changes_one_line_of_the_file(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "workspace.toml").write_text(text)
    save_choice(tmp_path, "policy", "keep", "mine")
    assert (tmp_path / "workspace.toml").read_text() == expected


@pytest.mark.parametrize(
    "text", ['policy = {keep = "a"}\n', '"policy".keep = "a"\n', "[policy\n", 'x = """\n[policy]\n"""']
)
def test_a_file_that_cannot_be_changed_in_one_line_stays_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "workspace.toml").write_text(text)
    with pytest.raises(SettingsError, match="by hand"):
        save_choice(tmp_path, "policy", "keep", "mine")
    assert (tmp_path / "workspace.toml").read_text() == text


def test_an_explained_copy_names_what_people_wrote_into_it_alone(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    coarse = Image.fromarray(draw.integers(0, 255, (30, 40, 3), np.uint8))
    picture = coarse.resize((800, 600), Image.Resampling.BICUBIC)
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture.save(folder / "large.jpg", quality=95)
    tags = Image.Exif()
    tags[0x010E], tags[0x8298] = "a secret caption", "somebody"
    picture.resize((400, 300)).save(folder / "small.jpg", quality=90, exif=tags)
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "pics", str(folder))
        index(workspace)
        found = explain(workspace, "pics:small.jpg").matches.filter(standing="member")
    assert found["loses"].to_list() == ["EXIF ImageDescription, EXIF Copyright"]


def test_what_is_protected_by_one_of_its_names_is_protected_where_locations_overlap(tmp_path: Path) -> None:
    folder = tmp_path / "all" / "masters"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(5)
    Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "z.png")
    (tmp_path / "all" / "a.png").write_bytes((folder / "z.png").read_bytes())
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "all", str(tmp_path / "all"))
        add_location(workspace, "masters", str(folder))
        index(workspace)
        for protected in ({"protected_locations": ("masters",)}, {"protected_paths": ("masters/**",)}):
            groups = list_groups(workspace, policy=policy_of(**protected)).groups
            going = groups.filter(~groups["is_keeper"])["path"].to_list()
            assert going == ["a.png"], protected
