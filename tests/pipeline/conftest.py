"""Small folders of real pictures, and workspaces over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from copied_pictures import CopiedPictures, make_copied_pictures, make_matched_pictures, write_pictures
from PIL import Image
from shared_folder import shared_folder

from deeplens_kit.pipeline import Workspace


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four photographs, one of them twice, a re-encoded copy, an empty, a truncated and a foreign file."""
    return write_pictures(tmp_path / "pictures")


@pytest.fixture(scope="session")
def matched_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over `pictures`, indexed and matched. Not to be changed: take a copy of it."""
    return shared_folder(tmp_path_factory, "matched-pictures", make_matched_pictures) / "workspace"


@pytest.fixture(scope="session")
def copied_pictures(tmp_path_factory: pytest.TempPathFactory) -> CopiedPictures:
    made = shared_folder(tmp_path_factory, "copied-pictures", make_copied_pictures)
    return CopiedPictures(made / "pictures", made / "indexed", made / "matched")


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
