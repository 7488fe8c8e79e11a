"""A workspace over three series of pictures, which `colour` finds alike and no rule takes for copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from deeplens_kit.pipeline import Workspace, index

__all__ = ["EACH", "SERIES", "make_series"]

_ARTIST = 0x013B

# Colours at every size and place: what `colour` finds alike.
SERIES = {"sunset": (230, 120, 40), "meadow": (60, 160, 50), "deep sea": (50, 90, 190)}
EACH = 7


def make_series(folder: Path) -> None:
    """Three series of seven different pictures, the first picture of one many times over, and four by themselves."""
    pictures = folder / "pictures"
    chance = np.random.default_rng(3)
    # Whom a picture is by is private.
    exif = Image.Exif()
    exif[_ARTIST] = "Zebedee Quill"
    for name, colour in SERIES.items():
        (pictures / name).mkdir(parents=True)
        for number in range(EACH):
            noise = chance.normal(scale=12, size=(6, 8, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC)
            picture.save(pictures / name / f"{number}.png", exif=exif)
            if (name, number) == ("meadow", 0):
                for level in range(6):
                    picture.save(pictures / f"grass {level}.png", compress_level=level)
                for ending in ("bmp", "tiff"):
                    picture.save(pictures / f"grass.{ending}")
    shutil.copy(pictures / "sunset" / "1.png", pictures / "again.png")
    for number in range(4):
        lone = chance.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(lone).resize((320, 240), Image.Resampling.NEAREST).save(pictures / f"lone {number}.png")
    with Workspace.create(folder / "workspace"):
        file = folder / "workspace" / "workspace.toml"
        file.write_text(f'{file.read_text()}\n[features]\nenabled = ["clarity", "phash", "pdq", "colour"]\n')
    with Workspace.open(folder / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(pictures), {})
        index(workspace)
