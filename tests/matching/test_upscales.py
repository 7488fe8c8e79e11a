"""An enlargement is no keeper, and a genuine larger picture is no enlargement, where the pair says so."""

from __future__ import annotations

import polars as pl
import pytest
from matching_worlds import digest_of, pair, picture, stored, world

from deeplens_kit.matching import STRICT, group
from deeplens_kit.matching.upscales import mark_outdone, with_resolution
from deeplens_kit.schemas import PAIRS, PICTURES

BIG, HALF = {"width_px": 4000, "height_px": 3000}, {"width_px": 2000, "height_px": 1500}


def linked(first: str, second: str, ratio: float | None, **values: object) -> dict[str, object]:
    """A pair in which the first picture has `ratio` pixels per pixel of the second."""
    swapped = digest_of(first) > digest_of(second)
    return pair(first, second, resolution=1 / ratio if swapped and ratio is not None else ratio, **values)


def keeper_of(*pictures: dict[str, object], pairs: list[dict[str, object]], names: tuple[str, ...]) -> str | None:
    """Name of the only keeper of copies, None where nothing is proposed."""
    made = world([stored(f"{name}.jpg", name) for name in names], list(pictures), pairs)
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    kept = set(groups.filter(pl.col("is_keeper") & (pl.col("tier") == "copy"))["digest"])
    by_digest = {digest_of(name): name for name in names}
    return by_digest[kept.pop()] if kept else None


@pytest.mark.parametrize(
    ("large", "small", "ratio", "kept"),
    [
        (BIG, HALF, 2.0, "large"),
        (BIG, HALF, 1.0, "small"),
        (BIG, HALF, 1.05, "small"),
        (BIG, HALF, 0.7, "small"),
        # What it was saved with afterwards makes an enlargement no better, but it may come from a better version.
        (BIG | {"jpeg_quality": 98}, HALF, 1.0, None),
        (BIG | {"jpeg_quality": 80}, HALF, 1.0, "small"),
        # A soft photograph looks like an enlargement; its copy shows that it is none.
        (BIG | {"effective_pixels": 2_500_000}, HALF, 2.0, "large"),
        # Sharpening hides the enlargement from whoever sees it alone.
        (BIG | {"effective_pixels": 12_000_000}, HALF | {"effective_pixels": 1_000_000}, 1.0, "small"),
        # Of one size, one of them blown up from a thumbnail and saved with more quality.
        (BIG | {"jpeg_quality": 98}, BIG, 0.3, None),
        (BIG, BIG, 0.3, "small"),
    ],
)
def test_the_pair_decides_who_stays(
    large: dict[str, object], small: dict[str, object], ratio: float, kept: str | None
) -> None:
    rows = picture("large", **large), picture("small", **small)
    assert keeper_of(*rows, pairs=[linked("large", "small", ratio)], names=("large", "small")) == kept


def test_without_a_measured_pair_single_measures_decide() -> None:
    soft = picture("large", **BIG, effective_pixels=2_500_000), picture("small", **HALF)
    assert keeper_of(*soft, pairs=[linked("large", "small", None)], names=("large", "small")) == "small"


def test_an_enlargement_counts_as_what_its_smallest_copy_leaves_it() -> None:
    names = ("large", "middle", "small")
    sizes = BIG, {"width_px": 3000, "height_px": 2250}, HALF
    pictures = pl.DataFrame(
        [picture(name, **size) for name, size in zip(names, sizes, strict=True)], schema=PICTURES.polars
    )
    pairs = pl.DataFrame([linked("large", "middle", 1.0), linked("middle", "small", 1.0)], schema=PAIRS.polars)
    found = mark_outdone(with_resolution(pictures, pairs), pairs)
    assert found["outdone"].to_list() == [True, True, False]
    assert found["paired_pixels"].to_list() == [6_122_449, 2_721_088, None]


def test_only_the_part_in_common_speaks_for_the_size() -> None:
    # The large one enlarges a quarter of the small one.
    pictures = pl.DataFrame([picture("large", **BIG), picture("small", **HALF)], schema=PICTURES.polars)
    first = digest_of("large") < digest_of("small")
    covered = {"covered_a": 1.0 if first else 0.25, "covered_b": 0.25 if first else 1.0}
    pairs = pl.DataFrame([linked("large", "small", 1.0, **covered)], schema=PAIRS.polars)
    assert with_resolution(pictures, pairs)["paired_pixels"].to_list() == [680_272, None]
