"""The sample library says what is true of every file in it, and touches nothing that it did not make."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from data import make_sample_library
from data.edits import exif_block, without_exif
from data.make_sample_library import ForeignFolderError, main, make
from data.photographs import PHOTOGRAPHS, photograph_bytes
from data.sample_contents import contents
from deeplens_kit.pipeline.benchmark_folder import read_benchmark

register_heif_opener()

FAILURE_CODES = {"corrupt", "empty", "not_a_picture", "too_large", "unsupported"}
RECEIPTS = {"receipt-1", "receipt-2"}
FAR_BITS = 24
"""PDQ of 256: a copy by "hash" evidence lies within this, pictures of different sources beyond it."""


def truth_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Every path with its content (or where its link points) and its time."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest(),
            0 if path.is_symlink() else path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_symlink() or (path.is_file() and path.parent != folder)
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("sample") / "library").folder


@pytest.fixture(scope="module")
def variants(library: Path) -> dict[tuple[str, str], np.ndarray]:
    """PDQ in eight orientations (8, 256) of every picture, by the reference library."""
    found = {}
    for row in truth_of(library):
        if row["expected"] in {"keeper", "copy", "stays", "distinct"} and row["family"] != "companion":
            with Image.open(library / row["location"] / row["path"]) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGB")
            upright.thumbnail((384, 384), Image.Resampling.LANCZOS)
            found[row["location"], row["path"]] = np.asarray(pdqhash.compute_dihedral(np.asarray(upright))[0])
    return found


def distance(first: np.ndarray, second: np.ndarray) -> int:
    return int((first != second[0]).sum(axis=1).min())


def test_truth_names_every_file_and_no_other(library: Path) -> None:
    stated = {f"{row['location']}/{row['path']}" for row in truth_of(library)}
    assert stated == set(state_of(library))
    assert len(stated) == len(contents())


def test_the_manifest_lists_every_picture_as_benchmark_folders_do(library: Path) -> None:
    truth = read_benchmark(library)
    with (library / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    known = {f"{row['location']}/{row['path']}": row for row in truth_of(library) if row["source_id"]}
    assert {row["path"] for row in rows} == {path for path, row in known.items() if row["expected"] != "skipped"}
    kinds = {"keeper": "original", "distinct": "distractor", "copy": "copy", "stays": "copy"}
    for row in rows:
        content = (library / row["path"]).read_bytes()
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(content).hexdigest(), str(len(content)))
        said = known[row["path"]]
        assert (row["source_id"], row["family"], row["kind"]) == (
            said["source_id"], said["family"], kinds[said["expected"]],
        )  # fmt: skip
        assert truth.sources[row["sha256"]] == {row["source_id"]}
    keeper = next(row for row in rows if row["path"] == "share/photos/portraits/astronaut.png")
    assert (keeper["width"], keeper["height"], keeper["role"]) == ("512", "512", "reference")
    copy = next(row for row in rows if row["path"] == "laptop/export/astronaut_q85.jpg")
    other = next(row for row in rows if row["kind"] == "distractor")
    assert truth.verdict(keeper["sha256"], copy["sha256"]) == "same"
    assert truth.verdict(keeper["sha256"], other["sha256"]) == "different"


def test_every_source_has_one_keeper_or_is_distinct(library: Path) -> None:
    by_source = defaultdict(Counter)
    for row in truth_of(library):
        by_source[row["source_id"]][row["expected"]] += 1
    assert set(by_source.pop("")) == FAILURE_CODES
    for source, kinds in by_source.items():
        if "distinct" in kinds:
            assert kinds == {"distinct": 1}, source
        elif "keeper" in kinds:
            assert kinds["keeper"] == 1 and kinds["copy"] >= 1, source
            assert set(kinds) <= {"keeper", "copy", "stays", "skipped"}, source
        else:
            # A thumbnail and a full-size part of what is nowhere in full: neither can stand for the other.
            assert kinds == {"stays": 2}, source


def test_all_that_people_do_to_copies_is_there(library: Path) -> None:
    families = {row["family"] for row in truth_of(library)}
    assert families >= {
        "renamed", "reencode", "resize", "crop", "recolour", "watermark", "rotate90", "mirror", "metadata", "format",
        "upscale", "hard link", "symlink", "odd name", "same scene", "template", "blank", "icon", "truncated",
        "corrupt", "bomb", "empty", "text", "collage", "screenshot", "caption", "live photo", "companion",
        "full-size crop",
    }  # fmt: skip
    endings = {Path(row["path"]).suffix.lower() for row in truth_of(library)}
    assert endings >= {".jpg", ".png", ".webp", ".tif", ".avif", ".heic", ".gif", ".bmp"}


def test_evidence_is_what_the_truth_says(library: Path, variants: dict[tuple[str, str], np.ndarray]) -> None:
    rows = truth_of(library)
    keepers = {row["source_id"]: row for row in rows if row["expected"] == "keeper"}
    for row in (row for row in rows if row["evidence"] and row["expected"] in {"copy", "stays"}):
        keeper = keepers[row["source_id"]]
        own = (library / row["location"] / row["path"]).read_bytes()
        kept = (library / keeper["location"] / keeper["path"]).read_bytes()
        bits = distance(variants[row["location"], row["path"]], variants[keeper["location"], keeper["path"]])
        assert (own == kept) == (row["evidence"] == "bytes"), row
        if row["evidence"] == "local":
            assert bits > FAR_BITS, (row, bits)
        else:
            assert bits <= FAR_BITS, (row, bits)


def test_what_holds_more_than_its_keeper_stays_and_what_holds_less_is_a_part(library: Path) -> None:
    rows = truth_of(library)
    assert Counter((row["expected"], row["relation"]) for row in rows if row["family"] != "original") == Counter(
        {("copy", "whole"): 27, ("copy", "part"): 1, ("stays", "composite"): 4, ("stays", "whole"): 1, ("stays", ""): 3}
    ) + Counter((row["expected"], "") for row in rows if row["expected"] in {*FAILURE_CODES, "distinct", "skipped"})
    keepers = {row["source_id"]: row for row in rows if row["expected"] == "keeper"}
    for row in rows:
        if row["relation"] == "part":
            keeper = keepers[row["source_id"]]
            with (
                Image.open(library / row["location"] / row["path"]) as part,
                Image.open(library / keeper["location"] / keeper["path"]) as whole,
            ):
                assert part.width < whole.width and part.height < whole.height


def test_pixels_are_equal_where_the_truth_says_so(library: Path) -> None:
    rows = truth_of(library)
    keepers = {row["source_id"]: row for row in rows if row["expected"] == "keeper"}
    seen = 0
    for row in rows:
        if row["evidence"] == "pixels":
            keeper = keepers[row["source_id"]]
            with (
                Image.open(library / row["location"] / row["path"]) as own,
                Image.open(library / keeper["location"] / keeper["path"]) as kept,
            ):
                assert (own.mode, own.size, own.tobytes()) == (kept.mode, kept.size, kept.tobytes())
                assert own.info.get("icc_profile") == kept.info.get("icc_profile")
            seen += 1
    assert seen == 2


def test_companions_lie_beside_their_pictures(library: Path) -> None:
    rows = {(row["location"], row["path"]): row for row in truth_of(library)}
    companions = [place for place, row in rows.items() if row["family"] == "companion"]
    assert len(companions) == 2
    for location, path in companions:
        stem = path.rsplit(".", 1)[0]
        beside = [row for (where, name), row in rows.items() if where == location and name.startswith(f"{stem}.")]
        assert len(beside) == 2 and {row["expected"] for row in beside} <= {"keeper", "stays", "unsupported"}


def test_pictures_of_different_sources_are_not_near(library: Path, variants: dict[tuple[str, str], np.ndarray]) -> None:
    rows = [row for row in truth_of(library) if row["expected"] in {"keeper", "copy", "distinct"}]
    for first, second in itertools.combinations(rows, 2):
        alike = {first["family"], second["family"]} == {"blank"} or {
            first["source_id"],
            second["source_id"],
        } == RECEIPTS
        if first["source_id"] != second["source_id"] and not alike:
            pair = (variants[first["location"], first["path"]], variants[second["location"], second["path"]])
            assert distance(*pair) > FAR_BITS, (first["path"], second["path"], distance(*pair))


def test_links_are_links(library: Path) -> None:
    original = library / "share/photos/2019/IMG_0412.JPG"
    other_name = library / "share/photos/by subject/IMG_0412.JPG"
    assert original.samefile(other_name) and original.stat().st_nlink == 2
    link = library / "laptop/desktop/launch.jpg"
    assert link.is_symlink() and link.resolve() == (library / "share/photos/press/falcon9.jpg").resolve()


def test_metadata_is_stripped_and_samples_are_untouched(library: Path) -> None:
    original = (library / "share/photos/2019/IMG_0412.JPG").read_bytes()
    stripped = (library / "laptop/mail/IMG_0412.JPG").read_bytes()
    with Image.open(io.BytesIO(original)) as before, Image.open(io.BytesIO(stripped)) as after:
        assert before.getexif() and not after.getexif()
        assert before.tobytes() == after.tobytes()
    assert without_exif(stripped) == stripped


def test_upscale_has_more_pixels_than_its_keeper(library: Path) -> None:
    with (
        Image.open(library / "share/photos/menu/coffee.png") as kept,
        Image.open(library / "share/photos/menu/coffee_large.jpg") as large,
    ):
        assert large.size == (2 * kept.width, 2 * kept.height)


def test_bad_files_are_bad(library: Path) -> None:
    seen = Counter()
    for row in truth_of(library):
        if row["expected"] not in FAILURE_CODES or row["family"] == "companion":
            continue
        path = library / row["location"] / row["path"]
        seen[row["family"]] += 1
        if row["expected"] in {"empty", "not_a_picture"}:
            with pytest.raises(UnidentifiedImageError):
                Image.open(path)
        elif row["expected"] == "too_large":
            assert path.stat().st_size < 200
            with pytest.raises(Image.DecompressionBombError, match="3600000000 pixels"):
                Image.open(path)
        else:
            with Image.open(path) as opened, pytest.raises((OSError, SyntaxError)):
                opened.load()
    assert seen == {"truncated": 1, "corrupt": 1, "bomb": 1, "empty": 1, "text": 1}


def test_second_run_gives_the_same_bytes_and_times(library: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "again").folder
    assert state_of(again) == state_of(library)
    for name in ("truth.csv", "manifest.csv"):
        assert (again / name).read_bytes() == (library / name).read_bytes()


def test_it_is_made_again_over_its_own_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "library").folder
    before = state_of(folder)
    (folder / "laptop/Downloads/eileen (1).png").unlink()
    (folder / "share/photos/menu/coffee.png").write_bytes(b"overwritten")
    make(folder)
    assert state_of(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


@pytest.mark.parametrize("marked", [True, False])
def test_it_refuses_a_folder_with_a_foreign_file(tmp_path: Path, marked: bool, capsys) -> None:
    folder = tmp_path / "library"
    if marked:
        make(folder)
    own = folder / "share" / "my own.jpg"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(b"mine")
    before = state_of(folder)
    with pytest.raises(ForeignFolderError, match="missing or empty"):
        make(folder)
    assert state_of(folder) == before and own.read_bytes() == b"mine"
    assert main([str(folder)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_refuses_a_file_and_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("file", "link"):
        with pytest.raises(ForeignFolderError, match="is no folder"):
            make(tmp_path / name)
    assert (tmp_path / "file").read_bytes() == b"mine" and not any((tmp_path / "empty").iterdir())


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "library").folder
    before = state_of(folder)
    monkeypatch.setattr(make_sample_library, "TRUTH_COLUMNS", ("path", "no such column"))
    with pytest.raises(AttributeError):
        make(folder)
    assert state_of(folder) == before and [path.name for path in tmp_path.iterdir()] == ["library"]


def test_command_line_says_what_was_made(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path / "library")]) == 0
    assert (
        "64 files in share and laptop (5 bad file, 1 companion, 28 copy, 11 distinct, 10 keeper"
        in capsys.readouterr().out
    )


def test_credits_list_every_photograph() -> None:
    credits_text = Path(make_sample_library.__file__).with_name("CREDITS.md").read_text(encoding="utf-8")
    for item in PHOTOGRAPHS:
        row = f"| {item.title} | `{item.file}` | {item.author} | {item.terms} | {item.origin} |"
        assert row in credits_text
        assert item.terms in {"CC0", "public domain"}
        assert photograph_bytes(item.name)
    assert credits_text.count("| `") == len(PHOTOGRAPHS)


def test_exif_block_is_read_back() -> None:
    exif = Image.Exif()
    exif.load(exif_block("2019:06:02 10:30:00", orientation=6))
    assert exif[0x0112] == 6 and exif[0x010F] == "Example Cameras"
    assert exif.get_ifd(0x8769)[0x9003] == "2019:06:02 10:30:00"
