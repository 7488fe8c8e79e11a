"""The same rows as table, JSON and CSV, exact and whole."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_process import FORMULA, ODD_NAME, Deeplens
from rich.cells import cell_len

from deeplens_kit.cli.tables import Column, Sheet, print_sheet
from deeplens_kit.schemas import Outcome

PAIR_COLUMNS = {"path_a", "path_b", "score", "tier", "relation"}
DUPLICATE_COLUMNS = {"group_id", "path", "location", "is_keeper", "tier", "relation", "score", "size_bytes"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_pairs(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    target = tmp_path / "pairs.csv"
    done = deeplens("--workspace", indexed, "pairs", "--json", "--csv", target)
    assert done.code == 0
    rows = rows_of(target)
    assert set(rows[0]) >= PAIR_COLUMNS
    assert len(rows) == len(done.json["rows"]) == done.json["summary"]["pairs"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {row["tier"] for row in rows} <= {"bytes", "pixels", "copy", "scene"}
    assert rows[0]["tier"] == "bytes"
    only = deeplens("--workspace", indexed, "pairs", "--json", "--tier", "bytes")
    assert {row["tier"] for row in only.json["rows"]} == {"bytes"}
    assert len(deeplens("--workspace", indexed, "pairs", "--json", "--limit", 1).json["rows"]) == 1


def test_duplicates(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    target = tmp_path / "duplicates.csv"
    done = deeplens("--workspace", indexed, "duplicates", "--json", "--csv", target)
    rows = rows_of(target)
    assert set(rows[0]) >= DUPLICATE_COLUMNS
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["group_id"], []).append(row)
    for members in groups.values():
        assert [row["is_keeper"] for row in members] == ["true", *["false"] * (len(members) - 1)]
        assert len(members) > 1
    summary = done.json["summary"]
    assert summary["groups"] == len(groups)
    going = {(row["location"], row["path"]): int(row["frees_bytes"]) for row in rows if row["is_keeper"] == "false"}
    assert summary["objects"] == len(going)
    assert summary["realisable_bytes"] == sum(going.values())
    paths = {row["path"] for row in rows}
    assert {"cat-small.jpg", FORMULA, ODD_NAME, r"caf\xe9.jpg"} <= paths
    assert not any("\ufdd0" in path for path in paths)


def test_the_json_and_the_csv_say_the_same(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    for words in (("pairs",), ("duplicates",), ("savings",), ("status",), ("failures",), ("locations", "list")):
        target = tmp_path / f"{words[0]}.csv"
        done = deeplens("--workspace", indexed, *words, "--json", "--csv", target)
        assert done.json["command"] == " ".join(words)
        for one, other in zip(rows_of(target), done.json["rows"], strict=True):
            assert set(one) == set(other)
            for name, value in other.items():
                if isinstance(value, bool):
                    assert one[name] == str(value).lower()
                elif isinstance(value, int | float):
                    assert float(one[name]) == value
                elif value is None:
                    assert one[name] == ""
                elif not name.endswith("_at"):
                    assert one[name] == value


def test_the_table_has_a_line_for_each_file(deeplens: Deeplens, indexed: Path) -> None:
    done = deeplens("--workspace", indexed, "duplicates")
    assert done.code == 0
    lines = done.out.splitlines()
    assert any("remove" in line and "archive:cat again.jpg" in line for line in lines)
    assert any(r"line\nbreak" in line for line in lines)
    assert any(r"caf\xe9.jpg" in line for line in lines)
    assert "can be freed" in done.out
    assert "of 12 files analysed" in done.out
    assert not any(line != line.rstrip() for line in lines)


def test_savings_agree_with_duplicates(deeplens: Deeplens, indexed: Path) -> None:
    duplicates = deeplens("--workspace", indexed, "duplicates", "--json").json["summary"]
    savings = deeplens("--workspace", indexed, "savings", "--json").json
    for name in ("objects", "gross_bytes", "realisable_bytes", "analysed_objects"):
        assert savings["summary"][name] == duplicates[name]
    assert sum(row["realisable_bytes"] for row in savings["rows"]) == savings["summary"]["realisable_bytes"]
    assert savings["summary"]["realisable_bytes"] < savings["summary"]["gross_bytes"]
    assert "Total:" in deeplens("--workspace", indexed, "savings").out


def test_status_and_failures_account_for_every_file(deeplens: Deeplens, indexed: Path) -> None:
    status = deeplens("--workspace", indexed, "status", "--json").json
    assert status["summary"]["objects"] == 12
    assert status["summary"]["analysed_objects"] == 9
    for row in status["rows"]:
        assert row["objects"] == sum(row[str(outcome)] for outcome in Outcome)
        assert row["last_run"] == "finished"
    outcomes = status["summary"]["outcomes"]
    assert {name: told["objects"] for name, told in outcomes.items() if told["objects"]} == {
        "indexed": 9, "not_a_picture": 1, "unreadable": 1, "empty": 1,
    }  # fmt: skip
    assert sum(told["bytes"] for told in outcomes.values()) == status["summary"]["bytes"]
    failures = deeplens("--workspace", indexed, "failures", "--json").json
    assert {row["path"] for row in failures["rows"]} == {"broken.jpg", "empty.jpg", "notes.txt"}
    assert sum(failures["summary"]["by_code"].values()) == 3
    assert "75.0 % of 12 files analysed" in deeplens("--workspace", indexed, "status").out


def test_compare_needs_no_workspace(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    pictures = indexed.parent / "pictures"
    cat, small, cup = pictures / "archive/2023/cat.jpg", pictures / "shop/cat-small.jpg", pictures / "archive/cup.png"
    alike = deeplens("compare", cat, small, "--json").json
    assert alike["summary"]["tier"] == "copy"
    assert {row["name"] for row in alike["rows"]} >= {"pdq_distance", "phash_distance"}
    assert all(row["meaning"] for row in alike["rows"])
    assert deeplens("compare", cat, pictures / "archive/cat again.jpg", "--json").json["summary"]["tier"] == "bytes"
    assert deeplens("compare", cat, cup, "--json").json["summary"]["tier"] != "copy"
    shown = deeplens("--workspace", indexed, "compare", cat, small)
    assert "pdq_distance" in shown.out
    assert "JPEG" in shown.out
    missing = deeplens("compare", cat, tmp_path / "none.jpg")
    assert missing.code == 2
    assert missing.err.count("\n") == 1
    folder = deeplens("compare", cat, tmp_path)
    assert folder.code == 2
    assert "is a folder" in folder.err
    assert deeplens("compare", cat, pictures / "shop/notes.txt").code == 1


def test_the_catalog_digest_is_one_value(deeplens: Deeplens, indexed: Path) -> None:
    value = deeplens("--workspace", indexed, "catalog", "digest").out.strip()
    assert len(value) == 64
    assert deeplens("--workspace", indexed, "catalog", "digest", "--json").json["rows"] == [{"digest": value}]


class Words(HTMLParser):
    """The text of a page and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    target = tmp_path / "duplicates.html"
    done = deeplens("--workspace", indexed, "duplicates", "--html", target)
    assert done.code == 0
    assert str(target) in done.err
    html = target.read_text(encoding="utf-8")
    page = Words(html)
    assert "<script" not in html
    summary = deeplens("--workspace", indexed, "duplicates", "--json").json["summary"]
    assert len([tag for tag, _ in page.tags if tag == "details"]) == summary["groups"]
    assert f"{summary['realisable_bytes']:,} bytes" in page.text
    assert "75.0 %" in page.text
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert images
    assert all((attrs["src"] or "").startswith("data:image/webp;base64,") for attrs in images)
    assert "No preview" not in page.text
    assert "mirrored" in page.text
    assert "turned by 90 degrees" in page.text
    assert r"line\nbreak" in page.text
    # Everything that is not HTML goes nowhere else: the lines on standard output say what it adds up to.
    assert "can be freed" in done.out


