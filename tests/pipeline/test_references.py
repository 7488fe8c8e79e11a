"""References to files that went: planned, approved, rewritten, and byte for byte as before once that is undone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import PlanNotApprovedError, SettingsError
from deeplens_kit.pipeline import (
    Workspace,
    add_location,
    approve_plan,
    index,
    load_steps,
    make_plan,
    plan_references,
    trim_plan,
)
from deeplens_kit.pipeline.applying import apply, rehearse
from deeplens_kit.pipeline.undoing import undo


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, str, Path]]:
    """Two pictures of `vault` whose copies in `disk` went, and what `disk` has that names them."""
    folder = tmp_path_factory.mktemp("references")
    draw = np.random.default_rng(5)
    for name in ("disk/deep", "vault"):
        (folder / name).mkdir(parents=True)
    for name in ("one.png", "two.png"):
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "vault" / name)
        shutil.copy(folder / "vault" / name, folder / "disk" / f"copy {name}")
    disk = folder / "disk"
    (disk / "list.txt").write_bytes(f"copy one.png\r\n{disk}/copy two.png\r\nat copy one.png\r\n".encode())
    (disk / "deep" / "same.md").write_text("copy one.png\n")
    (disk / "deep" / "link").symlink_to("../copy two.png")
    (disk / "whole link").symlink_to(disk / "copy two.png")
    (disk / "other link").symlink_to("list.txt")
    (disk / "linked.csv").write_text("copy one.png\n")
    (disk / "linked again.csv").hardlink_to(disk / "linked.csv")
    pl.DataFrame({"path": ["copy one.png", "other"], "n": [1, 2]}).write_parquet(disk / "table.parquet")
    with Workspace.create(folder / "workspace") as workspace:
        for name in ("disk", "vault"):
            add_location(workspace, name, str(folder / name), {"permissions": "change", "include": ["*.png"]})
        index(workspace)
        plan = make_plan(workspace, locations=["disk"])
        approve_plan(workspace, plan.plan_id)
        application = apply(workspace, plan.plan_id).application
        assert application is not None and application.figures["done"] == 2
        yield workspace, application.application_id, disk


def contents(disk: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(disk)): os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
        for file in disk.rglob("*")
        if file.is_symlink() or file.is_file()
    }


def test_references_are_rewritten_and_undone_byte_for_byte(applied: tuple[Workspace, str, Path]) -> None:
    workspace, application_id, disk = applied
    before = contents(disk)
    found = plan_references(workspace, application_id, ["disk"])
    assert found.record is not None and (found.files, found.record.steps) == (5, 4)
    assert sorted(found.changes["path"]) == ["deep/link", "list.txt", "list.txt", "table.parquet", "whole link"]
    reasons = " ".join(found.left["why"])
    assert "longer name" in reasons and "hard links" in reasons and "does not lead" in reasons
    assert found.record.document["changes"][0]["after"] == "../vault/one.png"
    plan_id = found.record.plan_id
    assert rehearse(workspace, plan_id).figures["possible"] == 4
    with pytest.raises(PlanNotApprovedError):
        apply(workspace, plan_id)
    approve_plan(workspace, plan_id)
    application = apply(workspace, plan_id).application
    assert application is not None and application.figures["done"] == 4
    assert str((disk / "deep" / "link").readlink()) == "../../vault/two.png"
    assert str((disk / "whole link").readlink()) == f"{disk.parent}/vault/two.png"
    assert str((disk / "other link").readlink()) == "list.txt"
    text = f"../vault/one.png\r\n{disk.parent}/vault/two.png\r\nat copy one.png\r\n"
    assert (disk / "list.txt").read_bytes() == text.encode()
    assert pl.read_parquet(disk / "table.parquet")["path"].to_list() == ["../vault/one.png", "other"]
    assert plan_references(workspace, application_id, ["disk"], ["list.txt", "*link"]).record is None
    assert undo(workspace, application.application_id).report.complete
    assert contents(disk) == before


def test_only_what_was_approved_is_written(
    applied: tuple[Workspace, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, application_id, disk = applied
    record = plan_references(workspace, application_id, ["disk"]).record
    assert record is not None
    less = trim_plan(workspace, record.plan_id, keep=[1])
    approve_plan(workspace, less.plan_id)
    assert load_steps(workspace, less)["frees_bytes"].to_list() == [0]
    # Another version of the program would write something else.
    monkeypatch.setattr("deeplens_kit.pipeline.references._rewritten", lambda *_: _Other())
    before = contents(disk)
    report = apply(workspace, less.plan_id)
    assert report.results["code"].to_list() == ["no_content"]
    assert contents(disk) == before


class _Other:
    data = b"something else"


def test_a_map_of_a_person_is_followed(applied: tuple[Workspace, str, Path], tmp_path: Path) -> None:
    workspace, _, disk = applied
    moved = tmp_path / "moved.csv"
    moved.write_text("old,new\n/old/a.png,/new/a.png\n")
    (disk / "deep" / "page.html").write_text('<img src="/old/a.png">')
    found = plan_references(workspace, moved, ["disk"], ["*.html"])
    assert found.changes["after"].to_list() == ['<img src="/new/a.png">']
    moved.write_text("from,to\n/old/a.png,/new/a.png\n")
    with pytest.raises(SettingsError, match="has the columns from, to"):
        plan_references(workspace, moved, ["disk"])


def test_no_name_is_rewritten_to_a_file_that_went_since(applied: tuple[Workspace, str, Path]) -> None:
    """A later plan took the keeper away: the catalog does not know it, and the storage has it not."""
    workspace, application_id, disk = applied
    vault = workspace.ledger.location("vault").location_id
    two = disk.parent / "vault" / "two.png"
    workspace.catalog.remove_objects([f"{vault}/one.png", f"{vault}/two.png"])
    two.rename(aside := disk.parent / "two.png")
    found = plan_references(workspace, application_id, ["disk"])
    assert found.changes["after"].str.contains("vault/one.png").any()
    assert not found.changes["after"].str.contains("two.png").any()
    assert ("two.png", "disk:copy two.png") in found.left.select("path", "text").rows()
    aside.rename(two)
