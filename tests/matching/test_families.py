"""Families are told by the names that cameras, phones and editors give, and by no others."""

from __future__ import annotations

import time

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.matching.families import find_families
from deeplens_kit.schemas import FAMILIES
from tests.examples import IN_FULL

LONG = "a picture with quite a long name that Takeout cuts off"


def listed(*paths: str, location: str = "disk") -> pl.DataFrame:
    """Objects at one location, as far as families look at them."""
    rows = [(f"{location}/{path}", location, path) for path in paths]
    return pl.DataFrame(rows, schema=dict.fromkeys(["object_id", "location_id", "path"], pl.String), orient="row")


def roles(*paths: str) -> dict[str, str]:
    """The role of each path that has a family; all of them are of one."""
    found = find_families(listed(*paths)).join(listed(*paths), on="object_id")
    assert found["family_id"].n_unique() == min(1, found.height)
    return dict(found.select("path", "role").iter_rows())


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        ("Canon", {"IMG_0001.CR2": "raw", "IMG_0001.JPG": "original"}),
        ("Canon, other case", {"IMG_0001.cr3": "raw", "img_0001.jpg": "original"}),
        ("Nikon", {"DSC_1.NEF": "raw", "DSC_1.JPG": "original"}),
        ("Sony", {"DSC1.ARW": "raw", "DSC1.HIF": "original"}),
        ("Fujifilm", {"DSCF1.RAF": "raw", "DSCF1.JPG": "original"}),
        ("Panasonic", {"P1.RW2": "raw", "P1.JPG": "original"}),
        ("Adobe", {"a.dng": "raw", "a.heic": "original"}),
        ("RAW converted", {"a.cr2": "raw", "a.dng": "raw"}),
        ("RAW and two pictures", {"a.cr2": "raw", "a.jpg": "original", "a.tif": "original"}),
        ("Apple Live Photo", {"IMG_1.HEIC": "original", "IMG_1.MOV": "video"}),
        ("Apple Live Photo, compatible", {"IMG_1.JPG": "original", "IMG_1.MP4": "video"}),
        ("Apple edited", {"IMG_1234.HEIC": "original", "IMG_E1234.JPG": "edited"}),
        ("Apple adjustments", {"IMG_1234.JPG": "original", "IMG_1234.AAE": "sidecar"}),
        (
            "Apple all",
            {
                "IMG_1234.HEIC": "original", "IMG_1234.MOV": "video", "IMG_E1234.HEIC": "edited",
                "IMG_E1234.MOV": "edited", "IMG_1234.AAE": "sidecar", "IMG_O1234.AAE": "sidecar",
            },
        ),
        ("XMP by stem", {"a.jpg": "original", "a.xmp": "sidecar"}),
        ("XMP by name", {"a.jpg": "original", "a.jpg.xmp": "sidecar"}),
        ("darktable", {"a.cr2": "raw", "a.cr2.xmp": "sidecar", "a_01.cr2.xmp": "sidecar"}),
        ("RawTherapee", {"a.nef": "raw", "a.nef.pp3": "sidecar"}),
        ("DxO settings", {"a.nef": "raw", "a.nef.dop": "sidecar"}),
        ("DCF thumbnail", {"MVI_1.AVI": "video", "MVI_1.THM": "sidecar"}),
        ("DCF sound", {"IMG_1.JPG": "original", "IMG_1.WAV": "sound"}),
        ("Takeout", {"IMG_1.jpg": "original", "IMG_1.jpg.json": "sidecar"}),
        ("Takeout, new", {"IMG_1.jpg": "original", "IMG_1.jpg.supplemental-metadata.json": "sidecar"}),
        ("Takeout, cut word", {"IMG_1.jpg": "original", "IMG_1.jpg.supplemental-me.json": "sidecar"}),
        ("Takeout, cut to the dot", {"IMG_1.jpg": "original", "IMG_1.jpg..json": "sidecar"}),
        ("Takeout, cut name", {f"{LONG}.jpg": "original", f"{f'{LONG}.jpg'[:46]}.json": "sidecar"}),
        ("Takeout, number", {"IMG_1(2).jpg": "original", "IMG_1.jpg(2).json": "sidecar"}),
        (
            "Takeout, number, new",
            {"IMG_1(2).jpg": "original", "IMG_1.jpg.supplemental-metadata(2).json": "sidecar"},
        ),
        ("Takeout edited", {"IMG_1.jpg": "original", "IMG_1-edited.jpg": "edited", "IMG_1.jpg.json": "sidecar"}),
        ("Takeout edited, number", {"IMG_1(2).jpg": "original", "IMG_1-edited(2).jpg": "edited"}),
        ("Takeout edited, German", {"a.jpg": "original", "a-bearbeitet.jpg": "edited"}),
        ("Takeout edited, French", {"a.jpg": "original", "a-modifié.jpg": "edited"}),
        ("Takeout edited, French on macOS", {"a.jpg": "original", "a-modifie\u0301.jpg": "edited"}),
        ("Takeout edited, Spanish", {"a.jpg": "original", "a-ha editado.jpg": "edited"}),
        ("Takeout edited, Japanese", {"a.jpg": "original", "a-編集済み.jpg": "edited"}),
        ("Google Photos creation", {"a.jpg": "original", "a-EFFECTS.jpg": "edited"}),
        ("Google Photos on the phone", {"a.jpg": "original", "a~2.jpg": "edited"}),
        ("Windows and web", {"a.jpg": "original", "a (Edited).jpg": "edited"}),
        ("osxphotos", {"a.heic": "original", "a_edited.jpeg": "edited"}),
        ("Lightroom", {"a.nef": "raw", "a-Edit.tif": "edited", "a-Edit-2.tif": "edited"}),
        ("Camera Raw", {"a.nef": "raw", "a-Enhanced-NR.dng": "edited"}),
        ("Lightroom HDR", {"a.nef": "raw", "a-HDR.dng": "edited"}),
        ("Android HDR", {"IMG_20150101_120000.jpg": "original", "IMG_20150101_120000_HDR.jpg": "edited"}),
        ("DxO", {"a.cr2": "raw", "a-CR2_DxO_DeepPRIME.dng": "edited", "a_DxO.jpg": "edited"}),
        ("Topaz", {"a.jpg": "original", "a-DeNoiseAI-standard.tif": "edited"}),
        ("Snapseed", {"a.jpg": "original", "a-01.jpeg": "edited"}),
        ("edited twice", {"a.jpg": "original", "a-edited~2.jpg": "edited"}),
        ("edited with sidecar", {"a.jpg": "original", "a-edited.jpg": "edited", "a-edited.jpg.xmp": "sidecar"}),
        ("edited with sidecar alone", {"a-edited.jpg": "original", "a-edited.jpg.xmp": "sidecar"}),
        (
            "Pixel RAW",
            {"PXL_20230101_120000123.RAW-01.COVER.jpg": "frame", "PXL_20230101_120000123.RAW-02.ORIGINAL.dng": "raw"},
        ),
        (
            "Pixel portrait",
            {
                "PXL_20230101_120000123.PORTRAIT-01.COVER.jpg": "frame",
                "PXL_20230101_120000123.PORTRAIT-02.ORIGINAL.jpg": "frame",
            },
        ),
        (
            "Pixel motion",
            {
                "PXL_20230101_120000123.MP.jpg": "frame", "PXL_20230101_120000123.MP": "video",
                "PXL_20230101_120000123.MP~2.jpg": "edited",
            },
        ),
        ("Pixel older RAW", {"PXL_20230101_120000123.jpg": "original", "PXL_20230101_120000123.dng": "raw"}),
        (
            "Google Camera burst",
            {
                "00000IMG_00000_BURST20190101120000123_COVER.jpg": "frame",
                "00001IMG_00001_BURST20190101120000123.jpg": "frame",
            },
        ),
        (
            "Huawei burst",
            {"IMG_20180101_120000_BURST001_COVER.jpg": "frame", "IMG_20180101_120000_BURST002.jpg": "frame"},
        ),
        ("Samsung burst", {"20180101_120000_001.jpg": "frame", "20180101_120000_002.jpg": "frame"}),
        (
            "burst frame edited",
            {
                "IMG_1_BURST001.jpg": "frame", "IMG_1_BURST002.jpg": "frame", "IMG_1_BURST002-edited.jpg": "edited",
            },
        ),
        ("folders", {"a/b/IMG_1.CR2": "raw", "a/b/IMG_1.JPG": "original"}),
        ("Labelme", {"a.png": "original", "a.json": "sidecar"}),
    ],
)  # fmt: skip
def test_a_convention_makes_a_family(owner: str, names: dict[str, str]) -> None:
    assert roles(*names) == names, owner


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_1.jpg", "IMG_10.CR2"],
        ["IMG_1.jpg", "IMG_11.jpg.xmp"],
        ["a/IMG_1.jpg", "b/IMG_1.CR2"],
        ["IMG_1.jpg", "raw/IMG_1.CR2"],
        ["IMG_1.jpg", "IMG_1.png"],  # may be a copy of the other
        ["IMG_1.HEIC", "IMG_1.jpg"],
        ["IMG_1.jpg", "IMG_1 (1).jpg"],  # as Windows names a copy
        ["IMG_1.jpg", "IMG_1 copy.jpg"],  # as macOS names a copy
        ["IMG_1.jpg", "IMG_1(1).jpg"],
        ["IMG_1.jpg", "IMG_1(1).CR2"],
        ["IMG_1.jpg", "IMG_2.jpg.json"],
        ["IMG_1.jpg", "IMG_1.jpg(1).json"],
        ["a-edited.jpg", "b.jpg"],  # the original is not there
        ["a-edited.jpg", "a-edit.jpg"],
        ["scan-01.jpeg", "scan-02.jpeg"],
        ["scan.jpg", "scan-01.jpg"],  # not Snapseed's extension
        ["IMG_E1234.jpg", "IMG_1235.jpg"],
        ["BIMG_E1234.jpg", "BIMG_1234.jpg"],
        ["IMG_1.jpg", "IMG_1.txt"],
        ["IMG_1.xmp", "IMG_1.aae"],  # of nothing
        ["edited.jpg", ".jpg"],
        ["metadata.json", "a.jpg"],
        ["PXL_20230101_120000123.MP.jpg", "PXL_20230101_120000124.MP"],
        ["PXL_20230101_120000123.jpg", "PXL_20230101_120000123(1).jpg"],
        ["00000IMG_00000_BURST20190101120000123_COVER.jpg", "00001IMG_00001_BURST20190101120000124.jpg"],
        ["20180101_120000_001.jpg", "20180101_120001_002.jpg"],
        ["IMG_1_BURST001.jpg", "IMG_2_BURST002.jpg"],
        ["photo_hdr.jpg", "image.jpg"],
        ["no extension", "no extension.jpg"],
    ],
)
def test_a_near_miss_is_no_family(names: list[str]) -> None:
    assert roles(*names) == {}


