"""Every proposal is explained from the workspace alone: what stays, what could go, and what the score is made of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from cli_process import FORMULA, ODD_NAME, Deeplens

from deeplens_kit.reporting.words import format_bytes


def rows_of(answer: Any, **wanted: object) -> list[dict[str, Any]]:
    return [row for row in answer["rows"] if all(row[name] == value for name, value in wanted.items())]


def test_a_group_is_explained_as_it_is_listed(deeplens: Deeplens, indexed: Path) -> None:
    listed = deeplens("--workspace", indexed, "duplicates", "--json").json["rows"]
    for group_id in {row["group_id"] for row in listed}:
        expected = [row for row in listed if row["group_id"] == group_id]
        told = deeplens("--workspace", indexed, "explain", group_id, "--json").json
        same = ("path", "location", "tier", "relation", "score", "reason", "size_bytes", "frees_bytes", "object_id")
        found = {row["object_id"]: [row[name] for name in same] for row in told["rows"]}
        assert found == {row["object_id"]: [row[name] for name in same] for row in expected}
        assert [row["standing"] for row in told["rows"]] == ["keeper", *["member"] * (len(expected) - 1)]
        summary = told["summary"]
        assert (summary["kind"], summary["group_id"], summary["groups"]) == ("group", group_id, [group_id])
        assert summary["frees_bytes"] == sum(row["frees_bytes"] for row in expected)
        assert summary["matches"]["member"] == len(expected) - 1


def test_the_evidence_adds_up_to_the_score(deeplens: Deeplens, indexed: Path) -> None:
    listed = deeplens("--workspace", indexed, "duplicates", "--tier", "copy", "--json").json["rows"]
    told = deeplens("--workspace", indexed, "explain", listed[0]["group_id"], "--json").json
    members = rows_of(told, standing="member", tier="copy")
    assert members
    for row in members:
        terms = [item for item in told["evidence"] if item["object_id"] == row["object_id"]]
        assert {item["other_object_id"] for item in terms} == {row["other_object_id"]}
        assert all(item["words"] for item in terms)
        likelihood = 1 / (1 + math.exp(-sum(item["log_odds"] for item in terms)))
        assert row["likelihood"] == pytest.approx(likelihood, abs=1e-4)
        assert row["score"] == pytest.approx(0.999 * likelihood, abs=1e-4)
        assert row["likelihood"] >= row["bound"]
        assert row["ruled"].endswith("met.")


def test_a_group_in_words(deeplens: Deeplens, indexed: Path) -> None:
    listed = deeplens("--workspace", indexed, "duplicates", "--json").json["rows"]
    small = next(row for row in listed if row["path"] == "cat-small.jpg")
    group_id = small["group_id"]
    # Enough of the id, in capitals too.
    others = {row["group_id"] for row in listed} - {group_id}
    enough = next(group_id[:n] for n in range(1, 17) if not any(name.startswith(group_id[:n]) for name in others))
    done = deeplens("--workspace", indexed, "explain", enough.upper())
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"Group {group_id}, tier copy: a copy: re-encoded, resized, cropped or edited."
    assert any(line.startswith("keep  archive:") for line in lines)
    at = next(at for at, line in enumerate(lines) if line.startswith("remove  shop:cat-small.jpg"))
    block = lines[at : at + 16]
    assert any(line.strip().startswith("same picture") and "matching points" in line for line in block)
    assert any("The rule 'strict' asks that likelihood is at least 0.9" in line for line in block)
    assert any(line.strip().startswith("-5.66  where no evidence speaks") for line in block)
    assert f"  removing it frees {format_bytes(small['frees_bytes'])}" in block
    fewer = deeplens("--workspace", indexed, "explain", group_id, "--limit", 1).out
    assert fewer.count("\nremove  ") == 1
    assert "--limit tells of more" in fewer


def test_a_file_by_its_location_by_its_path_and_as_tables_show_it(deeplens: Deeplens, indexed: Path) -> None:
    pictures = indexed.parent / "pictures"
    answers = [
        deeplens("--workspace", indexed, "explain", what, "--json")
        for what in ("archive:2023/cat.jpg", pictures / "archive/2023/cat.jpg")
    ]
    assert [answer.code for answer in answers] == [0, 0]
    assert answers[0].json == answers[1].json
    summary = answers[0].json["summary"]
    assert (summary["kind"], summary["file"]["path"]) == ("file", "2023/cat.jpg")
    assert len(summary["groups"]) == len({row["group_id"] for row in rows_of(answers[0].json, standing="keeper")}) > 0
    for what, path in (
        (f"shop:{ODD_NAME}", ODD_NAME),
        (r'shop:line\nbreak, "quoted".png', ODD_NAME),
        (r"shop:caf\xe9.jpg", r"caf\xe9.jpg"),
        (f"shop:{FORMULA}", FORMULA),
    ):
        found = deeplens("--workspace", indexed, "explain", what, "--json")
        assert found.code == 0, found.err
        assert found.json["summary"]["file"]["location"] == "shop"
        assert path in {row["path"] for row in found.json["rows"]}


def test_no_file_is_read(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    pictures = indexed.parent / "pictures"
    pictures.rename(tmp_path / "away")
    try:
        done = deeplens("--workspace", indexed, "explain", "shop:cat-small.jpg")
    finally:
        (tmp_path / "away").rename(pictures)
    assert done.code == 0
    assert "It could go" in done.out


def test_what_is_like_nothing_and_what_was_not_analysed(deeplens: Deeplens, indexed: Path) -> None:
    alone = deeplens("--workspace", indexed, "explain", "shop:<script>alert(1)<x>.jpg", "--json").json
    assert {row["standing"] for row in alone["rows"]} <= {"alike"}
    said = deeplens("--workspace", indexed, "explain", "shop:<script>alert(1)<x>.jpg").out
    assert ("Nothing like it was found among" in said) is not bool(alone["rows"])
    assert "It could go" not in said
    for name, why in (("broken.jpg", "cannot be decoded"), ("empty.jpg", "empty"), ("notes.txt", "no picture")):
        done = deeplens("--workspace", indexed, "explain", f"shop:{name}")
        assert done.code == 0
        assert "It was not analysed: " in done.out
        assert why in done.out
        assert "compared with nothing" in done.out


def test_what_is_related_or_withheld_is_told_with_the_reason(deeplens: Deeplens, related: Path) -> None:
    told = deeplens("--workspace", related, "explain", "pics:captioned.jpg", "--json").json
    (row, *_) = rows_of(told, standing="related", path="captioned.jpg", other_path="photo.jpg")
    assert row["relation"] == "composite"
    assert "differs in: the bottom" in row["seen"]
    assert told["summary"]["matches"]["related"] >= 1
    shown = deeplens("--workspace", related, "explain", "pics:captioned.jpg").out
    assert "related, not proposed  pics:captioned.jpg" in shown
    assert "14 % of the view" in shown
    wider = deeplens("--workspace", related, "explain", "pics:captioned.jpg", "--include", "composite", "--json").json
    assert wider["summary"]["included"] == ["composite"]
    (going,) = rows_of(wider, standing="member", path="captioned.jpg")
    assert going["reason"].startswith("one of the two holds foreign content: look before you act")
    listed = deeplens("--workspace", related, "duplicates", "--withheld", "--json").json["rows"]
    for match in listed:
        answer = deeplens("--workspace", related, "explain", f"pics:{match['path']}", "--json").json
        assert match["reason"] in [row["reason"] for row in rows_of(answer, standing="withheld")]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("", "No group or file is named"),
        ("shop:cat-smal.jpg", "did you mean 'shop:cat-small.jpg'"),
        ("shpo:cat-small.jpg", "did you mean 'shop'"),
        ("cat-small.jpg", "did you mean 'shop:cat-small.jpg'"),
        ("shop:../2023/cat.jpg", "no indexed file"),
        ("0123456789abcdef", "no group named '0123456789abcdef'"),
        ("zzz", "give the id of a group"),
    ],
)
def test_what_names_nothing_is_answered_with_what_is_near(
    deeplens: Deeplens, indexed: Path, what: str, says: str
) -> None:
    done = deeplens("--workspace", indexed, "explain", what)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_an_id_with_a_slip_names_the_group_that_was_meant(deeplens: Deeplens, indexed: Path) -> None:
    group_id = deeplens("--workspace", indexed, "duplicates", "--json").json["rows"][0]["group_id"]
    slip = ("0" if group_id[3] != "0" else "1").join((group_id[:3], group_id[4:]))
    done = deeplens("--workspace", indexed, "explain", slip)
    assert done.code == 2
    assert f"did you mean '{group_id}'" in done.err


def test_a_file_that_no_location_lists_is_said_to_be_none(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "other.jpg").write_bytes(b"anything")
    done = deeplens("--workspace", indexed, "explain", tmp_path / "other.jpg")
    assert done.code == 2
    assert "is not indexed" in done.err


def test_the_csv_holds_the_rows(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    group_id = deeplens("--workspace", indexed, "duplicates", "--json").json["rows"][0]["group_id"]
    target = tmp_path / "why.csv"
    done = deeplens("--workspace", indexed, "explain", group_id, "--csv", target)
    assert (done.code, done.out) == (0, "")
    rows = deeplens("--workspace", indexed, "explain", group_id, "--json").json["rows"]
    assert len(target.read_text(encoding="utf-8").splitlines()) >= len(rows) + 1
    assert target.read_text(encoding="utf-8").startswith("standing,group_id,location,path,")
