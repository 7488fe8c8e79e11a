"""A small answer about real pictures: scikit-image's photographs, edited, written to files and previewed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image, ImageOps

from deeplens_kit.decode import encode_thumbnail
from deeplens_kit.reporting import DuplicatesFrames
from deeplens_kit.schemas import COVERAGE, FAILURES, GROUPS, PAIRS, RELATED, WITHHELD

PICTURE_COLUMNS = {
    "digest": pl.String,
    "format": pl.String,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "jpeg_quality": pl.Int32,
}
PLACE_COLUMNS = {"object_id": pl.String, "location": pl.String, "path": pl.String}
NAMES = {"loc-a": "Archive", "loc-b": "Shop & <Web>"}


@dataclass(frozen=True)
class Answer:
    """Frames, and the previews of the pictures that they name."""

    frames: DuplicatesFrames
    thumbnails: Mapping[str, bytes]

    def thumbnail(self, digest: str) -> bytes | None:
        return self.thumbnails.get(digest)


@dataclass(frozen=True)
class Picture:
    """One encoded picture."""

    digest: str
    data: bytes
    facts: tuple[str, int, int, int | None]
    preview: bytes


def encoded(image: Image.Image, quality: int | None = 85) -> Picture:
    stream = io.BytesIO()
    if quality is None:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=quality)
    data = stream.getvalue()
    small = ImageOps.contain(image, (384, 384))
    preview = encode_thumbnail(np.asarray(small), 300)
    facts = ("PNG" if quality is None else "JPEG", image.width, image.height, quality)
    return Picture(hashlib.sha256(data).hexdigest(), data, facts, preview)


def member(group_id: str, location_id: str, path: str, picture: Picture, **values: object) -> dict[str, object]:
    size = len(picture.data)
    row: dict[str, object] = {
        "group_id": group_id,
        "object_id": f"{location_id}/{path}",
        "location_id": location_id,
        "path": path,
        "digest": picture.digest,
        "is_keeper": False,
        "tier": "copy",
        "relation": "unverified",
        "score": 0.93,
        "size_bytes": size,
        "frees_bytes": size,
        "reason": "matches the kept picture above the strict thresholds",
    }
    keeper = {"is_keeper": True, "score": 1.0, "frees_bytes": 0, "reason": "has the most pixels that carry detail"}
    return row | (keeper if values.get("is_keeper") else {}) | values


def pair(a: Picture, b: Picture, **values: object) -> dict[str, object]:
    low, high = sorted((a.digest, b.digest))
    row: dict[str, object] = dict.fromkeys(PAIRS.names)
    return (
        row
        | {
            "digest_a": low,
            "digest_b": high,
            "found_by": "pdq",
            "hub": False,
            "tier": "copy",
            "relation": "unverified",
            "score": 0.93,
            "run_id": "r",
        }
        | values
    )


def looked_at(a: Picture, b: Picture, relation: str, region_a: list[float], region_b: list[float]) -> dict[str, object]:
    """A pair that verification looked at; `a` is held against `b`, whichever digest is smaller."""
    swapped = a.digest > b.digest
    covered = [(box[2] - box[0]) * (box[3] - box[1]) for box in (region_a, region_b)]
    boxes = [region_a, region_b]
    if swapped:
        relation = {"part": "contains", "contains": "part"}.get(relation, relation)
        covered, boxes = covered[::-1], boxes[::-1]
    return pair(
        a,
        b,
        relation=relation,
        verification="v",
        inliers=61,
        foreign=0.0,
        correlation=0.9,
        mirrored=False,
        turn_degrees=0.0,
        resolution=1.0,
        covered_a=covered[0],
        covered_b=covered[1],
        region_a=boxes[0],
        region_b=boxes[1],
    )


@pytest.fixture(scope="session")
def answer() -> Answer:
    """Three groups (copies, byte copies, a hostile name), one withheld match, one related pair, four failures."""
    chelsea = Image.fromarray(skimage.data.chelsea())
    coffee = Image.fromarray(skimage.data.coffee())
    astronaut = Image.fromarray(skimage.data.astronaut())
    cat, cat_small = encoded(chelsea, 92), encoded(chelsea.resize((300, 200)), 70)
    cat_turned, cat_mirrored = encoded(chelsea.rotate(-90, expand=True), 85), encoded(ImageOps.mirror(chelsea), 85)
    cup, space = encoded(coffee, 90), encoded(astronaut, None)
    space_grey, space_wide = encoded(astronaut.convert("L").convert("RGB"), 80), encoded(astronaut.resize((900, 900)))
    cat_part = encoded(chelsea.crop((60, 60, 300, 240)), 85)
    sheet_image = Image.new("RGB", (900, 620), "white")
    sheet_image.paste(coffee.resize((420, 280)), (20, 20))
    sheet_image.paste(chelsea.resize((420, 280)), (460, 320))
    sheet = encoded(sheet_image, 88)
    hostile = "evil/<script>alert(1)</script>\n\ufdd0ff.jpg"
    groups = pl.DataFrame(
        [
            member("copy-cat", "loc-a", "2023/holiday/chelsea.jpg", cat, is_keeper=True),
            member("copy-cat", "loc-b", "img/cat-small.jpg", cat_small, score=0.97, relation="whole"),
            member("copy-cat", "loc-b", "img/cat-turned.jpg", cat_turned, score=0.91),
            member("copy-cat", "loc-a", "backup/" + "very-long-folder-name-" * 6 + "/mirrored.jpg", cat_mirrored),
            member("copy-cat", "loc-b", "img/eyes.jpg", cat_part, score=0.9, relation="part"),
            member("bytes-cup", "loc-a", "cup.jpg", cup, is_keeper=True, tier="bytes", relation="whole"),
            member(
                "bytes-cup",
                "loc-a",
                "cup (1).jpg",
                cup,
                tier="bytes",
                relation="whole",
                score=1.0,
                reason="every byte is the same",
            ),
            member(
                "bytes-cup",
                "loc-a",
                "link-to-cup.jpg",
                cup,
                tier="bytes",
                relation="whole",
                score=1.0,
                frees_bytes=0,
                reason="another name of the kept file (hard link)",
            ),
            member("copy-space", "loc-b", "space.png", space, is_keeper=True),
            member("copy-space", "loc-b", hostile, space_grey, score=0.88),
        ],
        schema=GROUPS.polars,
    )
    orientation = 5 if cat_turned.digest > cat.digest else 6
    pairs = pl.DataFrame(
        [
            pair(cat, cat_small, pdq_distance=4, phash_distance=0, orientation=0, sscd_small=0.981, score=0.97),
            pair(cat, cat_turned, pdq_distance=18, phash_distance=2, orientation=orientation, sscd_small=0.71),
            pair(cat, cat_mirrored, pdq_distance=12, phash_distance=2, orientation=1, sscd_small=0.95),
            pair(space, space_grey, pdq_distance=6, orientation=0),
            looked_at(cat, cat_part, "contains", [0.133, 0.2, 0.665, 0.8], [0.0, 0.0, 1.0, 1.0]),
            looked_at(sheet, cup, "composite", [0.022, 0.032, 0.489, 0.484], [0.0, 0.0, 1.0, 1.0]),
        ],
        schema=PAIRS.polars,
    )
    withheld = pl.DataFrame(
        [
            {"keeper_digest": space.digest, "digest": space_wide.digest, "tier": "copy", "score": 0.96,
             "reason": "it has more pixels than the picture that would stay", "companion": None,
             "object_id": "loc-a/space-upscaled.jpg", "keeper_object_id": "loc-a/space.png"}
        ],
        schema=WITHHELD.polars,
    )  # fmt: skip
    related = pl.DataFrame(
        [
            {"digest": sheet.digest, "other_digest": cup.digest, "tier": "copy", "relation": "composite",
             "score": 0.87, "reason": "same picture, 61 matching points; differs in: all around the top left (79 % of "
             "the view)", "object_id": "loc-b/sheet.jpg", "other_object_id": "loc-a/cup.jpg"}
        ],
        schema=RELATED.polars,
    )  # fmt: skip
    all_pictures = [sheet, cat_part, cat, cat_small, cat_turned, cat_mirrored, cup, space, space_grey, space_wide]
    frames = DuplicatesFrames(
        groups=named(groups),
        withheld=withheld,
        related=related,
        pairs=pairs,
        pictures=pl.DataFrame(
            [(item.digest, *item.facts) for item in all_pictures], schema=PICTURE_COLUMNS, orient="row"
        ),
        places=pl.DataFrame(
            [
                ("loc-a/cup.jpg", "Archive", "cup.jpg"),
                ("loc-b/sheet.jpg", "Shop & <Web>", "sheet.jpg"),
                ("loc-a/space.png", "Shop", "space.png"),
                ("loc-a/space-upscaled.jpg", "Shop", "space-upscaled.jpg"),
            ],
            schema=PLACE_COLUMNS,
            orient="row",
        ),
        coverage=named(
            pl.DataFrame(
                [
                    ("loc-a", "indexed", "", 6, 400_000),
                    ("loc-a", "unreadable", "corrupt", 2, 20_000),
                    ("loc-b", "indexed", "", 4, 500_000),
                    ("loc-b", "unsupported", "unsupported", 1, 300),
                    ("loc-b", "too_large", "too_large", 1, 7_000_000),
                ],
                schema=COVERAGE.polars,
                orient="row",
            )
        ),
        failures=named(
            pl.DataFrame(
                [
                    failure("loc-a", "broken <b>.jpg", "corrupt"),
                    failure("loc-a", "half.png", "corrupt"),
                    failure("loc-b", "notes.txt", "unsupported"),
                    failure("loc-b", "bomb.png", "too_large"),
                    failure("loc-b", "secret/", "unreadable", stage="list"),
                ],
                schema=FAILURES.polars,
            )
        ),
    )
    return Answer(frames, {item.digest: item.preview for item in all_pictures if item is not cat_mirrored})


def failure(location_id: str, path: str, code: str, stage: str = "decode") -> dict[str, object]:
    return {
        "object_id": f"{location_id}/{path}",
        "location_id": location_id,
        "path": path,
        "size_bytes": None if path.endswith("/") else 10_000,
        "digest": None,
        "stage": stage,
        "code": code,
        "message": f"{code}: a message",
        "failed_at": datetime(2026, 1, 2, tzinfo=UTC),
        "run_id": "r",
    }


def named(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(location=pl.col("location_id").replace_strict(NAMES, return_dtype=pl.String))


def without_groups(frames: DuplicatesFrames) -> DuplicatesFrames:
    return replace(frames, groups=frames.groups.clear(), withheld=frames.withheld.clear(), pairs=frames.pairs.clear())


@pytest.fixture(scope="session")
def no_duplicates(answer: Answer) -> Answer:
    """Files were analysed and none is a copy of another."""
    return replace(answer, frames=without_groups(answer.frames))


@pytest.fixture(scope="session")
def nothing_analysed(answer: Answer) -> Answer:
    """Every file that was found failed."""
    frames = without_groups(answer.frames)
    missed = frames.coverage.filter(pl.col("outcome") != "indexed")
    return replace(answer, frames=replace(frames, coverage=missed))


@pytest.fixture(scope="session")
def nothing_found(answer: Answer) -> Answer:
    """A workspace without a file."""
    frames = without_groups(answer.frames)
    return replace(answer, frames=replace(frames, coverage=frames.coverage.clear(), failures=frames.failures.clear()))


@pytest.fixture(scope="session")
def page_of() -> Callable[[Answer], str]:
    """Makes the page of an answer."""
    from deeplens_kit.reporting import describe_duplicates, render_duplicates_page

    def make(answer: Answer, **options: object) -> str:
        view = describe_duplicates(
            answer.frames,
            workspace="pictures <b>of</b> the office",
            made_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
            version="1.2.3",
            **options,  # type: ignore[arg-type]
        )
        return b"".join(render_duplicates_page(view, answer.thumbnail)).decode()

    return make