def test_the_same_names_at_two_locations_are_two_families() -> None:
    both = [listed("a/1.jpg", "a/1.cr2", location=location) for location in ("disk", "share")]
    assert find_families(pl.concat(both))["family_id"].to_list() == ["disk/a/1", "disk/a/1", "share/a/1", "share/a/1"]


def test_overlapping_locations_share_a_family() -> None:
    """One lists only pictures, the other the folder beneath it with all that is in it."""
    outer = listed("2020/1.jpg", location="b").with_columns(place=pl.lit("/photos/"))
    inner = listed("1.cr2", location="a").with_columns(place=pl.lit("/photos/2020/"))
    assert find_families(pl.concat([outer, inner]))["family_id"].to_list() == ["a/1", "a/1"]
    assert find_families(pl.concat([outer, inner]).drop("place")).is_empty()


def test_case_of_folders_is_kept_and_case_of_names_is_not() -> None:
    assert roles("A/x.jpg", "a/x.cr2") == {}
    assert len(roles("A/X.Jpg", "A/x.cR2")) == 2


def test_nothing_gives_no_families() -> None:
    assert find_families(listed()).is_empty()
    assert find_families(listed("a.jpg", "b.txt", "c")).is_empty()


NAMES = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "f/", "g/"]),
        st.sampled_from(["IMG_1234", "IMG_E1234", "img_1234", "PXL_20230101_120000123", "a_BURST1", "a_BURST2", "x"]),
        st.sampled_from(["", "-edited", "~2", "(1)", ".MP", "-01", "_01"]),
        st.sampled_from([".jpg", ".CR2", ".mov", ".jpg.json", ".xmp", ".jpeg", ".cr2.xmp", ".txt"]),
    ),
    unique=True,
    max_size=25,
)


