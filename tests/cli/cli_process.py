"""The command in a process of its own, and a folder of real pictures with copies, odd names and broken files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skimage.data
from PIL import Image, ImageOps

_COMMAND = "import sys; from deeplens_kit.cli import main; sys.argv[0] = 'deeplens'; sys.exit(main())"
ROOT = Path(__file__).parent.parent.parent
ODD_NAME = 'line\nbreak, "quoted".png'
UNDECODABLE = b"caf\xe9.jpg"
FORMULA = "=1+1.jpg"


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Deeplens = Callable[..., Result]


def command(*words: object) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-c", _COMMAND, *map(str, words)]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DEEPLENS_WORKSPACE"}
    return kept | {"PYTHONPATH": str(ROOT)} | changes


def in_process(*words: object, **changes: str) -> Result:
    """Run the command in a process of its own."""
    done = subprocess.run(command(*words), env=environment(**changes), capture_output=True, text=True, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def make_pictures(folder: Path) -> dict[str, Path]:
    """Two locations: photographs with copies of each kind, and files that are none."""
    archive, shop = folder / "archive", folder / "shop"
    (archive / "2023").mkdir(parents=True)
    shop.mkdir()
    cat, cup = Image.fromarray(skimage.data.chelsea()), Image.fromarray(skimage.data.coffee())
    cat.save(archive / "2023" / "cat.jpg", quality=95)
    (archive / "cat again.jpg").write_bytes((archive / "2023" / "cat.jpg").read_bytes())
    cat.resize((300, 199)).save(shop / "cat-small.jpg", quality=70)
    ImageOps.mirror(cat).save(shop / FORMULA, quality=85)
    cup.save(archive / "cup.png")
    os.link(archive / "cup.png", archive / "cup-linked.png")
    cup.save(shop / ODD_NAME, compress_level=1)
    cup.rotate(90, expand=True).save(os.fsencode(shop) + b"/" + UNDECODABLE, "JPEG", quality=90)
    Image.fromarray(skimage.data.astronaut()).save(shop / "<script>alert(1)<x>.jpg")
    (shop / "broken.jpg").write_bytes((archive / "2023" / "cat.jpg").read_bytes()[:3000])
    (shop / "notes.txt").write_text("no picture")
    (shop / "empty.jpg").write_bytes(b"")
    return {"archive": archive, "shop": shop}
