"""`deeplens search`: a table, JSON and CSV of what is found; one line for what cannot be searched for."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
import skimage.data
from cli_process import FORMULA, ODD_NAME, Deeplens, Result
from PIL import Image


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A re-encoded copy of the cat, mirrored in one of the indexed files."""
    path = tmp_path / "copy.webp"
    Image.fromarray(skimage.data.chelsea()).save(path, quality=70)
    return path


def test_the_table_names_score_tier_places_and_reason(deeplens: Deeplens, indexed: Path, copy: Path) -> None:
    done = deeplens("--workspace", indexed, "search", "--image", copy)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["score", "tier", "places", "picture", "why"]
    assert "archive:2023/cat.jpg" in lines[1] and "archive:cat again.jpg" in lines[1]
    assert "PDQ differs in" in lines[1]
    (mirrored,) = [line for line in lines if FORMULA in line]
    assert "rotated or mirrored" in mirrored
    assert any(line.startswith("3 pictures like copy.webp: 3 copy") for line in lines)
    assert lines[-1].endswith("pictures compared.")


def test_json_holds_rows_and_every_place(deeplens: Deeplens, indexed: Path, copy: Path) -> None:
    answer = deeplens("--workspace", indexed, "search", "--image", copy, "--json").json
    assert answer["command"] == "search"
    assert [row["rank"] for row in answer["rows"]] == list(range(1, len(answer["rows"]) + 1))
    first = answer["rows"][0]
    assert (first["tier"], first["objects"], first["location"]) == ("copy", 2, "archive")
    paths = {place["path"] for place in answer["places"] if place["digest"] == first["digest"]}
    assert paths == {"2023/cat.jpg", "cat again.jpg"}
    summary = answer["summary"]
    assert (summary["query"]["name"], summary["query"]["is_indexed"]) == ("copy.webp", False)
    assert (summary["found"], summary["found_all"], summary["current"]) == (len(answer["rows"]), True, True)


