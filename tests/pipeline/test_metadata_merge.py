"""What only a file that goes tells is kept beside its keeper, and undoing takes it away again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.actions import Told, new_sidecar, sidecar_tells, steps_of
from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import KeepCriterion, KeepPolicy
from deeplens_kit.pipeline import (
    Workspace,
    add_location,
    approve_plan,
    change_location,
    draft_plan,
    index,
    load_steps,
    make_plan,
    plan_choice,
    refresh_plan,
    trim_plan,
)
from deeplens_kit.pipeline.applying import apply
from deeplens_kit.pipeline.metadata_merge import metadata_content
from deeplens_kit.pipeline.undoing import undo

TOLD = Told({"dc:subject": ("sea", "sun & sand")}, {"dc:description": "A boat", "xmp:Rating": "5"})
POLICY = KeepPolicy("vault first", criteria=(KeepCriterion.PATH,), preferred_paths=("keep/**",))
ONLY: dict[str, Any] = {"tiers": ["bytes", "pixels"], "policy": POLICY, "merge_metadata": True}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[tuple[Workspace, Path]]:
    """`vault` has two pictures, `disk` each again: one with words in it, one the same to the byte."""
    draw = np.random.default_rng(7)
    for name in ("disk", "vault/keep"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("told.jpg", "same.jpg"):
        picture = Image.fromarray(draw.integers(0, 255, (12, 16, 3), np.uint8)).resize((240, 180))
        plain = io.BytesIO()
        picture.save(plain, "JPEG", quality=90)
        (tmp_path / "vault" / "keep" / name).write_bytes(plain.getvalue())
        more = {"xmp": new_sidecar(TOLD)} if name == "told.jpg" else {}
        picture.save(tmp_path / "disk" / name, "JPEG", quality=90, **more)
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "disk", str(tmp_path / "disk"), {"permissions": "change"})
        add_location(workspace, "vault", str(tmp_path / "vault"), {"permissions": "change"})
        index(workspace)
        yield workspace, tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for name in ("disk", "vault")
        for file in (folder / name).rglob("*")
        if file.is_file()
    }


def applied(workspace: Workspace, steps: pl.DataFrame, plan_id: str) -> str:
    approve_plan(workspace, plan_id)
    report = apply(workspace, plan_id)
    assert report.application is not None
    assert report.application.figures["done"] == steps.height, report.results
    return report.application.application_id


def test_a_sidecar_is_made_with_the_removal_and_goes_with_its_undoing(library: tuple[Workspace, Path]) -> None:
    workspace, folder = library
    before = contents(folder)
    record = make_plan(workspace, **ONLY)
    steps = load_steps(workspace, record)
    assert steps["action"].to_list() == ["create", "remove", "remove"]
    made, gone = (steps.filter(pl.col("victim_path").str.contains("told")).row(at, named=True) for at in (0, 1))
    assert (made["victim_path"], gone["victim_path"]) == ("keep/told.jpg.xmp", "told.jpg")
    assert made["together"] == gone["together"] and made["step"] < gone["step"]
    assert "subject" in made["reason"] and "Rating" in made["reason"]
    application_id = applied(workspace, steps, record.plan_id)
    after = contents(folder)
    assert sidecar_tells(after["vault/keep/told.jpg.xmp"]) == TOLD
    assert after["vault/keep/told.jpg"] == before["vault/keep/told.jpg"] and "disk/told.jpg" not in after
    assert undo(workspace, application_id).report.complete
    assert contents(folder) == before
    # Where the catalog forgot the keeper meanwhile nothing is written, and nobody is left with an error of the program.
    workspace.catalog.forget_picture(made["keeper_digest"] or gone["keeper_digest"])
    assert metadata_content(workspace, steps, {})(steps_of(steps)[made["step"]]) is None


def test_a_sidecar_that_is_there_gets_more(library: tuple[Workspace, Path]) -> None:
    workspace, folder = library
    (folder / "vault" / "keep" / "told.jpg.xmp").write_bytes(
        new_sidecar(Told({"dc:subject": ("mine",)}, {"xmp:Rating": "1"}))
    )
    before = contents(folder)
    record = make_plan(workspace, **ONLY)
    steps = load_steps(workspace, record)
    assert sorted(steps["action"]) == ["remove", "remove", "rewrite"]
    application_id = applied(workspace, steps, record.plan_id)
    tells = sidecar_tells((folder / "vault" / "keep" / "told.jpg.xmp").read_bytes())
    assert tells == Told({"dc:subject": ("mine", *TOLD.lists["dc:subject"])}, {**TOLD.texts, "xmp:Rating": "1"})
    assert undo(workspace, application_id).report.complete
    assert contents(folder) == before


def test_files_whose_words_cannot_be_kept_stay(library: tuple[Workspace, Path]) -> None:
    workspace, _ = library
    record = make_plan(workspace, **ONLY)
    steps = load_steps(workspace, record)
    made = steps.filter(pl.col("action") == "create")["step"].item()
    trimmed = trim_plan(workspace, record.plan_id, drop=[made])
    assert load_steps(workspace, trimmed)["victim_path"].to_list() == ["same.jpg"]
    assert refresh_plan(workspace, record.plan_id)[0].document["choice"]["merge_metadata"]
    change_location(workspace, "vault", {"permissions": "read"})
    draft = draft_plan(workspace, plan_choice(workspace, **ONLY))
    assert draft.steps["victim_path"].to_list() == ["same.jpg"]
    assert draft.left_out.filter(pl.col("path") == "told.jpg")["code"].to_list() == ["metadata"]
    with pytest.raises(SettingsError, match="merge-metadata"):
        make_plan(workspace, action="storage_class", storage_class="COLD", merge_metadata=True)


def test_a_file_of_which_not_all_is_known_stays(library: tuple[Workspace, Path]) -> None:
    workspace, folder = library
    # Longer than the catalog keeps of one value.
    block = b"http://ns.adobe.com/xap/1.0/\0" + new_sidecar(Told({}, {"dc:description": "long " * 1000}))
    plain = (folder / "vault" / "keep" / "told.jpg").read_bytes()
    header = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big")
    (folder / "disk" / "told.jpg").write_bytes(plain[:2] + header + block + plain[2:])
    index(workspace)
    draft = draft_plan(workspace, plan_choice(workspace, **ONLY))
    assert draft.left_out.filter(pl.col("path") == "told.jpg")["code"].to_list() == ["metadata"]
