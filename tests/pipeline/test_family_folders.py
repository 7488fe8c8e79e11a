"""Folders with RAW files, movies and sidecars: what belongs together is proposed whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from data.companions import movie, raw_file, sidecar
from data.photographs import photograph
from deeplens_kit.cli import main
from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import ThresholdLab, Workspace, coverage, index, list_groups, summarise_savings


def fill(folder: Path, names: list[str]) -> None:
    """A card with a RAW and its JPEG, a Live Photo with its edits, and a picture with notes."""
    folder.mkdir(parents=True)
    for name in names:
        stem, _, kind = name.partition(".")
        subject = photograph({"1": "astronaut", "2": "chelsea", "3": "coffee"}[stem[-1]])
        path = folder / name
        if kind.lower() in {"jpg", "jpeg"}:
            # What Apple calls E is the edited version: a little brighter, saved at another quality.
            edited = "_E" in stem
            subject.point(lambda value: min(255, round(value * 1.05))).save(path, quality=88) if edited else (
                subject.save(path, quality=92)
            )
        elif kind == "DNG":
            path.write_bytes(raw_file((folder / f"{stem}.JPG").read_bytes(), subject.size))
        else:
            path.write_bytes(movie() if kind == "MOV" else sidecar(4))


CARD = [
    "IMG_0001.JPG", "IMG_0001.DNG",
    "IMG_0002.JPG", "IMG_0002.MOV", "IMG_E0002.JPG", "IMG_0002.AAE",
    "IMG_0003.JPG", "IMG_0003.JPG.xmp",
]  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "workspace") as made:
        yield made


def indexed(workspace: Workspace, *folders: Path) -> None:
    for folder in folders:
        workspace.ledger.add_location(folder.name, str(folder), {})
    index(workspace)


def going(workspace: Workspace) -> set[str]:
    groups = list_groups(workspace).groups.filter(~pl.col("is_keeper"))
    return {f"{location}/{path}" for location, path in groups.select("location", "path").iter_rows()}


def assert_figures_agree(workspace: Workspace) -> None:
    """The fast way says what groups and savings say, to the byte."""
    for moved in (Thresholds(), Thresholds(0, 0, 256), Thresholds(1, 1, 0)):
        view = list_groups(workspace, rule=moved.rule())
        outcome = ThresholdLab(workspace).outcome(moved)
        amounts = summarise_savings(workspace, rule=moved.rule())
        sums = amounts.select(pl.col("objects", "gross_bytes", "realisable_bytes").sum()).row(0)
        assert (outcome.objects, outcome.gross_bytes, outcome.realisable_bytes) == sums
        assert (outcome.groups, outcome.withheld) == (view.groups["group_id"].n_unique(), view.withheld.height)


def test_a_card_that_was_copied_whole_goes_whole(workspace: Workspace, tmp_path: Path) -> None:
    card, backup = tmp_path / "card", tmp_path / "backup"
    fill(card, CARD)
    fill(backup / "old", CARD)
    for path in (backup / "old").iterdir():
        os.utime(path, (10**9, 10**9))
    indexed(workspace, card, backup)
    assert going(workspace) == {f"card/{name}" for name in CARD}
    size = sum(path.stat().st_size for path in card.iterdir())
    assert summarise_savings(workspace)["realisable_bytes"].sum() == size
    # What is no picture stays what it was in the coverage, and it was read once.
    other = coverage(workspace).filter(pl.col("outcome").is_in(["not_a_picture", "unsupported"]))
    assert other["objects"].sum() == 6
    assert_figures_agree(workspace)


def test_a_card_of_which_one_file_changed_keeps_that_family(workspace: Workspace, tmp_path: Path) -> None:
    card, backup = tmp_path / "card", tmp_path / "backup"
    fill(card, CARD)
    fill(backup, CARD)
    (card / "IMG_0003.JPG.xmp").write_bytes(sidecar(5))
    (card / "IMG_0001.DNG").unlink()
    indexed(workspace, card, backup)
    stays = {"IMG_0003.JPG", "IMG_0003.JPG.xmp"}
    # Its RAW is gone, so the JPEG is a stray copy of one that has it.
    proposed = going(workspace)
    assert "card/IMG_0001.JPG" in proposed and "backup/IMG_0001.JPG" not in proposed
    assert not {f"{place}/{name}" for place in ("card", "backup") for name in stays} & proposed
    second = {f"IMG_{name}" for name in ("0002.JPG", "0002.MOV", "E0002.JPG", "0002.AAE")}
    assert {path.partition("/")[2] for path in proposed} == {"IMG_0001.JPG"} | second
    withheld = list_groups(workspace).withheld
    assert set(withheld.filter(tier="bytes")["companion"]) == {"IMG_0003.JPG.xmp"}
    assert_figures_agree(workspace)


def test_a_file_too_large_to_read_is_not_known_to_be_equal(tmp_path: Path) -> None:
    card, backup = tmp_path / "card", tmp_path / "backup"
    fill(card, ["IMG_0001.JPG", "IMG_0001.MOV"])
    fill(backup, ["IMG_0001.JPG", "IMG_0001.MOV"])
    limit = (card / "IMG_0001.JPG").stat().st_size
    for folder in (card, backup):
        (folder / "IMG_0001.MOV").write_bytes(movie() + bytes(limit))
    with Workspace.create(tmp_path / "workspace"):
        pass
    settings = tmp_path / "workspace" / "workspace.toml"
    settings.write_text(f"{settings.read_text()}\n[decode]\nmax_bytes = {limit}\n", encoding="utf-8")
    with Workspace.open(tmp_path / "workspace") as workspace:
        indexed(workspace, card, backup)
        assert going(workspace) == set()
        assert list_groups(workspace).withheld["companion"].to_list() == ["IMG_0001.MOV"]


def test_locations_that_overlap_share_their_families(workspace: Workspace, tmp_path: Path) -> None:
    """The location that comes first lists pictures alone, and the file beside them must not be forgotten for it."""
    photos, sent = tmp_path / "photos", tmp_path / "sent"
    fill(photos / "2020", ["IMG_0001.JPG", "IMG_0001.DNG"])
    sent.mkdir()
    photograph("astronaut").resize((700, 700)).save(sent / "large.png")
    workspace.ledger.add_location("a", str(photos), {"include": ["**/*.JPG"]})
    workspace.ledger.add_location("b", str(photos / "2020"), {})
    indexed(workspace, sent)
    assert going(workspace) == set()


def test_the_command_says_what_stays_for_what(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    card = tmp_path / "card"
    fill(card, ["IMG_0001.JPG", "IMG_0001.DNG"])
    photograph("astronaut").save(card / "master.png")
    indexed(workspace, card)
    command = ["--workspace", str(tmp_path / "workspace"), "duplicates", "--withheld"]
    assert main(command) == 0
    assert "it belongs with IMG_0001.DNG; they stay or go together" in " ".join(capsys.readouterr().out.split())
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["path"], row["keeper_path"], row["companion"]) for row in rows] == [
        ("IMG_0001.JPG", "master.png", "IMG_0001.DNG")
    ]


def test_the_page_shows_the_files_that_go_with_a_picture(workspace: Workspace, tmp_path: Path) -> None:
    card, backup, page = tmp_path / "card", tmp_path / "backup", tmp_path / "page.html"
    fill(card, CARD)
    fill(backup, CARD)
    indexed(workspace, card, backup)
    assert main(["--workspace", str(tmp_path / "workspace"), "duplicates", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "IMG_0001.DNG" in text and "it goes with the picture that it belongs with" in text
