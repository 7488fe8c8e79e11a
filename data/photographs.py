"""The photographs that the sample library is made from, with the terms under which each may be used.

Takes the installed package scikit-image and gives pictures from the files inside its wheel; must not download
anything. Only photographs that scikit-image's own documentation names as CC0 or public domain stand here.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources

from PIL import Image

__all__ = ["PHOTOGRAPHS", "Photograph", "PhotographMissingError", "photograph", "photograph_bytes"]


class PhotographMissingError(RuntimeError):
    """A photograph is not in the installed scikit-image, or is another file than the one whose terms are known."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph and whom to thank for it.

    Attributes:
        name: Short name, the `source_id` in the ground truth.
        file: Name of the file in the folder `skimage/data` of the wheel.
        sha256: Of the file, so that the terms below speak of these very bytes.
        title: What it shows.
        author: Who made or gave it.
        terms: CC0 or public domain, as scikit-image documents it.
        origin: Where scikit-image says that it comes from.
    """

    name: str
    file: str
    sha256: str
    title: str
    author: str
    terms: str
    origin: str


PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        "astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "Eileen Collins, astronaut",
        "NASA",
        "public domain",
        "NASA Great Images database, <https://flic.kr/p/r9qvLn>",
    ),
    Photograph(
        "brick",
        "brick.png",
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        "A brick wall",
        "cc0textures.com (Bricks25)",
        "CC0",
        "<https://cc0textures.com/view.php?tex=Bricks25>",
    ),
    Photograph(
        "camera",
        "camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        "A man with a camera",
        "Lav Varshney",
        "CC0",
        "given to scikit-image by the photographer",
    ),
    Photograph(
        "chelsea",
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "Chelsea the cat",
        "Stefan van der Walt",
        "CC0",
        "given to scikit-image by the photographer",
    ),
    Photograph(
        "clock",
        "clock_motion.png",
        "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955",
        "A wall clock, blurred by motion",
        "Stefan van der Walt",
        "public domain",
        "given to scikit-image by the photographer",
    ),
    Photograph(
        "coffee",
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "A cup of coffee",
        "Rachel Michetti",
        "CC0",
        "given to scikit-image by the photographer, courtesy of Pikolo Espresso Bar",
    ),
    Photograph(
        "grass",
        "grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        "A lawn",
        "linolafett",
        "CC0",
        "<https://www.deviantart.com/linolafett/art/Grass-01-434853879>",
    ),
    Photograph(
        "gravel",
        "gravel.png",
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
        "Gravel",
        "cc0textures.com (Gravel04)",
        "CC0",
        "<https://cc0textures.com/view.php?tex=Gravel04>",
    ),
    Photograph(
        "hubble",
        "hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
        "Hubble eXtreme Deep Field",
        "NASA",
        "public domain",
        "<http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/>",
    ),
    Photograph(
        "retina",
        "retina.jpg",
        "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
        "The retina of a human eye",
        "Mikael Häggström",
        "CC0",
        "<https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg>",
    ),
    Photograph(
        "rocket",
        "rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "Launch photo of DSCOVR on Falcon 9",
        "SpaceX",
        "public domain",
        "<https://www.flickr.com/photos/spacexphotos/16511594820/in/photostream/>",
    ),
)
_BY_NAME = {item.name: item for item in PHOTOGRAPHS}


@cache
def photograph_bytes(name: str) -> bytes:
    """The file of a photograph as the wheel ships it.

    Raises:
        PhotographMissingError: scikit-image is not installed, or ships another file under this name.
    """
    item = _BY_NAME[name]
    try:
        content = (resources.files("skimage") / "data" / item.file).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise PhotographMissingError(
            f"The photograph {item.file!r} is not there: the sample library needs scikit-image; "
            "install it with `pip install scikit-image`."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != item.sha256:
        raise PhotographMissingError(
            f"{item.file!r} of the installed scikit-image is another file (SHA-256 {found[:12]}..., known is "
            f"{item.sha256[:12]}...): its terms are not known; install scikit-image 0.26."
        )
    return content


@cache
def photograph(name: str) -> Image.Image:
    """A photograph as RGB, decoded in full; callers must not change it in place."""
    with Image.open(io.BytesIO(photograph_bytes(name))) as opened:
        return opened.convert("RGB")