@settings(deadline=None, max_examples=examples(150))
@given(NAMES, st.randoms(use_true_random=False))
def test_families_partition_and_the_order_of_input_does_not_matter(names: list[str], random: object) -> None:
    found = find_families(listed(*names))
    FAMILIES.check(found)
    assert found["object_id"].is_unique().all()
    # Nobody is alone, all are of one folder, and a family holds what can be seen or heard.
    for _, family in found.group_by("family_id"):
        assert family.height > 1
        assert family["object_id"].str.replace(r"[^/]*$", "").n_unique() == 1
        assert set(family["role"]) - {"sidecar"}
        assert set(family["role"]) != {"original"}
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert find_families(listed(*shuffled)).equals(found)


@settings(deadline=None, max_examples=examples(60))
@given(NAMES, st.sampled_from(["zz.jpg", "f/zz.cr2", "g/other.mov"]))
def test_a_stranger_changes_no_family(names: list[str], stranger: str) -> None:
    assert find_families(listed(*names, stranger)).equals(find_families(listed(*names)))


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_million_objects_take_seconds() -> None:
    count = 1_000_000
    number = pl.int_range(count, eager=True)
    endings = pl.DataFrame({"ending": [".jpg", ".CR2", ".jpg.xmp", "-edited.jpg"]})["ending"]
    objects = pl.select(
        path=pl.concat_str(pl.lit("folder "), number // 2000, pl.lit("/IMG_"), number // 4, endings.gather(number % 4))
    ).with_columns(location_id=pl.lit("disk"), object_id=pl.concat_str(pl.lit("disk/"), "path"))
    start = time.process_time()
    found = find_families(objects)
    assert time.process_time() - start < 60
    assert (found.height, found["family_id"].n_unique()) == (count, count // 4)
