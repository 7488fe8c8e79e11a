"""A page of a plan's steps is what a slice of all of them is; what tells plans apart is made once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.actions import plan_digest, steps_digest, steps_to_parts
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.pipeline import Workspace, diff_plans, load_steps, plan_pages
from deeplens_kit.pipeline.plan_pages import KeptDiffs, steps_within
from deeplens_kit.schemas import PLAN_STEPS


def steps(count: int) -> pl.DataFrame:
    """Steps that differ in their number and path alone."""
    empty = {
        column: pl.Series(["x"], dtype=pl.String) if kind == pl.String else pl.Series([0]).cast(kind, strict=False)
        for column, kind in PLAN_STEPS.polars.items()
    }
    row = pl.DataFrame(empty)
    rows = pl.concat([row] * count).with_columns(step=pl.int_range(count, dtype=PLAN_STEPS.polars["step"]))
    return PLAN_STEPS.check(rows.with_columns(victim_path=pl.format("{}.jpg", "step")))


def plan(workspace: Workspace, count: int) -> PlanRecord:
    made = steps(count)
    return workspace.ledger.save_plan("duplicates", {}, steps_to_parts(made), steps_digest(made), count)


@pytest.mark.parametrize("part", [3, 50_000])
def test_pages_of_steps_are_slices_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    # Saved in parts of three, by a release with such parts and by one with others.
    monkeypatch.setattr(plan_digest, "PART_STEPS", 3)
    monkeypatch.setattr(plan_pages, "PART_STEPS", part)
    with Workspace.create(tmp_path / "workspace") as workspace:
        record = plan(workspace, 8)
        whole = load_steps(workspace, record)
        for first, count in ((0, 2), (2, 3), (5, 10), (6, 2), (0, 8), (8, 5), (99, 1)):
            assert steps_within(workspace, record, first, count).equals(whole.slice(first, count)), (first, count)


def test_a_page_reads_no_part_but_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_digest, "PART_STEPS", 3)
    monkeypatch.setattr(plan_pages, "PART_STEPS", 3)
    with Workspace.create(tmp_path / "workspace") as workspace:
        record = plan(workspace, 8)
        read: list[int] = []
        part = workspace.ledger.plan_part

        def told(plan_id: str, position: int) -> bytes:
            read.append(position)
            return part(plan_id, position)

        monkeypatch.setattr(workspace.ledger, "plan_part", told)
        assert steps_within(workspace, record, 4, 3)["step"].to_list() == [4, 5, 6]
        assert read == [1, 2]


def test_what_tells_plans_apart_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        old, new = plan(workspace, 3), plan(workspace, 2)
        kept = KeptDiffs()
        found = kept.of(workspace, old.plan_id, new.plan_id)
        assert found.equals(diff_plans(workspace, old.plan_id, new.plan_id)) and found["change"].to_list() == ["gone"]
        assert kept.of(workspace, None, new.plan_id) is found, "the one before it is that very plan"
        monkeypatch.setattr(plan_pages, "_MOST_KEPT", 1)
        assert kept.of(workspace, new.plan_id, old.plan_id) is not found
        assert kept.of(workspace, old.plan_id, new.plan_id) is not found, "kept no more"