def test_the_page_stays_when_the_files_are_gone(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    """Thumbnails come from the cache; without cache and file the page says that there is no preview."""
    pictures, cache = indexed.parent / "pictures", indexed / "cache"
    hidden = tmp_path / "away"
    pictures.rename(hidden)
    try:
        for at, expected in (("cached.html", False), ("bare.html", True)):
            done = deeplens("--workspace", indexed, "duplicates", "--html", tmp_path / at)
            assert done.code == 0, done.err
            assert ("No preview" in (tmp_path / at).read_text(encoding="utf-8")) is expected
            if not expected:
                cache.rename(tmp_path / "cache away")
    finally:
        hidden.rename(pictures)
        if (tmp_path / "cache away").exists():
            if cache.exists():
                cache.rename(tmp_path / "new cache")
            (tmp_path / "cache away").rename(cache)


@pytest.mark.parametrize("option", ["--csv", "--html"])
@pytest.mark.parametrize("target", ["missing/out", ""])
def test_a_target_that_cannot_be_written_is_refused_first(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, option: str, target: str
) -> None:
    done = deeplens("--workspace", indexed, "duplicates", option, tmp_path / target)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("deeplens: Cannot write")


def test_a_csv_is_replaced_whole(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old\n" * 10_000)
    deeplens("--workspace", indexed, "failures", "--csv", target)
    assert len(rows_of(target)) == 3
    assert sorted(item.name for item in tmp_path.iterdir()) == ["current", "out.csv"]


def test_empty_answers_have_headers_and_words(deeplens: Deeplens, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    deeplens("init", workspace)
    for words in (("index",), ("status",), ("failures",), ("pairs",), ("duplicates",), ("savings",),
                  ("locations", "list"), ("locations", "check")):  # fmt: skip
        assert "deeplens locations add" in deeplens("--workspace", workspace, *words).out
        target = tmp_path / "empty.csv"
        done = deeplens("--workspace", workspace, *words, "--json", "--csv", target)
        assert done.code == 0, done.err
        assert done.json["rows"] == []
        assert len(target.read_text().splitlines()) == 1
    page = tmp_path / "empty.html"
    assert deeplens("--workspace", workspace, "duplicates", "--html", page).code == 0
    assert "Nothing indexed yet" in page.read_text()
    deeplens("--workspace", workspace, "locations", "add", "here", tmp_path / "current")
    for words in (("pairs",), ("duplicates",), ("savings",)):
        assert "deeplens index" in deeplens("--workspace", workspace, *words).out


def test_on_a_narrow_terminal_no_number_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is too wide is told row by row; one that fits is a table."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    columns = (Column("step", "right"), Column("state"), Column("file", fold=True), Column("frees", "right"))
    columns += (Column("keeper", fold=True), Column("why", fold=True))
    file = "laptop:photos/2019/summer holiday/[red]IMG_0001 copy.jpg"
    row = ("1,234", "superseded", file, "1,012.5 MB", "archive:a.jpg", "equal bytes; a preferred place")
    for width, lines in ((80, 4), (200, 3)):
        monkeypatch.setenv("COLUMNS", str(width))
        print_sheet(Sheet(columns, [row, row], "", frozenset({1})))
        said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert max(map(cell_len, said.splitlines())) <= width
        assert said.count("1,012.5 MB") == said.count("1,234") == said.count(file) == 2
        assert ("step 1,234  state superseded  frees 1,012.5 MB" in said) == (width == 80)
        assert len([line for line in said.splitlines() if line.strip()]) >= lines