def test_csv_holds_the_rows(deeplens: Deeplens, indexed: Path, copy: Path, tmp_path: Path) -> None:
    done = deeplens("--workspace", indexed, "search", "--image", copy, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert rows[0]["path"] == "2023/cat.jpg"
    assert {"score", "tier", "digest", "objects", "why"} <= set(rows[0])
    assert deeplens("--workspace", indexed, "search", "--image", copy, "--csv", tmp_path / "found.csv").code == 0
    assert (tmp_path / "found.csv").read_text(encoding="utf-8") == done.out


def test_csv_holds_the_time_that_a_camera_noted(deeplens: Deeplens, tmp_path: Path) -> None:
    folder, workspace = tmp_path / "pictures", tmp_path / "workspace"
    folder.mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:06:01 12:30:00"
    Image.fromarray(skimage.data.coffee()).save(folder / "cup.jpg", exif=exif)
    assert deeplens("init", workspace).code == 0
    assert deeplens("--workspace", workspace, "locations", "add", "pics", folder).code == 0
    assert deeplens("--workspace", workspace, "index").code == 0
    done = deeplens("--workspace", workspace, "search", "--image", "pics:cup.jpg", "--csv", "-")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["taken_at"] == "2019-06-01T12:30:00.000000"


def test_filters_and_limit(deeplens: Deeplens, indexed: Path, copy: Path) -> None:
    def paths(*words: object) -> list[str]:
        done = deeplens("--workspace", indexed, "search", "--image", copy, "--json", *words)
        assert done.code == 0, done.err
        return [row["path"] for row in done.json["rows"]]

    everything = paths()
    assert len(everything) == 3
    assert paths("--limit", 1) == everything[:1]
    assert set(paths("--location", "shop")) == {FORMULA, "cat-small.jpg"}
    assert paths("--format", "PNG") == []
    assert paths("--format", "jpeg") == everything
    assert paths("--max-size", "20kB") == ["cat-small.jpg"]
    assert paths("--min-size", "0.02MB", "--location", "shop") == [FORMULA]
    assert paths("--min-side", 250, "--location", "shop") == [FORMULA]
    assert paths("--threshold", 1) == []
    assert paths("--tier", "scene") == []
    limited = deeplens("--workspace", indexed, "search", "--image", copy, "--limit", 1).out
    assert "Showing 1 of 3; more with --limit." in limited


def test_an_indexed_file_is_named_by_location_and_path(deeplens: Deeplens, indexed: Path) -> None:
    answer = deeplens("--workspace", indexed, "search", "--image", f"shop:{ODD_NAME}", "--json").json
    assert (answer["rows"][0]["tier"], answer["rows"][0]["score"]) == ("bytes", 1.0)
    assert answer["summary"]["query"]["is_indexed"]
    by_digest = deeplens("--workspace", indexed, "search", "--image", answer["rows"][0]["digest"], "--json").json
    assert by_digest["rows"] == answer["rows"]


def test_a_file_whose_name_is_not_utf8_is_named_in_valid_json(
    deeplens: Deeplens, indexed: Path, copy: Path, tmp_path: Path
) -> None:
    odd = copy.rename(tmp_path / os.fsdecode(b"12:30 \xff.webp"))
    done = deeplens("--workspace", indexed, "search", "--image", odd, "--json")
    assert done.code == 0
    assert done.json["summary"]["query"]["name"] == "12:30 \\xff.webp"
    assert "pictures like 12:30 \\xff.webp: " in deeplens("--workspace", indexed, "search", "--image", odd).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.jpg",), "'nowhere.jpg' is not there; give a picture file"),
        (("shop:nowhere.jpg",), "No indexed picture is at 'shop:nowhere.jpg'"),
        (("http://127.0.0.1/a.jpg",), "not on the public internet"),
        (("ftp://example.org/a.jpg",), "only http:// and https://"),
        (("shop:=1+1.jpg", "--location", "shopp"), "did you mean 'shop'"),
        (("shop:=1+1.jpg", "--format", "jpg"), "did you mean 'JPEG'"),
        (("shop:=1+1.jpg", "--tier", "pixels"), "no tier of a search"),
        (("shop:=1+1.jpg", "--threshold", "2"), "from 0 to 1"),
        (("shop:=1+1.jpg", "--min-size", "big"), "--min-size is 'big'"),
        (("shop:=1+1.jpg", "--min-size", "2MB", "--max-size", "1MB"), "nothing fits"),
        (("shop:=1+1.jpg", "--limit", "20000"), "it must be from 1 to 10,000"),
    ],
)
def test_what_cannot_be_searched_for_is_one_line(
    deeplens: Deeplens, indexed: Path, words: tuple[str, ...], message: str
) -> None:
    done = deeplens("--workspace", indexed, "search", "--image", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith("deeplens: ") and done.err.count("\n") == 1


def test_a_text_file_says_what_it_is(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture")
    done = deeplens("--workspace", indexed, "search", "--image", tmp_path / "notes.jpg")
    assert done.code == 2
    assert "'notes.jpg' cannot be searched for: no picture: text" in done.err


def test_workspaces_with_nothing_to_search_say_so(deeplens: Deeplens, tmp_path: Path, copy: Path) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "pictures"
    folder.mkdir()
    assert deeplens("init", workspace).code == 0

    def said() -> str:
        done = deeplens("--workspace", workspace, "search", "--image", copy)
        assert done.code == 0
        return done.out

    assert "deeplens locations add" in said()
    assert deeplens("--workspace", workspace, "locations", "add", "pics", folder).code == 0
    assert said() == "Nothing indexed yet; run `deeplens index`.\n"
    (folder / "broken.jpg").write_text("no picture")
    assert deeplens("--workspace", workspace, "index").code == 0
    assert said() == "No picture is indexed; `deeplens failures` gives the reasons.\n"
    Image.fromarray(skimage.data.coffee()).save(folder / "cup.png")
    assert deeplens("--workspace", workspace, "index").code == 0
    assert said() == "Nothing alike: 1 picture compared, none is a copy or like this one.\n"
    filtered = deeplens("--workspace", workspace, "search", "--image", copy, "--format", "TIFF")
    assert filtered.out == "No indexed picture passes these filters; leave one out.\n"
    nowhere = deeplens("--workspace", workspace, "search", "--words", "zeppelin")
    assert nowhere.out.startswith("No indexed picture has the words 'zeppelin'; try others")
    both = deeplens("--workspace", workspace, "search", "--words", "cup", "--format", "TIFF")
    assert "has the words 'cup' and passes these filters" in both.out


def test_a_page_holds_what_was_asked_and_found(deeplens: Deeplens, indexed: Path, copy: Path, tmp_path: Path) -> None:
    page = tmp_path / "found.html"
    done = deeplens("--workspace", indexed, "search", "--image", copy, "--html", page)
    assert done.code == 0 and f"Wrote the page to {page}" in done.err
    html = page.read_text(encoding="utf-8")
    assert "3 pictures are copies or alike" in html and "copy.webp" in html and "cat again.jpg" in html
    # The picture asked for, which is not indexed, and those found.
    assert html.count("data:image/webp;base64,") == 4
    assert deeplens("--workspace", indexed, "search", "--image", copy, "--html", "-").code == 2


def test_a_search_is_saved_listed_run_and_removed(
    deeplens: Deeplens, indexed: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: object) -> Result:
        return deeplens("--workspace", indexed, *words)

    monkeypatch.chdir(tmp_path)
    saved = run("search", "--image", copy.name, "--limit", 2, "--save", "my cat", "--json")
    assert saved.code == 0 and "Saved the search as my cat" in saved.err
    monkeypatch.chdir("/")
    again = run("searches", "run", "my cat", "--json")
    assert (again.json["command"], again.json["rows"]) == ("searches run", saved.json["rows"])
    assert len(run("searches", "run", "my cat", "--limit", 1, "--json").json["rows"]) == 1
    assert run("search", "--image", copy, "--save", "my cat").code == 2
    assert "like copy.webp" in run("searches", "list").out
    shown = run("searches", "show", "my cat", "--json").json
    assert shown["summary"]["query"]["terms"] == [{"image": {"path": str(copy)}}]
    assert run("searches", "show", "my cat").out.startswith("my cat\n  asks: like copy.webp\n")
    assert "did you mean 'my cat'" in run("searches", "run", "my cats").err
    assert run("searches", "remove", "my cat").out == "Removed the saved search my cat.\n"
    assert run("searches", "list").out.startswith("No saved searches yet")


def test_what_was_searched_for_is_remembered_until_it_is_cleared(deeplens: Deeplens, indexed: Path, copy: Path) -> None:
    def run(*words: object) -> Result:
        return deeplens("--workspace", indexed, *words)

    run("searches", "clear-history")
    assert run("searches", "history").out == "Nothing was searched for yet.\n"
    assert run("search", "--image", copy).code == 0
    (row,) = run("searches", "history", "--json").json["rows"]
    assert (row["asked"], row["by"], row["results"]) == ("like copy.webp", "copies", 3)
    assert str(copy) not in run("searches", "history", "--json").out
    assert run("searches", "clear-history").out == "Forgot 1 search; saved searches stay.\n"
