"""What a file says about itself is told by block, and nothing private of it unless it is asked for."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
import skimage.data
from cli_process import Deeplens
from PIL import Image

from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.pipeline import Workspace
from deeplens_kit.schemas import METADATA

SECRETS = ("Ada Secretname", "SN-SECRET-77", "47 22 1.5", "47.367", "Secretville", "ada@secret.example", "secret words")


def private_picture(path: Path, image: Image.Image, **options: object) -> None:
    exif = Image.Exif()
    exif.update({0x010F: "Canon", 0x013B: "Ada Secretname", 0x010E: "secret words"})
    exif.get_ifd(0x8769).update({0x9003: "2019:07:14 18:03:59", 0x9011: "+02:00", 0xA431: "SN-SECRET-77"})
    exif.get_ifd(0x8769)[0x927C] = b"SN-SECRET-77"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 1.5), 3: "E", 4: (8.0, 30.0, 0.0)})
    xmp = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Secretville" '
        b'photoshop:Instructions="ada@secret.example"/></rdf:RDF>'
    )
    image.save(path, exif=exif, xmp=xmp, **options)


@pytest.fixture
def workspace(deeplens: Deeplens, tmp_path: Path) -> Path:
    """Three copies of one picture with private metadata, one of them changed, indexed."""
    folder, made = tmp_path / "pictures", tmp_path / "w"
    folder.mkdir()
    cat = Image.fromarray(skimage.data.chelsea())
    private_picture(folder / "cat.jpg", cat, quality=92)
    (folder / "cat again.jpg").write_bytes((folder / "cat.jpg").read_bytes())
    private_picture(folder / "cat-small.jpg", cat.resize((300, 199)), quality=80)
    (folder / "broken.jpg").write_bytes((folder / "cat.jpg").read_bytes()[:9000])
    deeplens("init", made)
    deeplens("--workspace", made, "locations", "add", "pics", folder)
    assert deeplens("--workspace", made, "index").code == 0
    return made


@pytest.fixture
def picture(workspace: Path) -> Path:
    return workspace.parent / "pictures" / "cat.jpg"


def nothing_private(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_file_without_a_workspace(deeplens: Deeplens, picture: Path, tmp_path: Path) -> None:
    done = deeplens("metadata", picture)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("cat.jpg, JPEG, picture ")
    assert lines[1] == (
        "Made 2019-07-14 18:03:59 (2019-07-14 16:03:59 UTC), says EXIF DateTimeOriginal + OffsetTimeOriginal."
    )
    rows = [line.split(None, 2) for line in lines]
    assert ["EXIF", "Make", "Canon"] in rows
    assert ["EXIF", "BodySerialNumber", "(hidden: serial number)"] in rows
    assert ["GPS", "GPSLatitude", "(hidden: position)"] in rows
    assert ["XMP", "photoshop:City", "(hidden: position)"] in rows
    nothing_private(done.out)
    clear = deeplens("metadata", picture, "--show-private").out
    assert all(secret in clear for secret in SECRETS if secret != "47.367")
    assert "Hidden" not in clear


def test_json_and_csv_hide_by_default_too(deeplens: Deeplens, picture: Path, tmp_path: Path) -> None:
    answer = deeplens("metadata", picture, "--json")
    nothing_private(answer.out)
    kinds = {row["private"] for row in answer.json["rows"]}
    assert kinds == {"", "position", "serial number", "name", "free text"}
    summary = answer.json["summary"]
    assert summary["hidden"] == sum(bool(row["private"]) for row in answer.json["rows"])
    assert (summary["taken_at_utc"], summary["maker_note_bytes"]) == ("2019-07-14T16:03:59+00:00", 12)
    assert deeplens("metadata", picture, "--csv", tmp_path / "a.csv").code == 0
    nothing_private((tmp_path / "a.csv").read_text(encoding="utf-8"))
    listed = deeplens("metadata", picture, "--csv", "-").out
    assert {"block", "tag", "value", "private"} == set(next(csv.DictReader(io.StringIO(listed))))
    nothing_private(listed)
    clear = deeplens("metadata", picture, "--show-private", "--json")
    assert "Secretville" in clear.out
    assert clear.json["summary"]["hidden"] == 0


@pytest.mark.parametrize(("suffix", "size"), [("jpg", 40), ("png", 70_000)])  # kept, and told by its digest alone
def test_no_byte_of_the_makers_note_or_of_unknown_fields_is_shown(
    deeplens: Deeplens, tmp_path: Path, suffix: str, size: int
) -> None:
    note = b"NOTE-SECRET-77\x00\xa7\x5b\xc3\x91" * (size // 18 + 1)
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif[0xC634] = b"PRIVATE-SECRET-77\x00\xa7\x5b\xc3\x91"  # DNGPrivateData
    exif[0xC68C] = b"WHOLE-SECRET-77\x00\xa7\x5b\xc3\x91"  # OriginalRawFileData
    exif[0xEA1D] = "UNKNOWN-SECRET-77"
    exif.get_ifd(0x8769).update({0x9999: b"INNER-SECRET-77\x00\xa7\x5b\xc3\x91", 0x999A: 3711471147})
    exif.get_ifd(0x8769)[0x927C] = note
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (16, 12), "red").save(path, exif=exif)
    held = path.read_bytes()
    assert all(word + b"-SECRET-77" in held for word in (b"NOTE", b"PRIVATE", b"WHOLE", b"UNKNOWN", b"INNER"))
    secrets = ("SECRET", "a7 5b c3 91", "a75bc391", "4e 4f 54 45", "3711471147", "Tk9URS1TRUNSRV", "167 91 195 145")
    for words in (("--json",), ("--csv", "-"), ()):
        done = deeplens("metadata", path, *words)
        assert done.code == 0
        assert "Canon" in done.out
        assert [secret for secret in secrets if secret in done.out + done.err] == []
    kinds = {row["tag"]: row["private"] for row in deeplens("metadata", path, "--json").json["rows"]}
    assert kinds["MakerNote"] == ""  # its length
    assert kinds["0xEA1D"] == kinds["0x9999"] == kinds["0x999A"] == "unknown field"


def test_an_indexed_file_by_its_place_its_path_and_its_digest(
    deeplens: Deeplens, workspace: Path, picture: Path
) -> None:
    by_path = deeplens("--workspace", workspace, "metadata", picture, "--json").json
    by_place = deeplens("--workspace", workspace, "metadata", "pics:cat again.jpg", "--json").json
    by_digest = deeplens("--workspace", workspace, "metadata", by_path["summary"]["digest"].upper(), "--json").json
    assert by_path["rows"] == by_place["rows"] == by_digest["rows"]
    assert len({answer["summary"]["digest"] for answer in (by_path, by_place, by_digest)}) == 1


def test_what_is_kept_is_told_when_the_file_is_gone(deeplens: Deeplens, workspace: Path, picture: Path) -> None:
    told = deeplens("--workspace", workspace, "metadata", picture, "--show-private", "--json").json
    digest = told["summary"]["digest"]
    with Workspace.open(workspace) as opened:
        tags = json.dumps([[row["block"], row["tag"], row["value"], ""] for row in told["rows"]])
        row = {"digest": digest, "tags": tags, "maker_note": b"SN", "problems": "one; two", "run_id": "r"}
        opened.catalog.write_batch(CatalogBatch(metadata=pl.DataFrame([row], schema=METADATA.polars)))
    for path in picture.parent.iterdir():
        path.unlink()
    kept = deeplens("--workspace", workspace, "metadata", "pics:cat.jpg", "--json")
    assert (kept.json["summary"]["kept"], kept.json["summary"]["problems"]) == (True, ["one", "two"])
    assert [row["tag"] for row in kept.json["rows"]] == [row["tag"] for row in told["rows"]]
    nothing_private(kept.out)


def test_damage_is_told_and_what_is_left_is_shown(deeplens: Deeplens, workspace: Path, picture: Path) -> None:
    done = deeplens("metadata", picture.with_name("broken.jpg"))
    assert done.code == 0
    assert "Canon" in done.out
    nothing_private(done.out)
    header = picture.read_bytes()[:1200]
    (picture.parent / "head.jpg").write_bytes(header)
    done = deeplens("metadata", picture.parent / "head.jpg")
    assert "Could not be read in full: the picture cannot be opened (corrupt)." in done.out
    bare = picture.parent / "bare.png"
    Image.new("RGB", (64, 64)).save(bare)
    assert "It says nothing about itself." in deeplens("metadata", bare).out
    bare.write_bytes(bare.read_bytes()[:60])
    done = deeplens("metadata", bare)
    assert "Nothing was found in what could be read of it." in done.out
    assert "nothing about itself" not in done.out


def test_a_folder_is_called_one(deeplens: Deeplens, workspace: Path, picture: Path) -> None:
    for options in ((), ("--workspace", workspace)):
        done = deeplens(*options, "metadata", picture.parent)
        assert done.code == 2
        assert "is a folder; give a picture file" in done.err


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("pics:no such.jpg", 2, "give a picture file"),
        ("nothing.jpg", 2, "give a picture file"),
        ("", 2, "There is nothing to tell of"),
        ("0" * 64, 1, "can be read now"),
    ],
)
def test_what_names_nothing(deeplens: Deeplens, workspace: Path, what: str, code: int, said: str) -> None:
    done = deeplens("--workspace", workspace, "metadata", what)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_what_is_no_picture_and_what_needs_a_workspace(deeplens: Deeplens, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    assert "no picture: text" in deeplens("metadata", tmp_path / "a.txt").err
    done = deeplens("metadata", "pics:a.jpg")
    assert done.code == 2
    assert "--workspace" in done.err


def test_no_other_answer_or_log_tells_what_is_private(deeplens: Deeplens, workspace: Path, picture: Path) -> None:
    pages = workspace.parent / "pages"
    pages.mkdir()
    commands: list[tuple[object, ...]] = [
        ("status", "--verbose"), ("status", "--json"), ("failures", "--json"), ("pairs", "--json"),
        ("pairs", "--csv", "-"),
        ("duplicates", "--json"), ("duplicates", "--csv", "-"), ("duplicates", "--html", pages / "d.html"),
        ("savings", "--json"), ("search", "--image", picture, "--json"), ("search", "--image", picture, "--csv", "-"),
        ("compare", picture, picture.with_name("cat-small.jpg"), "--json"),
        ("explain", "pics:cat.jpg", "--json"), ("catalog", "digest", "--json"), ("metadata", "pics:cat.jpg"),
        ("index", "--json"),
    ]  # fmt: skip
    for words in commands:
        done = deeplens("--log-format", "json", "--verbose", "--workspace", workspace, *words)
        assert done.code == 0, (words, done.err)
        nothing_private(done.out + done.err)
        assert "gps" not in done.out.replace("GPS", "").casefold(), words
    nothing_private((pages / "d.html").read_text(encoding="utf-8"))
