"""Workspaces over a few small pictures, with one cheap feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.pipeline import Workspace

PICTURES = 12
_SETTINGS = """
[features]
enabled = ["phash"]

[index]
commit_pictures = 3
workers = 1
"""


def noise(number: int) -> Image.Image:
    """A picture like no other."""
    coarse = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a new workspace: `pics` holds pictures, `taking` takes new ones."""
    pictures, taking = tmp_path / "pictures", tmp_path / "taking"
    for place in (pictures, taking):
        place.mkdir()
    for number in range(PICTURES):
        noise(number).save(pictures / f"{number}.jpg", quality=85)
    (pictures / "broken.jpg").write_bytes((pictures / "0.jpg").read_bytes()[:300])
    made = tmp_path / "workspace"
    with Workspace.create(made) as workspace:
        workspace.ledger.add_location("pics", str(pictures), {})
        workspace.ledger.add_location("taking", str(taking), {"permissions": "create"})
    with (made / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write(_SETTINGS)
    return made


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder) as opened:
        yield opened


@pytest.fixture
def picture_bytes(tmp_path: Path) -> Callable[[int], bytes]:
    """Bytes of a picture that no folder holds."""

    def make(number: int) -> bytes:
        path = tmp_path / "sent.jpg"
        noise(1_000 + number).save(path, quality=85)
        return path.read_bytes()

    return make
