"""Relations at the command line: a part goes, foreign content only on demand, and everything says which it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import Deeplens

from deeplens_kit.pipeline import Workspace, list_pairs


def test_pairs_have_all_evidence_and_can_be_chosen_by_relation(deeplens: Deeplens, related: Path) -> None:
    every = deeplens("--workspace", related, "pairs", "--json").json
    composite = deeplens("--workspace", related, "pairs", "--relation", "composite", "--json").json
    with Workspace.open(related) as workspace:
        assert list_pairs(workspace, relations=["composite"]).height == len(composite["rows"])
    assert {row["relation"] for row in composite["rows"]} == {"composite"}
    assert len(composite["rows"]) < len(every["rows"])
    row = next(item for item in composite["rows"] if "crop.jpg" not in (item["path_a"], item["path_b"]))
    side = "a" if row["path_a"] == "captioned.jpg" else "b"
    left, top, right, bottom = map(float, row[f"region_{side}"].split(","))
    assert (left, top) == pytest.approx((0, 0), abs=0.01)
    assert (right, bottom) == pytest.approx((1, 400 / 465), abs=0.01)
    across = [float(number) for number in row["transform"].split(",")]
    assert len(across) == 6
    assert abs(across[4] - 1) == pytest.approx(65 / 465 if side == "b" else 65 / 400, abs=0.02)
    assert row["inliers"] > 20
    assert row["verification"]
    refused = deeplens("--workspace", related, "pairs", "--relation", "collage")
    assert refused.code == 2
    assert "no relation named 'collage'" in refused.err


def test_foreign_content_is_told_of_and_proposed_only_on_demand(deeplens: Deeplens, related: Path) -> None:
    plain = deeplens("--workspace", related, "duplicates", "--json").json
    assert "captioned.jpg" not in [row["path"] for row in plain["rows"] if not row["is_keeper"]]
    assert plain["summary"]["related"] == len(plain["related"]) > 0
    assert {row["path"] for row in plain["related"]} == {"captioned.jpg"}
    assert "related, not proposed" in deeplens("--workspace", related, "duplicates").out
    wider = deeplens("--workspace", related, "duplicates", "--include", "composite", "--json").json
    assert wider["summary"]["included"] == ["composite"]
    marked = [row for row in wider["rows"] if row["relation"] == "composite"]
    assert marked
    assert all(row["reason"].startswith("one of the two holds foreign content: look before you act") for row in marked)
    shown = deeplens("--workspace", related, "duplicates", "--include", "composite").out
    assert "Included: 1 file (composite): one of the two holds foreign content: look before you act." in shown
    refused = deeplens("--workspace", related, "duplicates", "--include", "whole")
    assert refused.code == 2
    assert "no relation named 'whole'" in refused.err


def test_a_comparison_tells_the_relation_and_what_would_be_proposed(deeplens: Deeplens, related: Path) -> None:
    pictures = related.parent / "pictures"
    part = deeplens("compare", pictures / "crop.jpg", pictures / "photo.jpg", "--json").json
    assert part["summary"]["relation"] == "part"
    assert part["summary"]["proposal"].startswith("Proposed: A could go, B stays")
    other_way = deeplens("compare", pictures / "photo.jpg", pictures / "crop.jpg", "--json").json
    assert other_way["summary"]["relation"] == "contains"
    assert other_way["summary"]["proposal"].startswith("Proposed: B could go, A stays")
    values = {row["name"]: row["value"] for row in part["rows"]}
    assert values["covered_a"] == pytest.approx(1, abs=0.02)
    assert values["covered_b"] == pytest.approx(0.64, abs=0.02)
    captioned = deeplens("compare", pictures / "photo.jpg", pictures / "captioned.jpg")
    assert "Relation composite" in captioned.out
    assert "differs in: the bottom (14 % of the view)" in captioned.out
    assert "Related, not proposed: B shows what is not in A" in captioned.out


def test_a_file_compared_with_itself_is_said_to_be_one(deeplens: Deeplens, related: Path) -> None:
    pictures = related.parent / "pictures"
    other = related / "another name.jpg"
    other.symlink_to(pictures / "photo.jpg")
    for second in (pictures / "photo.jpg", pictures / ".." / pictures.name / "photo.jpg", other):
        answer = deeplens("compare", pictures / "photo.jpg", second, "--json").json["summary"]
        assert answer["proposal"].startswith("Not proposed")
        assert "one and the same file" in answer["verdict"]
