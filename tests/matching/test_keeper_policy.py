"""The keeper order is total; a member that may be worth more than its keeper is withheld."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from matching_worlds import digest_of, picture

from deeplens_kit.matching.keep_order import keeper_order
from deeplens_kit.matching.policy import REASONS, Withhold, withhold_codes
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.schemas import PICTURES


def order(*rows: dict[str, object]) -> list[str]:
    traits = keeper_order(picture_traits(pl.DataFrame(list(rows), schema=PICTURES.polars)))
    return traits["digest"].to_list()


def verdict(keeper: dict[str, object], member: dict[str, object], resolution: float | None = None) -> Withhold:
    rows = pl.DataFrame([picture("keeper", **keeper), picture("member", **member)], schema=PICTURES.polars)
    ratio = None if resolution is None else np.array([resolution], np.float32)
    return Withhold(withhold_codes(picture_traits(rows), np.array([0]), np.array([1]), ratio)[0])


BIG, HALF = {"width_px": 4000, "height_px": 3000}, {"width_px": 2000, "height_px": 1500}
PNG = {"format": "PNG", "lossless": True, "jpeg_quality": None, "size_bytes": 9_000_000}
HEIF = {"format": "HEIF", "jpeg_quality": None}
ORIGINAL = {"taken_at": datetime(2001, 1, 1)}
RAW = {"format": "RAW", "mode": "RGB;16", "lossless": True, "jpeg_quality": None, "auxiliary": "sensor data"}
UNMEASURED = BIG | {"effective_pixels": None}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"width_px": 4000}, {"width_px": 2000, "lossless": True, "format": "PNG"}),
        ({"effective_pixels": 12_000_000}, {"width_px": 8000, "height_px": 6000, "effective_pixels": 3_000_000}),
        ({"lossless": True, "format": "PNG", "width_px": 3996}, {"width_px": 4000, "jpeg_quality": 100}),
        ({"jpeg_quality": 95, "size_bytes": 1}, {"jpeg_quality": 90}),
        ({"jpeg_quality": 30}, {"jpeg_quality": None, "format": "WEBP"}),
        (HEIF | {"size_bytes": 3_000_000}, HEIF | {"size_bytes": 2_000_000}),
        # A palette holds too few colours to stand for a photograph, lossless or not.
        ({}, {"format": "GIF", "mode": "P", "lossless": True, "jpeg_quality": None}),
        (PNG | {"has_alpha": True, "mode": "RGBA"}, PNG | {"taken_at": datetime(2001, 1, 1)}),
        # Saved again at its own quality or a little above, with a watermark or noise on it: the original stays.
        *(
            (ORIGINAL, {"jpeg_quality": quality, "size_bytes": 3_000_000, "taken_at": datetime(2003, 1, 1)})
            for quality in (90, 91, 92)
        ),
        (
            HEIF | ORIGINAL | {"size_bytes": 2_100_000},
            HEIF | {"size_bytes": 2_400_000, "taken_at": datetime(2003, 1, 1)},
        ),
        ({"camera": "Example One"}, {"jpeg_quality": 92, "size_bytes": 3_000_000}),
        ({"camera": "Example One", "taken_at": datetime(2003, 1, 1)}, {}),
        # What says when it was taken is the original until something tells otherwise; what is better stays beside it.
        (ORIGINAL, {"jpeg_quality": 93}),
        ({"camera": "Example One"}, PNG),
        # A bitmap is no better than a PNG for being larger; the older one stays.
        (
            {"lossless": True, "format": "PNG", "taken_at": datetime(2001, 1, 1)},
            {"lossless": True, "format": "BMP", "size_bytes": 36_000_000},
        ),
        ({"taken_at": datetime(2001, 1, 1)}, {"taken_at": datetime(2002, 1, 1)}),
        ({"taken_at": datetime(2001, 1, 1)}, {"taken_at": None}),
    ],
)
def test_the_better_keeper_comes_first(better: dict[str, object], worse: dict[str, object]) -> None:
    for names in (("x", "y"), ("y", "x")):
        rows = [picture(names[0], **better), picture(names[1], **worse)]
        assert order(*rows) == order(*reversed(rows)) == [digest_of(name) for name in names]


@pytest.mark.parametrize(
    ("keeper", "member", "expected"),
    [
        (BIG, HALF, Withhold.NO),
        (BIG, BIG, Withhold.NO),
        (BIG, HALF | {"jpeg_quality": 99, "size_bytes": 1_000_000}, Withhold.NO),
        (BIG, {"width_px": 64, "height_px": 48, "jpeg_quality": 100, "size_bytes": 9_000}, Withhold.NO),
        (PNG, BIG, Withhold.NO),
        (BIG, HALF | PNG, Withhold.NO),
        (HALF, BIG, Withhold.DETAIL),
        (HALF, BIG | {"effective_pixels": 3_100_000}, Withhold.NO),
        # Twice the side, but the keeper is soft, or nobody looked: nothing shows that the larger one is the upscale.
        (HALF | {"effective_pixels": 2_000_000}, BIG | {"effective_pixels": 3_100_000}, Withhold.PIXELS),
        (HALF | {"effective_pixels": None}, BIG | {"effective_pixels": 3_100_000}, Withhold.PIXELS),
        # A blurred original beside its own 80 %: both count as upscales, and noise decides which resolves more.
        (
            {"width_px": 3200, "height_px": 2400, "effective_pixels": 3_500_000},
            BIG | {"effective_pixels": 3_400_000},
            Withhold.PIXELS,
        ),
        (UNMEASURED, HALF, Withhold.UNMEASURED),
        (UNMEASURED, {"width_px": 3799, "height_px": 2850}, Withhold.UNMEASURED),
        (UNMEASURED, {"width_px": 3801, "height_px": 2850}, Withhold.NO),
        (UNMEASURED, BIG, Withhold.NO),
        (HALF, BIG | {"effective_pixels": 12_000_000}, Withhold.DETAIL),
        ({"width_px": 3990, "height_px": 3000}, BIG, Withhold.PIXELS),
        (HALF, BIG | {"effective_pixels": 6_100_000}, Withhold.DETAIL),  # soft, but no upscale
        (BIG | {"effective_pixels": 4_000_000}, HALF | {"effective_pixels": 3_000_000}, Withhold.NO),
        # A measure misled by noise or dither in the keeper does not cost a better picture of the same size.
        (BIG | {"jpeg_quality": 10}, BIG | {"jpeg_quality": 95, "effective_pixels": 3_000_000}, Withhold.QUALITY),
        (BIG, PNG | {"effective_pixels": 3_000_000}, Withhold.LOSSLESS),
        (BIG, PNG, Withhold.LOSSLESS),
        # 256 colours, dithered, of a photograph; a drawing takes a tenth of its bytes and is told by nothing else.
        (BIG | ORIGINAL, PNG | {"mode": "P", "format": "GIF"}, Withhold.NO),
        (BIG | ORIGINAL, PNG | {"mode": "P", "format": "GIF", "size_bytes": 3_500_000}, Withhold.LOSSLESS),
        (BIG, PNG | {"mode": "P", "format": "GIF"}, Withhold.LOSSLESS),
        # Grain that was added to a copy is no detail; where the keeper is first for its quality, nobody knows.
        ({"sharpness": 10.0}, {"sharpness": 30.0}, Withhold.NO),
        ({"sharpness": 10.0, "jpeg_quality": 95}, {"sharpness": 30.0}, Withhold.SHARPER),
        ({"sharpness": 10.0, "effective_pixels": 6_000_000}, {"sharpness": 30.0}, Withhold.DETAIL),
        ({"sharpness": 10.0, "effective_pixels": None}, {"sharpness": 30.0}, Withhold.SHARPER),
        # Behind what is transparent the other may show something.
        (PNG | {"has_alpha": True, "mode": "RGBA"}, {}, Withhold.OPAQUE),
        (PNG | {"has_alpha": True, "mode": "RGBA"}, PNG | {"has_alpha": True, "mode": "RGBA"}, Withhold.NO),
        (BIG, BIG | {"jpeg_quality": 92}, Withhold.NO),
        (BIG, BIG | {"jpeg_quality": 93}, Withhold.QUALITY),
        (BIG | {"jpeg_quality": 30}, HALF | {"jpeg_quality": 98, "size_bytes": 2_000_001}, Withhold.MORE_DATA),
        (BIG, {"format": "HEIF", "jpeg_quality": None, "size_bytes": 1_000_000}, Withhold.CODEC),
        (BIG, {"format": "WEBP", "jpeg_quality": None, "size_bytes": 1_000_000}, Withhold.NO),
        (BIG, HALF | {"format": "HEIF", "jpeg_quality": None, "size_bytes": 1_900_000}, Withhold.NO),
        (BIG, HALF | {"frames": 2}, Withhold.FRAMES),
        (BIG | PNG | {"mode": "P"}, HALF, Withhold.COLOURS),
        (BIG | {"mode": "L"}, HALF, Withhold.COLOURS),
        (BIG, HALF | {"mode": "L"}, Withhold.NO),
        (BIG, HALF | {"mode": "I;16"}, Withhold.DEPTH),
        # What is deeper is never given up, however deep the keeper is.
        (PNG | {"mode": "RGB;16"}, PNG | {"mode": "RGB;32f"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;16"}, PNG | {"mode": "RGB;16f"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;16"}, PNG | {"mode": "RGB;32"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;32"}, PNG | {"mode": "RGB;32f"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;32f"}, PNG | {"mode": "RGB;64f"}, Withhold.DEPTH),
        (PNG | {"mode": "I;16"}, PNG | {"mode": "I"}, Withhold.DEPTH),
        (PNG | {"mode": "I;16"}, PNG | {"mode": "F"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;64f"}, PNG | {"mode": "RGB;unheard"}, Withhold.DEPTH),
        (PNG | {"mode": "RGB;32f"}, PNG | {"mode": "RGB;16"}, Withhold.NO),
        (BIG, HALF | {"has_alpha": True, "mode": "RGBA"}, Withhold.TRANSPARENCY),
        # What is stored as RGB may still be grey; doubled saturation is no more worth than the picture.
        (PNG | {"colourfulness": 0.0}, {"colourfulness": 40.0}, Withhold.COLOURS),
        ({"colourfulness": 12.0}, {"colourfulness": 40.0}, Withhold.COLOURS),
        ({"colourfulness": 20.0}, {"colourfulness": 40.0}, Withhold.NO),
        ({"colourfulness": 0.0}, {"colourfulness": 5.0}, Withhold.NO),
        ({"colourfulness": 40.0}, {"colourfulness": 0.0}, Withhold.NO),
        ({"colourfulness": None}, {"colourfulness": 40.0}, Withhold.NO),
        # Qualities 92 and 93 are two classes, but one quality: the older may not go.
        ({"jpeg_quality": 93}, {"jpeg_quality": 92, "camera": "Example One"}, Withhold.METADATA),
        ({"jpeg_quality": 93, "taken_at": datetime(2003, 1, 1)}, {"jpeg_quality": 92} | ORIGINAL, Withhold.OLDER),
        ({"jpeg_quality": 93} | ORIGINAL, {"jpeg_quality": 92, "taken_at": datetime(2003, 1, 1)}, Withhold.NO),
        ({"jpeg_quality": 99}, {"jpeg_quality": 80, "camera": "Example One"}, Withhold.METADATA),
        (HEIF | {"size_bytes": 2_400_000}, HEIF | {"camera": "Example One"}, Withhold.METADATA),
        # What is captioned, stamped or recoloured is often saved without loss: it does not stand for the camera's file.
        (PNG, {"camera": "Example One"} | ORIGINAL, Withhold.METADATA),
        (PNG | {"camera": "Example One"}, {"camera": "Example One"} | ORIGINAL, Withhold.NO),
        (BIG, HALF | ORIGINAL, Withhold.METADATA),
        # What a file holds beside its picture goes with it; the keeper's layers are not the member's.
        (RAW, HALF, Withhold.DEVELOPED),
        (BIG, HALF | RAW, Withhold.SENSOR),
        (RAW, HALF | RAW, Withhold.SENSOR),
        *(
            (BIG | {"auxiliary": kind}, HALF | {"auxiliary": kind}, code)
            for kind, code in (
                ("layers", Withhold.LAYERS),
                ("pages", Withhold.PAGES),
                ("pictures", Withhold.PICTURES),
                ("video", Withhold.VIDEO),
                ("sound", Withhold.SOUND),
                ("thermal", Withhold.THERMAL),
                ("channels", Withhold.CHANNELS),
                ("sizes", Withhold.SIZES),
                ("unknown data", Withhold.UNKNOWN_DATA),
            )
        ),
        # The same view with a gain map stands for the same view with a gain map.
        *(
            case
            for kind, code in (
                ("gain map", Withhold.GAIN_MAP),
                ("depth", Withhold.DEPTH_MAP),
                ("mattes", Withhold.MATTES),
            )
            for case in (
                (BIG, HALF | {"auxiliary": kind}, code),
                (BIG | {"auxiliary": "video"}, HALF | {"auxiliary": kind}, code),
                (BIG | {"auxiliary": kind}, HALF | {"auxiliary": kind}, Withhold.NO),
                (BIG | {"auxiliary": f"depth, gain map, {kind}"}, HALF, Withhold.NO),
            )
        ),
        (BIG | {"auxiliary": "gain map"}, HALF | {"auxiliary": "depth, gain map"}, Withhold.DEPTH_MAP),
        (BIG, HALF | {"auxiliary": "depth, gain map, layers"}, Withhold.LAYERS),
        # Of an upgraded workspace nobody has looked at what is beside a picture until it is decoded again.
        (BIG | {"auxiliary": None}, HALF | {"auxiliary": None}, Withhold.NOT_LOOKED_AT),
        (BIG, HALF | {"auxiliary": None}, Withhold.NOT_LOOKED_AT),
        (BIG | {"auxiliary": None}, HALF, Withhold.NO),
    ],
)
def test_members_that_may_be_worth_more_are_withheld(
    keeper: dict[str, object], member: dict[str, object], expected: Withhold
) -> None:
    assert verdict(keeper, member) is expected


@pytest.mark.parametrize(
    ("keeper", "member", "resolution", "expected"),
    [
        # What the pair shows goes before what each picture looks like, either way.
        (HALF, BIG, 1.0, Withhold.NO),
        (HALF, BIG, 0.95, Withhold.NO),
        (HALF, BIG, 0.94, Withhold.DETAIL),
        (HALF | {"effective_pixels": None}, BIG, 1.0, Withhold.NO),
        (HALF, BIG | {"effective_pixels": 3_100_000}, 0.5, Withhold.DETAIL),
        (BIG, HALF, 0.5, Withhold.DETAIL),
        (BIG, BIG, 0.5, Withhold.DETAIL),
        (UNMEASURED, HALF, 2.0, Withhold.NO),
        (BIG, HALF, float("nan"), Withhold.NO),
        (HALF, BIG, float("nan"), Withhold.DETAIL),
        # Of one size, and the pair does not tell: one that may have been enlarged back to it replaces nothing sharper.
        (BIG | {"effective_pixels": 3_000_000}, BIG, float("nan"), Withhold.DETAIL),
        (BIG | {"effective_pixels": 3_000_000}, BIG, 1.0, Withhold.NO),
        (BIG | {"effective_pixels": 3_000_000}, BIG | {"effective_pixels": 3_300_000}, float("nan"), Withhold.NO),
        (BIG | {"effective_pixels": 8_400_000}, BIG, float("nan"), Withhold.NO),
        (BIG, BIG | {"effective_pixels": 3_000_000}, float("nan"), Withhold.NO),
        (UNMEASURED, BIG, float("nan"), Withhold.NO),
        (BIG, UNMEASURED, float("nan"), Withhold.NO),
        # An enlargement of a better saved version may be all that is left of that.
        (HALF, BIG | {"jpeg_quality": 93}, 1.0, Withhold.QUALITY),
    ],
)
def test_a_keeper_resolves_what_its_member_does(
    keeper: dict[str, object], member: dict[str, object], resolution: float, expected: Withhold
) -> None:
    assert verdict(keeper, member, resolution) is expected


def test_every_reason_has_a_sentence() -> None:
    assert set(REASONS) == set(Withhold) - {Withhold.NO}


def test_modification_times_decide_where_no_camera_noted_one() -> None:
    rows = pl.DataFrame(
        [picture("keeper", jpeg_quality=93), picture("member", jpeg_quality=92)], schema=PICTURES.polars
    )
    for days, expected in (((2, 1), Withhold.OLDER), ((1, 2), Withhold.NO)):
        traits = picture_traits(rows).with_columns(modified_at=pl.Series([datetime(2024, 1, day) for day in days]))
        assert withhold_codes(traits, np.array([0]), np.array([1]))[0] == expected
