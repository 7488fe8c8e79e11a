"""Files that belong together stay together: a RAW and its JPEG, a still and its movie, a picture and its sidecar."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_workspace import found_in

from data.companions import movie, raw_file, sidecar
from data.edits import brightened, cropped, encoded, exif_block, recoloured, scaled
from data.photographs import photograph, photograph_bytes
from deeplens_kit.pipeline import Workspace, list_groups

MASTER = "archive/coffee.png"
SMALL = encoded(scaled(photograph("coffee"), 0.7), "JPEG", 85)
LOOSE = {"loose/coffee.jpg": encoded(scaled(photograph("coffee"), 0.6), "JPEG", 80)}

FAMILIES = {
    "RAW and JPEG": {"trip/IMG_0001.DNG": raw_file(SMALL, (420, 280)), "trip/IMG_0001.JPG": SMALL},
    "RAW in small letters": {"trip/img_0001.JPG": SMALL, "trip/img_0001.dng": raw_file(SMALL, (420, 280))},
    "still and movie": {
        "phone/IMG_0002.HEIC": encoded(scaled(photograph("coffee"), 0.8), "HEIF", 70),
        "phone/IMG_0002.MOV": movie(),
    },
    "picture and notes": {"light table/IMG_0003.jpg": SMALL, "light table/IMG_0003.xmp": sidecar(5)},
    "picture and notes by its whole name": {"album/pic.jpg": SMALL, "album/pic.jpg.xmp": sidecar(4)},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_no_picture_of_a_family_is_proposed_without_its_companions(tmp_path: Path, name: str) -> None:
    found = found_in(tmp_path, {MASTER: photograph_bytes("coffee"), **FAMILIES[name], **LOOSE})
    assert found.keepers == {"loose/coffee.jpg": MASTER}
    still = next(path for path in FAMILIES[name] if path.lower().endswith(("jpg", "heic")))
    assert found.pairs[frozenset((MASTER, still))][0] == "copy"


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_picture_without_companions_is_proposed(tmp_path: Path, name: str) -> None:
    """What is held back above is held back for its companions alone."""
    still = next(path for path in FAMILIES[name] if path.lower().endswith(("jpg", "heic")))
    found = found_in(tmp_path, {MASTER: photograph_bytes("coffee"), still: FAMILIES[name][still], **LOOSE})
    assert set(found.keepers) == {still, *LOOSE}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_that_is_there_twice_goes_as_a_whole(tmp_path: Path, name: str) -> None:
    again = {f"backup/{path}": content for path, content in FAMILIES[name].items()}
    found = found_in(tmp_path, {**FAMILIES[name], **again})
    assert found.keepers == {path: path.removeprefix("backup/") for path in again}
    assert {removal.tier for removal in found.removed.values()} == {"bytes"}


def test_a_raw_file_is_never_removed_for_its_preview(tmp_path: Path) -> None:
    preview = encoded(photograph("chelsea"), "JPEG", 90, exif_block("2023:07:01 09:00:00"))
    raw = raw_file(preview, photograph("chelsea").size)
    files = {
        "card/IMG_0007.JPG": preview,
        "card/IMG_0007.DNG": raw,
        "backup/IMG_0007.DNG": raw,
        "sent/IMG_0007.jpg": encoded(scaled(photograph("chelsea"), 0.7), "JPEG", 80),
    }
    found = found_in(tmp_path, files)
    assert found.keepers == {"sent/IMG_0007.jpg": "card/IMG_0007.JPG", "backup/IMG_0007.DNG": "card/IMG_0007.DNG"}
    assert found.removed["backup/IMG_0007.DNG"].tier == "bytes"


@pytest.mark.parametrize(
    ("first", "second"), [("IMG_0004.JPG", "IMG_E0004.JPG"), ("IMG_0004.jpg", "IMG_0004-edited.jpg")]
)
@pytest.mark.parametrize("edit", ["light", "crop", "sepia"])
def test_an_edited_version_and_its_original_both_stay(tmp_path: Path, first: str, second: str, edit: str) -> None:
    picture = photograph("chelsea")
    edited = {
        "light": lambda: brightened(picture, 1.15),
        "crop": lambda: cropped(picture, 0.03, 0.03, 0.97, 0.97),
        "sepia": lambda: recoloured(picture),
    }[edit]()
    files = {first: encoded(picture, "JPEG", 92), second: encoded(edited, "JPEG", 90)}
    found = found_in(tmp_path, {**files, "sent.jpg": encoded(scaled(picture, 0.5), "JPEG", 80)})
    assert found.keepers == {"sent.jpg": first}


def test_what_is_held_back_says_why(tmp_path: Path) -> None:
    found = found_in(tmp_path, {MASTER: photograph_bytes("coffee"), **FAMILIES["still and movie"]})
    with Workspace.open(found.workspace) as workspace:
        reasons = list_groups(workspace).withheld["reason"].to_list()
    assert len(reasons) == 1 and reasons[0]
    assert not found.removed
