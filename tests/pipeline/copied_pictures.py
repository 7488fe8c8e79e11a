"""Photographs with copies of two of them, and workspaces over them that several tests start from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from skimage import data

from deeplens_kit.pipeline import Workspace, index, match


def photographs() -> dict[str, Image.Image]:
    """Photographs that scikit-image ships in its wheel."""
    return {
        "astronaut": Image.fromarray(data.astronaut()),
        "chelsea": Image.fromarray(data.chelsea()),
        "coffee": Image.fromarray(data.coffee()),
        "camera": Image.fromarray(data.camera()),
    }


def write_pictures(folder: Path) -> Path:
    """Fill a folder with them."""
    (folder / "more").mkdir(parents=True)
    for name, image in photographs().items():
        image.save(folder / f"{name}.jpg", quality=92)
    (folder / "more" / "again.jpg").write_bytes((folder / "chelsea.jpg").read_bytes())
    photographs()["coffee"].save(folder / "more" / "coffee small.jpg", quality=60)
    (folder / "empty.jpg").write_bytes(b"")
    whole = (folder / "camera.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "more" / "cut again.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.jpg").write_text("no picture at all")
    return folder


def make_matched_pictures(folder: Path) -> None:
    """The photographs in `pictures`, and a workspace over them, indexed and matched."""
    write_pictures(folder / "pictures")
    with Workspace.create(folder / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(folder / "pictures"), {})
        index(workspace)


@dataclass(frozen=True, slots=True)
class CopiedPictures:
    """A folder of photographs with copies, and workspaces over it. Not to be changed: take copies of the workspaces.

    Attributes:
        folder: `pictures` and copies of two of them in many sizes and qualities: about eighty pairs.
        indexed: A workspace over it, indexed, not matched.
        matched: The same, matched.
    """

    folder: Path
    indexed: Path
    matched: Path


def make_copied_pictures(folder: Path) -> None:
    with_copies(write_pictures(folder / "pictures"), 8)
    with Workspace.create(folder / "indexed") as workspace:
        workspace.ledger.add_location("pics", str(folder / "pictures"), {})
        index(workspace, and_match=False)
    shutil.copytree(folder / "indexed", folder / "matched")
    with Workspace.open(folder / "matched") as workspace:
        match(workspace)


def with_copies(folder: Path, copies: int) -> Path:
    """Add so many copies of two of the photographs."""
    for number in range(copies):
        for name in ("coffee", "astronaut"):
            with Image.open(folder / f"{name}.jpg") as image:
                small = image.resize((image.width - 12 * number, image.height - 8 * number))
                small.save(folder / f"{name} {number}.jpg", quality=90 - 4 * number)
    return folder
