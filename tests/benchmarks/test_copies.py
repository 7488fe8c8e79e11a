"""The benchmark of copies, through the product, on a benchmark made from the sample library."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from examples import IN_FULL
from sample_workspace import sample_workspace

from benchmarks import copies
from benchmarks.copy_scores import CopyBenchmark
from benchmarks.copy_tables import print_tables
from benchmarks.report import Report
from benchmarks.single_signals import _closeness
from data.edits import cropped, mirrored, turned
from data.photographs import photograph
from deeplens_kit.features import dihedral_pdq

PHOTOGRAPHIC = {"template": "document", "blank": "near_blank", "icon": "icon"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    library = sample_workspace(tmp_path_factory).library
    with (library / "truth.csv").open(encoding="utf-8", newline="") as stream:
        truth = [row for row in csv.DictReader(stream) if row["expected"] in {"keeper", "copy", "distinct"}]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        manifest = csv.writer(stream)
        manifest.writerow(["path", "source_id", "family", "role", "category", "scene_group", "kind"])
        for number, row in enumerate(truth):
            inside = f"images/{number % 3}/{number:02d} {Path(row['path']).name}"
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library / row["location"] / row["path"], folder / inside)
            family = "distractor" if row["expected"] == "distinct" else row["family"]
            role = "query" if row["expected"] == "copy" or row["location"] == "laptop" else "reference"
            category = PHOTOGRAPHIC.get(row["family"], "photo")
            kind = {"keeper": "original", "copy": "copy"}.get(row["expected"], "distractor")
            manifest.writerow([inside, row["source_id"], family, role, category, "", kind])
    (folder / "ignore.csv").write_text("source_a,source_b\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def measured(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    scratch = tmp_path_factory.mktemp("measured")
    return copies.measure(bench, scratch / "workspace", scratch / "export"), scratch / "export"


def test_no_removal_is_wrong_and_most_copies_are_found(measured: tuple[Report, Path]) -> None:
    full = measured[0].figures["removals"]["full"]
    assert full["wrong"] == [] and full["precision"] == 1.0 and full["proposed_twice"] == 0
    assert full["recall"] >= 0.6
    # Every original of the library stays, also beside watermarked and re-saved copies of its own quality, but for one
    # that gives way to its own bytes under another name.
    assert (full["originals_removed"], full["originals_kept"]) == (1, 9)
    assert full["original_keepers"] == {"hard link": 1}
    families = measured[0].figures["families"]
    assert families["renamed"]["removed"] == 1 and families["crop"]["removed"] == 1
    assert "distractor" not in families and measured[0].figures["not_analysed"] == 0


def test_composites_are_removed_only_where_they_are_asked_for(measured: tuple[Report, Path]) -> None:
    removals, wider = (measured[0].figures[key]["full"] for key in ("removals", "removals_with_composites"))
    assert wider["proposed"] >= removals["proposed"]
    families = measured[0].figures["families"].values()
    assert all(of["removed_with_composites"] >= of["removed"] for of in families)


def test_candidates_and_what_looking_at_them_cost(measured: tuple[Report, Path]) -> None:
    figures = measured[0].figures
    rule = measured[0].rows[0]["full"]
    assert rule["recall_at_precision_0.9"] <= rule["recall_of_all_listed"] <= 1.0
    assert rule["recall_of_all_listed"] >= 0.9
    assert figures["pairs_per_picture"] == pytest.approx(figures["pairs_stored"] / figures["pictures"], rel=0.1)
    looked = figures["verification"]
    assert looked["pairs_verified"] + looked["pairs_unverified"] >= figures["pairs_stored"]
    assert 0 < looked["looks"] <= figures["pictures"]
    assert looked["cpu_ms_per_pair_without"] > 0 and looked["cpu_ms_per_look"] > 0
    assert {"index", "match", "verify"} <= figures["stages_cpu_seconds"].keys()


def test_relations_stand_by_family(measured: tuple[Report, Path]) -> None:
    figures = measured[0].figures
    relations = figures["relations"]
    listed = measured[0].rows[0]["full"]
    right = sum(sum(counts.values()) for family, counts in relations.items() if family != "different pictures")
    assert right == round(listed["recall_of_all_listed"] * listed["positives"])
    assert set(relations["renamed"]) == {"whole"}
    assert set(relations) - {"different pictures"} <= set(figures["families"])


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_sources_that_are_one_picture_are_left_out_beside_not_instead(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command, whose JSON holds what `measure` gives and its tables show."""
    with (bench / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    # A copy that the manifest calls another picture by mistake.
    copied = next(row for row in rows if row["family"] == "renamed")
    folder = tmp_path / "mistaken"
    shutil.copytree(bench, folder)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        manifest = csv.DictWriter(stream, list(rows[0]))
        manifest.writeheader()
        manifest.writerows(row | {"source_id": "mistaken"} if row is copied else row for row in rows)
    assert copies.main([str(folder), "--same", f"{copied['source_id']},mistaken", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rule = report["rows"][0]
    assert list(rule) == ["signal", "full", "core", "full without --same", "core without --same"]
    assert rule["full"]["precision_of_all_listed"] < rule["full without --same"]["precision_of_all_listed"]
    assert rule["full"]["positives"] == rule["full without --same"]["positives"]
    removals = report["removals"]
    assert removals["full"]["wrong"] and not removals["full without --same"]["wrong"]
    assert report["benchmark"] == "copies" and report["machine"]["cores"] >= 1 and report["seed"] == 0
    print_tables(report)
    shown = capsys.readouterr().out
    assert "default rule" in shown and "upscale" in shown and "R@P0.999" in shown
    assert "originals give way to: hard link 1\n" in shown


def test_unknown_sources_are_one_line(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert copies.main([str(bench), "--same", "coffee,nobody"]) == 2
    assert "coffee,nobody" in capsys.readouterr().err


def test_each_signal_has_a_row_beside_the_rule(measured: tuple[Report, Path]) -> None:
    rows = {row["signal"]: row for row in measured[0].rows}
    assert list(rows)[:3] == ["default rule", "PDQ alone", "pHash alone"]
    # 28 copies of keepers that are the only references of their sources.
    assert {row["full"]["positives"] for row in rows.values()} == {28}
    for row in rows.values():
        assert 0.5 < row["core"]["micro_ap"] <= 1.0
    # A single signal ranks every pair; the rule only those that it stores.
    assert rows["PDQ alone"]["full"]["pairs_listed"] > rows["default rule"]["full"]["pairs_listed"]


def test_exported_files_are_the_answer_that_was_scored(bench: Path, measured: tuple[Report, Path]) -> None:
    report, export = measured
    again = CopyBenchmark(bench)
    with (export / "pairs.csv").open(encoding="utf-8", newline="") as stream:
        pairs = [(row["path_a"], row["path_b"], float(row["score"])) for row in csv.DictReader(stream)]
    assert all(again.row(path) is not None for pair in pairs for path in pair[:2])
    assert again.score_pairs(again.answer(pairs)).micro_ap == pytest.approx(
        report.rows[0]["full"]["micro_ap"], abs=1e-6
    )
    with (export / "groups.csv").open(encoding="utf-8", newline="") as stream:
        groups = [(row["group_id"], row["path"], row["is_keeper"] == "1") for row in csv.DictReader(stream)]
    assert again.score_removals(groups).recall == report.figures["removals"]["full"]["recall"]
    assert any("\n" in path for _, path, _ in groups)


def test_a_folder_that_is_no_benchmark_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert copies.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_closeness_is_the_best_of_eight_orientations() -> None:
    photo = cropped(photograph("rocket"), 0.0, 0.0, 0.667, 1.0)
    pictures = [photo, mirrored(photo), turned(photo), photograph("chelsea")]
    packed = np.stack([np.packbits(pdqhash.compute(np.asarray(picture))[0]) for picture in pictures])
    words = np.ascontiguousarray(dihedral_pdq(packed)).view(np.uint64)
    close = _closeness(words, np.array([0, 3]), np.array([0, 1, 2, 3]))
    assert close[0, 0] == 0 and close[1, 3] == 0
    assert all(-16 <= value <= 0 for value in close[0, :3]) and close[0, 3] < -60
    upright = [int((np.unpackbits(packed[0]) != np.unpackbits(other)).sum()) for other in packed]
    assert upright[1] > 60 and upright[2] > 60
