"""`deeplens convert`: copies in a folder of their own, each with what it lost; the sources as they were."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
from pathlib import Path

import pytest
import skimage.data
from cli_process import UNDECODABLE, Deeplens, command, environment
from PIL import Image


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    photograph = Image.fromarray(skimage.data.coffee())
    exif = Image.Exif()
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 0.0, 0.0), "E", (11.0, 0.0, 0.0)
    photograph.save(folder / "cup.jpg", quality=90, exif=exif.tobytes())
    photograph.save(folder / "more" / "cup.png")
    (folder / "broken.jpg").write_bytes((folder / "cup.jpg").read_bytes()[:4000])
    (folder / "notes.txt").write_text("no picture")
    os.utime(folder / "cup.jpg", ns=(1_400_000_000_000_000_000, 1_400_000_000_123_456_000))
    return folder


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_copies_are_written_and_sources_stay(deeplens: Deeplens, pictures: Path, copies: Path) -> None:
    before = state(pictures)
    done = deeplens("convert", pictures / "cup.jpg", "--to", copies, "--format", "webp", "--max-side", 300)
    assert (done.code, done.err) == (0, "")
    assert "size: 400 × 600 became 200 × 300 px" in done.out
    assert "1 copy says where the picture was taken; --strip-metadata leaves that out." in done.out
    assert "The sources are as they were." in done.out
    assert os.listdir(copies) == ["cup.webp"]
    assert (copies / "cup.webp").stat().st_mtime_ns == 1_400_000_000_123_456_000
    assert state(pictures) == before
    with Image.open(copies / "cup.webp") as copy:
        assert (copy.format, copy.size, copy.getexif()[0x0112]) == ("WEBP", (200, 300), 1)


def test_a_bad_file_is_a_row_and_the_others_go_on(deeplens: Deeplens, pictures: Path, copies: Path) -> None:
    names = ["broken.jpg", "cup.jpg", "notes.txt", "gone.jpg", "more"]
    words = [pictures / name for name in names]
    done = deeplens("convert", *words, "--to", copies, "--format", "png", "--json")
    assert done.code == 1
    assert done.err == "deeplens: 4 of 5 files could not be converted; see the rows.\n"
    rows = done.json["rows"]
    assert [Path(row["path_source"]).name for row in rows] == names
    assert [row["outcome"] for row in rows] == ["failed", "converted", "failed", "failed", "failed"]
    assert [row["code"] for row in rows] == ["corrupt", None, "not_a_picture", "unreadable", "unreadable"]
    assert "is not there" in rows[3]["message"] and "is a folder" in rows[4]["message"]
    good = rows[1]
    assert (good["exact"], good["lost"], good["width_px"], good["psnr_db"]) == (True, "", 400, None)
    assert good["size_bytes"] == (copies / "cup.png").stat().st_size
    assert good["saved_share"] == pytest.approx(1 - good["size_bytes"] / good["size_bytes_before"])
    summary = done.json["summary"]
    assert (summary["converted"], summary["failed"], summary["not_begun"], summary["with_position"]) == (1, 4, 0, 1)
    assert os.listdir(copies) == ["cup.png"]


def test_two_sources_of_one_name_do_not_meet_and_nothing_is_written_over(
    deeplens: Deeplens, pictures: Path, copies: Path
) -> None:
    words = ("convert", pictures / "cup.jpg", pictures / "more" / "cup.png", "--to", copies, "--format", "tiff")
    assert deeplens(*words).code == 0
    assert sorted(os.listdir(copies)) == ["cup (2).tif", "cup.tif"]
    with Image.open(copies / "cup.tif") as turned, Image.open(copies / "cup (2).tif") as plain:
        assert (turned.size, plain.size) == ((400, 600), (600, 400))
    before = state(copies)
    again = deeplens(*words, "--json")
    assert again.code == 1
    assert {row["code"] for row in again.json["rows"]} == {"name_taken"}
    assert "nothing is written over" in again.json["rows"][0]["message"]
    assert state(copies) == before


def test_a_source_in_the_folder_itself_is_not_written_over(deeplens: Deeplens, pictures: Path) -> None:
    before = state(pictures)
    done = deeplens("convert", pictures / "cup.jpg", "--to", pictures, "--format", "jpeg")
    assert (done.code, state(pictures)) == (1, before)
    assert "'cup.jpg' is taken" in done.out


def test_objects_of_locations_are_named_by_location_and_path(deeplens: Deeplens, indexed: Path, copies: Path) -> None:
    undecodable = UNDECODABLE.decode("utf-8", "surrogateescape")
    words = ["archive:2023/cat.jpg", f"shop:{undecodable}", "shop:nothing.jpg"]
    done = deeplens(
        "--workspace", indexed, "convert", *words, "--to", copies, "--format", "jxl", "--lossless", "--json"
    )
    assert done.code == 1
    assert [row["outcome"] for row in done.json["rows"]] == ["converted", "converted", "failed"]
    assert done.json["rows"][1]["path_source"] == "shop:caf\\xe9.jpg"
    assert done.json["rows"][2]["message"].startswith("There is no such file at the location")
    assert sorted(os.listdir(os.fsencode(copies))) == [b"caf\xe9.jxl", b"cat.jxl"]


def test_locations_and_the_workspace_are_never_written_to(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, copies: Path
) -> None:
    library = indexed.parent / "pictures"
    link = tmp_path / "link"
    link.symlink_to(library / "archive")
    before = state(library)
    for folder, why in (
        (library / "archive", "location 'archive', and locations are read-only"),
        (library / "archive" / "2023", "location 'archive'"),
        (link / "2023", "location 'archive'"),
        (indexed / "cache", "part of the workspace (cache)"),
    ):
        done = deeplens("--workspace", indexed, "convert", "archive:cup.png", "--to", folder, "--format", "webp")
        assert (done.code, done.out) == (2, ""), folder
        assert why in done.err and done.err.count("\n") == 1
    assert state(library) == before
    assert deeplens("--workspace", indexed, "locations", "list", "--csv", copies / "list.csv").code == 0


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no new files from anybody")
def test_a_folder_that_takes_no_files_costs_rows_or_is_refused(deeplens: Deeplens, pictures: Path) -> None:
    done = deeplens("convert", pictures / "cup.jpg", "--to", "/proc", "--format", "webp")
    # Root is let in by the permissions, and met by the file system.
    assert done.code in (1, 2)
    assert "cannot be written in '/proc'" in done.out or "no permission to write there" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(deeplens: Deeplens, pictures: Path, copies: Path) -> None:
    copies.chmod(0o500)
    done = deeplens("convert", pictures / "cup.jpg", "--to", copies, "--format", "webp")
    copies.chmod(0o700)
    assert done.code == 2
    assert "no permission to write there" in done.err


def test_what_is_no_folder_is_refused(deeplens: Deeplens, pictures: Path, tmp_path: Path) -> None:
    for folder, why in ((tmp_path / "none", "there is no such folder"), (pictures / "cup.jpg", "it is no folder")):
        done = deeplens("convert", pictures / "cup.jpg", "--to", folder, "--format", "webp")
        assert (done.code, done.out) == (2, "")
        assert why in done.err
    assert not (tmp_path / "none").exists()


def test_wrong_options_are_told_before_work_begins(deeplens: Deeplens, pictures: Path, copies: Path) -> None:
    for options, why in (
        (("--format", "jpg"), "did you mean 'jpeg'?"),
        (("--format", "jpeg", "--lossless"), "cannot keep every sample"),
        (("--format", "png", "--quality", 80), "leave it out"),
        (("--format", "webp", "--quality", 101), "must be 1 to 100"),
    ):
        done = deeplens("convert", pictures / "cup.jpg", "--to", copies, *options)
        assert (done.code, done.out) == (2, ""), options
        assert why in done.err
    assert os.listdir(copies) == []


def test_rows_as_csv(deeplens: Deeplens, pictures: Path, copies: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    done = deeplens(
        "convert", pictures / "cup.jpg", "--to", copies, "--format", "heif", "--strip-metadata", "--csv", target
    )
    assert done.code == 0
    with target.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["format"], row["has_position"], row["outcome"]) == ("HEIF", "false", "converted")
    assert "EXIF (position), as asked" in row["lost"]


def test_ctrl_c_leaves_whole_files_only(pictures: Path, copies: Path) -> None:
    big = Image.fromarray(skimage.data.coffee()).resize((900, 600))
    big.save(pictures / "big 0.png", compress_level=1)
    for number in range(1, 60):
        os.link(pictures / "big 0.png", pictures / f"big {number}.png")
    words = command(
        "convert", *sorted(pictures.glob("big *.png")), "--to", copies, "--format", "webp", "--workers", 2, "--json"
    )
    running = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with contextlib.suppress(ChildProcessError):
            while not list(copies.glob("*.webp")):
                _still_runs(running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=120)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130, err
    assert '"not_begun": 0' not in out
    names = os.listdir(copies)
    assert names and all(name.endswith(".webp") for name in names), "no temporary files"
    for name in names:
        with Image.open(copies / name) as copy:
            copy.load()
            assert copy.size == (900, 600)


def _still_runs(running: subprocess.Popen[str]) -> None:
    """Give the process a moment; it must not end by itself in it."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(timeout=0.05)
        raise ChildProcessError
