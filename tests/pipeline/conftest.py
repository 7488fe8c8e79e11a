"""Small folders of real pictures, and workspaces over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deeplens_kit.pipeline import Workspace


def photographs() -> dict[str, Image.Image]:
    """Photographs that scikit-image ships in its wheel."""
    return {
        "astronaut": Image.fromarray(data.astronaut()),
        "chelsea": Image.fromarray(data.chelsea()),
        "coffee": Image.fromarray(data.coffee()),
        "camera": Image.fromarray(data.camera()),
    }


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four photographs, one of them twice, a re-encoded copy, an empty, a truncated and a foreign file."""
    folder = tmp_path / "pictures"
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


COPIES = 9


@pytest.fixture
def many_copies(pictures: Path) -> Path:
    """The same folder with copies of two photographs in many sizes and qualities: about ninety pairs."""
    for number in range(COPIES):
        for name in ("coffee", "astronaut"):
            with Image.open(pictures / f"{name}.jpg") as image:
                small = image.resize((image.width - 12 * number, image.height - 8 * number))
                small.save(pictures / f"{name} {number}.jpg", quality=90 - 4 * number)
    return pictures


@pytest.fixture
def workspace(tmp_path: Path, pictures: Path) -> Iterator[Workspace]:
    """A workspace with the location `pics` over `pictures`."""
    with Workspace.create(tmp_path / "workspace") as made:
        made.ledger.add_location("pics", str(pictures), {})
        yield made


@pytest.fixture
def noise_pictures(tmp_path: Path) -> Callable[[int], Path]:
    """A maker of folders with many small, all different pictures."""

    def make(count: int) -> Path:
        folder = tmp_path / "many"
        random = np.random.default_rng(7)
        for number in range(count):
            coarse = random.integers(0, 255, (6, 8, 3), dtype=np.uint8)
            image = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
            path = folder / f"{number % 7}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, quality=85)
        return folder

    return make
