"""What stands in the sample library: every file, how it is made, and what is true of it.

Takes the photographs and the edits, gives a list of entries; must not write files. The list is the ground truth:
`expected` says what is right for a file, `evidence` the weakest evidence by which it can be known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from PIL import Image

from data.bad_files import decompression_bomb, scrambled_png, truncated
from data.companions import movie, raw_file
from data.compositions import browser_screenshot, chat_screenshot, collage
from data.drawings import Purchase, blank_page, form, icon, receipt, scanned
from data.edits import (
    added_noise,
    brightened,
    captioned,
    cropped,
    encoded,
    exif_block,
    greyed,
    mirrored,
    recoloured,
    scaled,
    tilted,
    turned,
    watermarked,
    without_exif,
)
from data.photographs import photograph, photograph_bytes

__all__ = ["Entry", "contents"]

Content = Callable[[], bytes]
Evidence = Literal["bytes", "pixels", "hash", "local", ""]
Location = Literal["share", "laptop"]
_SEED = 20_240_229
_BOMB_SIDE_PX = 60_000
"""3.6 thousand million pixels: above any sensible limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the library and the truth about it.

    Attributes:
        location: "share" or "laptop".
        path: Relative to the location, '/' between parts.
        source_id: Equal for copies of one picture; empty for what is no picture.
        family: What was done to it, for example "reencode".
        expected: "keeper" (stays, has copies), "copy" (of the keeper of the same source), "stays" (shows what the
            keeper of the same source shows, or a part of it, and is not to be removed for it), "distinct" (a copy of
            nothing), "skipped" (a symlink: never followed) or the code of the failure that it has to end as.
        evidence: "bytes" (equal content), "pixels" (equal samples), "hash" (a global hash in one of eight
            orientations is near the keeper's), "local" (only local features or a closer look show it); empty where
            there is nothing to find.
        note: In a few words for the reader of a report.
        content: Makes the bytes; None for links.
        relation: To the keeper of the same source: "whole" (the same view), "part" (of the keeper's view),
            "composite" (it holds the keeper's view and more); empty where there is none.
        link: "hard" or "symbolic" for a second name of `target`.
        target: (location, path) that the link names.
    """

    location: Location
    path: str
    source_id: str
    family: str
    expected: str
    evidence: Evidence
    note: str
    content: Content | None = None
    relation: Literal["whole", "part", "composite", ""] = ""
    link: Literal["", "hard", "symbolic"] = ""
    target: tuple[str, str] = ("", "")


def contents() -> tuple[Entry, ...]:
    """Every entry: targets stand before their links, a keeper before its copies."""
    return (
        *_astronaut(),
        *_camera(),
        *_chelsea(),
        *_coffee(),
        *_rocket(),
        *_retina(),
        *_textures(),
        *_stays(),
        *_receipts(),
        *_look_alikes(),
        *_bad_files(),
    )


@cache
def _camera_jpeg() -> bytes:
    return encoded(photograph("camera"), "JPEG", 97, exif_block("2019:06:02 10:30:00"))


@cache
def _chelsea_jpeg() -> bytes:
    # Stored on its side, as a telephone held upright does; viewers turn it by the EXIF orientation.
    stored = photograph("chelsea").transpose(Image.Transpose.ROTATE_90)
    return encoded(stored, "JPEG", 95, exif_block("2019:06:03 08:12:45", orientation=6))


@cache
def _half(name: str, *, right: bool) -> Image.Image:
    """One half of a photograph: the two halves share no pixel, so they are two photographs of one scene."""
    return cropped(photograph(name), 0.5 if right else 0.0, 0.0, 1.0 if right else 0.5, 1.0)


def _copy(
    location: Location,
    path: str,
    source_id: str,
    family: str,
    evidence: Evidence,
    note: str,
    content: Content,
) -> Entry:
    relation: Literal["whole", "part"] = "part" if family == "crop" else "whole"
    return Entry(location, path, source_id, family, "copy", evidence, note, content, relation)


def _keeper(path: str, source_id: str, note: str, content: Content) -> Entry:
    return Entry("share", path, source_id, "original", "keeper", "", note, content)


# The entries below read as a table: one call, its note, its content.
# fmt: off
def _astronaut() -> tuple[Entry, ...]:
    name, picture = "astronaut", photograph("astronaut")
    return (
        _keeper("photos/portraits/astronaut.png", name, "the master, lossless", lambda: photograph_bytes(name)),
        _copy("laptop", "Downloads/eileen (1).png", name, "renamed", "bytes", "the same bytes, another name",
              lambda: photograph_bytes(name)),
        _copy("laptop", "export/astronaut_q85.jpg", name, "reencode", "hash", "JPEG, quality 85",
              lambda: encoded(picture, "JPEG", 85)),
        _copy("share", "intranet/astronaut-60.webp", name, "resize", "hash", "60 % of the side, WebP",
              lambda: encoded(scaled(picture, 0.6), "WEBP", 80)),
        _copy("laptop", "scans/astronaut.tif", name, "format", "pixels", "the same samples as TIFF",
              lambda: encoded(picture, "TIFF")),
        _copy("share", "layout/astronaut_turned.jpg", name, "rotate90", "hash", "turned by 90 degrees",
              lambda: encoded(turned(picture), "JPEG", 90)),
        _copy("laptop", "slides/astronaut_mirrored.jpg", name, "mirror", "hash", "left and right exchanged",
              lambda: encoded(mirrored(picture), "JPEG", 90)),
    )


def _camera() -> tuple[Entry, ...]:
    name, picture = "camera", photograph("camera")
    original = "photos/2019/IMG_0412.JPG"
    return (
        _keeper(original, name, "as the camera wrote it, with EXIF", _camera_jpeg),
        _copy("laptop", "mail/IMG_0412.JPG", name, "metadata", "pixels", "EXIF stripped, samples untouched",
              lambda: without_exif(_camera_jpeg())),
        Entry("share", "photos/by subject/IMG_0412.JPG", name, "hard link", "copy", "bytes",
              "a second name of one file: frees nothing", relation="whole", link="hard", target=("share", original)),
        _copy("laptop", "mail/IMG_0412 cropped.jpg", name, "crop", "local", "the middle 60 % of each side",
              lambda: encoded(cropped(picture, 0.1, 0.05, 0.7, 0.65), "JPEG", 92)),
        _copy("laptop", "mail/IMG_0412 bright.jpg", name, "brightness", "hash", "a quarter brighter",
              lambda: encoded(brightened(picture, 1.25), "JPEG", 92)),
    )


def _chelsea() -> tuple[Entry, ...]:
    name, picture = "chelsea", photograph("chelsea")
    return (
        _keeper("photos/2019/IMG_0498.JPG", name, "stored on its side, EXIF orientation 6", _chelsea_jpeg),
        _copy("laptop", "phone/IMG_0498.avif", name, "format", "hash", "AVIF",
              lambda: encoded(picture, "AVIF", 70)),
        _copy("laptop", "phone/IMG_0498.heic", name, "format", "hash", "HEIC, 90 % of the side",
              lambda: encoded(scaled(picture, 0.9), "HEIF", 75)),
        _copy("share", "intranet/thumbs/chelsea.jpg", name, "thumbnail", "hash", "200 px wide",
              lambda: encoded(scaled(picture, 200 / picture.width), "JPEG", 80)),
        _copy("laptop", "phone/the cat & I, 100% #1 \N{CAT FACE}.jpg", name, "odd name", "hash",
              "space, comma, &, %, # and an emoji in the name", lambda: encoded(picture, "JPEG", 80)),
        _copy("laptop", "shop/chelsea_marked.jpg", name, "watermark", "hash",
              "a line of text in the corner, at the original's own quality",
              lambda: encoded(watermarked(picture, "sample cats"), "JPEG", 95)),
        _copy("laptop", "export/IMG_0498 saved again.jpg", name, "reencode", "hash",
              "saved again, one step above the original's quality", lambda: encoded(picture, "JPEG", 96)),
        _copy("laptop", "export/IMG_0498 grey.png", name, "recolour", "hash",
              "without its colours, but lossless and stored as RGB", lambda: encoded(greyed(picture), "PNG")),
    )


def _coffee() -> tuple[Entry, ...]:
    name, picture = "coffee", photograph("coffee")
    return (
        _keeper("photos/menu/coffee.png", name, "the master, lossless", lambda: photograph_bytes(name)),
        _copy("share", "photos/menu/coffee_large.jpg", name, "upscale", "hash",
              "twice the side: more pixels, no more detail", lambda: encoded(scaled(picture, 2.0), "JPEG", 92)),
        _copy("laptop", "shop/coffee_marked.jpg", name, "watermark", "hash", "a line of text in the corner",
              lambda: encoded(watermarked(picture, "sample coffee bar"), "JPEG", 92)),
        _copy("laptop", "shop/coffee_sepia.jpg", name, "recolour", "hash", "sepia",
              lambda: encoded(recoloured(picture), "JPEG", 92)),
        _copy("laptop", "shop/new\nline.png", name, "odd name", "hash", "a line break in the name; 80 % of the side",
              lambda: encoded(scaled(picture, 0.8), "PNG")),
    )


def _rocket() -> tuple[Entry, ...]:
    name, picture = "rocket", photograph("rocket")
    original = "photos/press/falcon9.jpg"
    return (
        _keeper(original, name, "as published", lambda: photograph_bytes(name)),
        Entry("laptop", "desktop/launch.jpg", name, "symlink", "skipped", "", "a symbolic link into the other location",
              link="symbolic", target=("share", original)),
        _copy("laptop", "desktop/launch_small.jpg", name, "reencode", "hash", "JPEG, quality 40",
              lambda: encoded(picture, "JPEG", 40)),
    )


def _retina() -> tuple[Entry, ...]:
    name, picture = "retina", photograph("retina")
    return (
        _keeper("photos/clinic/fundus.jpg", name, "1,411 px", lambda: photograph_bytes(name)),
        _copy("laptop", "talk/fundus_700.jpg", name, "resize", "hash", "half the side",
              lambda: encoded(scaled(picture, 0.5), "JPEG", 88)),
        _copy("laptop", "talk/fundus.bmp", name, "resize", "hash", "a quarter of the side, BMP",
              lambda: encoded(scaled(picture, 0.25), "BMP")),
    )


def _textures() -> tuple[Entry, ...]:
    gravel, brick, clock = photograph("gravel"), photograph("brick"), photograph("clock")
    return (
        _keeper("textures/gravel.png", "gravel", "the master, lossless", lambda: photograph_bytes("gravel")),
        _copy("laptop", "game/gravel.jpg", "gravel", "noise", "hash", "noise of 8 levels, JPEG",
              lambda: encoded(added_noise(gravel, 8.0, _SEED), "JPEG", 90)),
        _keeper("textures/brick.png", "brick", "the master, lossless", lambda: photograph_bytes("brick")),
        _copy("laptop", "game/brick_straight.jpg", "brick", "tilt", "local", "turned by 4 degrees",
              lambda: encoded(tilted(brick, 4.0), "JPEG", 90)),
        _keeper("photos/objects/clock.png", "clock", "the master, lossless", lambda: photograph_bytes("clock")),
        _copy("laptop", "web/clock.gif", "clock", "format", "hash", "GIF, 256 colours, 90 % of the side",
              lambda: encoded(scaled(clock, 0.9), "GIF")),
    )


def _stays() -> tuple[Entry, ...]:
    coffee, chelsea, rocket = photograph("coffee"), photograph("chelsea"), photograph("rocket")
    ngc = _half("hubble", right=True)

    def stays(location: Location, path: str, source_id: str, family: str, note: str, content: Content) -> Entry:
        return Entry(location, path, source_id, family, "stays", "local", note, content, "composite")

    def companion(location: Location, path: str, source_id: str, expected: str, note: str, content: Content) -> Entry:
        return Entry(location, path, source_id, "companion", expected, "", note, content)

    return (
        stays("share", "intranet/launch_caption.png", "rocket", "caption",
              "with a caption below: the photograph is a part of it",
              lambda: encoded(captioned(rocket, "Ready for launch"), "PNG")),
        stays("share", "intranet/newsletter_march.jpg", "coffee", "collage", "one of four photographs on one sheet",
              lambda: encoded(collage([coffee, chelsea, rocket, photograph("retina")], 300), "JPEG", 90)),
        stays("laptop", "desktop/Screenshot 2024-03-04 09.41.12.png", "rocket", "screenshot",
              "a page in a browser that shows the photograph", lambda: encoded(browser_screenshot(rocket), "PNG")),
        stays("laptop", "phone/Screenshot_20240304-094112.jpg", "chelsea", "screenshot",
              "a chat in which the photograph was sent", lambda: encoded(chat_screenshot(chelsea), "JPEG", 90)),
        companion("share", "photos/2019/IMG_0412.DNG", "camera", "stays",
                  "the RAW file of IMG_0412.JPG, not left behind",
                  lambda: raw_file(_camera_jpeg(), photograph("camera").size)),
        Entry("laptop", "phone/IMG_0733.HEIC", "coffee", "live photo", "stays", "hash",
              "a copy, but the still of a Live Photo: it belongs with its movie",
              lambda: encoded(scaled(coffee, 0.9), "HEIF", 75), "whole"),
        companion("laptop", "phone/IMG_0733.MOV", "", "unsupported", "the movie of the Live Photo IMG_0733.HEIC",
                  movie),
        Entry("share", "photos/sky/thumbs/ngc.jpg", "hubble-right", "thumbnail", "stays", "",
              "all of one part of the sky, small; the whole of it in full is nowhere",
              lambda: encoded(scaled(ngc, 0.3), "JPEG", 88)),
        Entry("laptop", "photos/sky/ngc detail.jpg", "hubble-right", "full-size crop", "stays", "",
              "a part of it in full: neither can stand for the other",
              lambda: encoded(cropped(ngc, 0.1, 0.2, 0.9, 0.75), "JPEG", 95)),
    )


def _receipts() -> tuple[Entry, ...]:
    shop = ("CORNER MARKET", "12 Harbour Road, Leeds", "VAT 410 2207 18", "Tel. 0113 496 0717")
    first = Purchase(20417, "04.03.2024 17:42", (("Bread, rye", 320), ("Milk 2 l", 189), ("Apples", 245)), "Anna")
    second = Purchase(20418, "04.03.2024 17:44", (("Bread, rye", 320), ("Milk 2 l", 189), ("Pears", 312)), "Anna")
    page = scanned(receipt(shop, first), 5)
    return (
        _keeper("forms/receipt_20417.jpg", "receipt-1", "a receipt, scanned", lambda: encoded(page, "JPEG", 92)),
        _copy("laptop", "travel/receipt_20417.jpg", "receipt-1", "resize", "hash", "three quarters of the side",
              lambda: encoded(scaled(page, 0.75), "JPEG", 80)),
        Entry("share", "forms/receipt_20418.jpg", "receipt-2", "template", "distinct", "",
              "the next receipt of the same till", lambda: encoded(scanned(receipt(shop, second), 6), "JPEG", 92)),
    )


def _look_alikes() -> tuple[Entry, ...]:
    def distinct(
        location: Location, path: str, source_id: str, family: str, note: str, content: Content
    ) -> Entry:
        return Entry(location, path, source_id, family, "distinct", "", note, content)

    first = (("Name", "M. Okafor"), ("Department", "Field service"), ("Date", "4 March 2024"),
             ("What for", "Train to Leeds, return"), ("Amount", "112.40"), ("Account", "GB 4410 2207"))
    second = (("Name", "Liselotte Brandt-Vermeer"), ("Department", "Sales"), ("Date", "29 January 2023"),
              ("What for", "Hotel, two nights, and breakfast"), ("Amount", "8.95"), ("Account", "NL 93 ABNA"))
    return (
        distinct("share", "photos/sky/m31.jpg", "hubble-left", "same scene", "one sky, another part than ngc",
                 lambda: encoded(_half("hubble", right=False), "JPEG", 95)),
        distinct("share", "textures/lawn_1.png", "grass-left", "same scene", "one lawn, another spot",
                 lambda: encoded(_half("grass", right=False), "PNG")),
        distinct("laptop", "game/lawn_2.png", "grass-right", "same scene", "one lawn, another spot",
                 lambda: encoded(_half("grass", right=True), "PNG")),
        distinct("share", "forms/claim_0117.png", "form-1", "template", "a form, filled in by one person",
                 lambda: encoded(form(first, 1), "PNG")),
        distinct("share", "forms/claim_0118.png", "form-2", "template", "the same form, filled in by another",
                 lambda: encoded(form(second, 2), "PNG")),
        distinct("share", "forms/back_0117.jpg", "blank-1", "blank", "an empty page",
                 lambda: encoded(blank_page(1), "JPEG", 90)),
        distinct("share", "forms/back_0118.jpg", "blank-2", "blank", "another empty page",
                 lambda: encoded(blank_page(2), "JPEG", 90)),
        distinct("laptop", "icons/ring.png", "icon-ring", "icon", "a plain icon",
                 lambda: encoded(icon("ring", "#1d4ed8"), "PNG")),
        distinct("laptop", "icons/disc.png", "icon-disc", "icon", "a plain icon",
                 lambda: encoded(icon("disc", "#1d4ed8"), "PNG")),
        distinct("laptop", "icons/cross.png", "icon-cross", "icon", "a plain icon",
                 lambda: encoded(icon("cross", "#b91c1c"), "PNG")),
    )


def _bad_files() -> tuple[Entry, ...]:
    def bad(
        location: Location, path: str, family: str, code: str, note: str, content: Content
    ) -> Entry:
        return Entry(location, path, "", family, code, "", note, content)

    return (
        bad("share", "photos/press/falcon9_partial.jpg", "truncated", "corrupt", "the first 55 % of a JPEG",
            lambda: truncated(photograph_bytes("rocket"), 0.55)),
        bad("laptop", "rescued/f0001.png", "corrupt", "corrupt", "a PNG with overwritten samples",
            lambda: scrambled_png(photograph_bytes("clock"))),
        bad("laptop", "Downloads/banner.png", "bomb", "too_large", "claims 60,000 x 60,000 pixels in under 200 bytes",
            lambda: decompression_bomb(_BOMB_SIDE_PX)),
        bad("laptop", "Downloads/unfinished.jpg", "empty", "empty", "0 bytes", lambda: b""),
        bad("share", "forms/readme.jpg", "text", "not_a_picture", "a text that is named .jpg",
            lambda: b"The pictures of these claims are in the folder photos.\n"),
    )
