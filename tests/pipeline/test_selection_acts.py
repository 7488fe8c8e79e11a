"""What is done with selected pictures reaches the ledger, and no more than that; the most alike are found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deeplens_kit.errors import PlanError, SettingsError, UnknownNameError
from deeplens_kit.ledger import PlanState
from deeplens_kit.pipeline import (
    Workspace,
    change_location,
    label_pair,
    list_groups,
    list_plans,
    load_steps,
    withdraw_decisions,
)
from deeplens_kit.pipeline.alike_pictures import AlikePictures
from deeplens_kit.pipeline.selection_acts import keep_pictures, pairs_among, plan_of_pictures


@pytest.fixture
def indexed(tmp_path: Path, matched_pictures: Path) -> Iterator[Workspace]:
    """Over photographs that the test may not change."""
    shutil.copytree(matched_pictures, tmp_path / "copy")
    with Workspace.open(tmp_path / "copy") as copy:
        yield copy


def digest_at(workspace: Workspace, path: str) -> str:
    return str(workspace.catalog.objects().filter(path=path)["digest"][0])


def test_pairs_among_pictures_come_with_their_labels(indexed: Workspace) -> None:
    coffee, small = digest_at(indexed, "coffee.jpg"), digest_at(indexed, "more/coffee small.jpg")
    everything = indexed.catalog.pictures(columns=["digest"])["digest"]
    found = pairs_among(indexed, everything)
    assert found.height == indexed.catalog.pairs().height > 0
    (pair,) = pairs_among(indexed, [coffee, small]).to_dicts()
    assert {pair["digest_a"], pair["digest_b"]} == {coffee, small}
    assert (pair["tier"], pair["verdict"]) == ("copy", None)
    label_pair(indexed, coffee, small, "same")
    assert pairs_among(indexed, [coffee, small])["verdict"].to_list() == ["same"]
    assert pairs_among(indexed, [coffee]).is_empty()
    if found.height > 1:
        assert pairs_among(indexed, everything)["verdict"][-1] == "same", "what is labelled comes last"


def test_kept_pictures_leave_the_groups_until_that_is_taken_back(indexed: Workspace) -> None:
    small = digest_at(indexed, "more/coffee small.jpg")
    before = list_groups(indexed).groups
    act = keep_pictures(indexed, [small, small], "in print")
    assert act.added == 1
    assert small not in list_groups(indexed).groups.filter(is_keeper=False)["digest"]
    assert len(withdraw_decisions(indexed, [act.act_id])) == 1
    assert list_groups(indexed).groups.equals(before)
    with pytest.raises(SettingsError, match="select some first"):
        keep_pictures(indexed, [])


def test_a_plan_is_for_the_groups_of_the_selection_alone(indexed: Workspace) -> None:
    coffee, chelsea = digest_at(indexed, "coffee.jpg"), digest_at(indexed, "chelsea.jpg")
    camera = digest_at(indexed, "camera.jpg")
    with pytest.raises(PlanError, match="nothing to plan for what is selected"):
        plan_of_pictures(indexed, [coffee], tiers=["bytes", "copy"])
    assert list_plans(indexed, superseded=True).is_empty()
    change_location(indexed, "pics", {"permissions": "change"})
    plan = plan_of_pictures(indexed, [coffee, camera], tiers=["bytes", "copy"])
    assert (plan.state, plan.steps) == (PlanState.DRAFT, 1)
    assert load_steps(indexed, plan)["victim_path"].to_list() == ["more/coffee small.jpg"]
    whole = plan_of_pictures(indexed, [coffee, chelsea], tiers=["bytes", "copy"])
    assert whole.steps == 2
    with pytest.raises(PlanError, match="nothing to plan"):
        plan_of_pictures(indexed, [coffee], tiers=["bytes"])
    assert list_plans(indexed)["plan_id"].to_list() == [whole.plan_id, plan.plan_id]


def test_the_most_alike_are_those_of_all_vectors(indexed: Workspace) -> None:
    (spec,) = [spec for spec in indexed.catalog.vector_specs() if spec.name == "sscd_small"]
    digests, vectors = indexed.catalog.vectors(spec)
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    alike = AlikePictures(indexed, "sscd_small")
    for at, digest in enumerate(digests):
        cosines = unit @ unit[at]
        true = [digests[other] for other in np.argsort(-cosines) if other != at]
        found = alike(digest, 3)
        assert found["digest"].to_list() == true[:3]
        assert found["cosine"].to_numpy() == pytest.approx(np.sort(np.delete(cosines, at))[::-1][:3], abs=1e-3)
    assert alike(digests[0], 99).height == len(digests) - 1
    with pytest.raises(UnknownNameError, match="indexed"):
        alike("f" * 64)
    with pytest.raises(UnknownNameError, match="did you mean"):
        AlikePictures(indexed, "sscd_smal")
    assert AlikePictures(indexed, "sscd")(digests[0]).is_empty(), "no picture has that feature yet"
