"""When a picture was made: the most trusted field, its zone where one is known, and both named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_blocks import exif_block, iptc_block, jpeg_of, xmp_packet

from deeplens_kit.decode import decode_picture
from deeplens_kit.decode.tags import PictureDates, PictureTags, picture_dates, read_tags
from deeplens_kit.settings import DecodeSettings

ORIGINAL, DIGITIZED, OFFSET_ORIGINAL, SUBSEC_ORIGINAL, MODIFIED = 0x9003, 0x9004, 0x9011, 0x9291, 0x0132
SHOT = "2019:07:14 18:03:59"
AT = datetime(2019, 7, 14, 18, 3, 59)


def dates_of(**blocks: bytes) -> PictureDates:
    return read_tags(jpeg_of(**blocks))[1]


def dates(*tags: tuple[str, str, str]) -> PictureDates:
    return picture_dates(PictureTags(tuple((*tag, "") for tag in tags)))


@pytest.mark.parametrize(
    ("offset", "utc"),
    [("+02:00", (16, 3)), ("-05:30", (23, 33)), ("Z", (18, 3)), ("+00:00", (18, 3)), ("+1400", (4, 3))],
)
def test_the_zone_of_exif(offset: str, utc: tuple[int, int]) -> None:
    found = dates_of(exif=exif_block(inner={ORIGINAL: SHOT, OFFSET_ORIGINAL: offset, SUBSEC_ORIGINAL: "25 "}))
    assert found.dated_at == AT.replace(microsecond=250_000)
    assert found.origin == "EXIF DateTimeOriginal + OffsetTimeOriginal"
    assert found.taken_at_utc == datetime(2019, 7, 14, *utc, 59, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("offset", ["+99:00", "summer", "+15:00", "   :  "])
def test_a_zone_that_is_none_is_told_and_costs_the_zone_alone(offset: str) -> None:
    found = read_tags(jpeg_of(exif=exif_block(inner={ORIGINAL: SHOT, OFFSET_ORIGINAL: offset})))
    assert (found[1].dated_at, found[1].taken_at_utc, found[1].origin) == (AT, None, "EXIF DateTimeOriginal")
    assert found[0].problems == ("EXIF OffsetTimeOriginal is no zone",)


@pytest.mark.parametrize(
    ("fix", "zone"),
    [((16, 4, 1), 2), ((16, 2, 30), 2), ((12, 33, 59), 5.5), ((18, 3, 59), 0), ((16, 11, 0), None), ((4, 3, 0), 14)],
)
def test_a_fix_tells_the_zone_where_it_is_near_one(fix: tuple[int, int, int], zone: float | None) -> None:
    gps = {29: "2019:07:14", 7: tuple(map(float, fix))}
    found = dates_of(exif=exif_block(inner={ORIGINAL: SHOT}, gps=gps))
    assert found.dated_at == AT
    expected = None if zone is None else (AT - timedelta(hours=zone)).replace(tzinfo=UTC)
    assert found.taken_at_utc == expected
    assert (found.origin == "EXIF DateTimeOriginal + GPS date and time") is (zone is not None)


def test_xmp_tells_the_zone_of_the_same_clock() -> None:
    xmp = xmp_packet('photoshop:DateCreated="2019-07-14T18:03:59+02:00"')
    found = dates_of(exif=exif_block(inner={ORIGINAL: SHOT}), xmp=xmp)
    assert found.taken_at_utc == datetime(2019, 7, 14, 16, 3, 59, tzinfo=UTC)
    assert found.origin == "EXIF DateTimeOriginal + zone of XMP photoshop:DateCreated"
    other = xmp_packet('photoshop:DateCreated="2019-07-14T19:03:59+02:00"')
    assert dates_of(exif=exif_block(inner={ORIGINAL: SHOT}), xmp=other).taken_at_utc is None


@pytest.mark.parametrize(
    ("blocks", "at", "origin"),
    [
        ({"xmp": xmp_packet('photoshop:DateCreated="1955"')}, datetime(1955, 1, 1), "XMP photoshop:DateCreated"),
        ({"xmp": xmp_packet('photoshop:DateCreated="1955-06"')}, datetime(1955, 6, 1), "XMP photoshop:DateCreated"),
        (
            {"xmp": xmp_packet('exif:DateTimeOriginal="2001-02-03T04:05:06.789"')},
            datetime(2001, 2, 3, 4, 5, 6, 789_000),
            "XMP exif:DateTimeOriginal",
        ),
        (
            {"iptc": iptc_block((55, b"19990102"), (60, b"030405-0600"))},
            datetime(1999, 1, 2, 3, 4, 5),
            "IPTC DateCreated + TimeCreated",
        ),
        ({"iptc": iptc_block((55, b"19990102"))}, datetime(1999, 1, 2), "IPTC DateCreated"),
        (
            {"exif": exif_block({MODIFIED: "2020:01:01 00:00:01"}, {DIGITIZED: SHOT})},
            AT,
            "EXIF DateTimeDigitized",
        ),
        ({"exif": exif_block({MODIFIED: SHOT})}, AT, "EXIF DateTime"),
        # A scan: the program that saved it knows nothing of when the print was made.
        (
            {"exif": exif_block({MODIFIED: SHOT}), "xmp": xmp_packet('photoshop:DateCreated="1955-06-07"')},
            datetime(1955, 6, 7),
            "XMP photoshop:DateCreated",
        ),
        (
            {"exif": exif_block(gps={29: "2019:07:14", 7: (1.0, 2.0, 3.5)})},
            datetime(2019, 7, 14, 1, 2, 3, 500_000),
            "GPS date and time",
        ),
    ],
)
def test_the_order_of_trust(blocks: dict[str, bytes], at: datetime, origin: str) -> None:
    found = dates_of(**blocks)
    assert (found.dated_at, found.origin) == (at, origin)


def test_iptc_and_gps_know_their_zone() -> None:
    found = dates_of(iptc=iptc_block((55, b"19990102"), (60, b"030405-0600")))
    assert found.taken_at_utc == datetime(1999, 1, 2, 9, 4, 5, tzinfo=UTC)
    found = dates_of(exif=exif_block(gps={29: "2019:07:14", 7: (1.0, 2.0, 3.0)}))
    assert found.taken_at_utc == datetime(2019, 7, 14, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "date", ["1904:01:01 00:00:00", "1970:01:01 00:00:00", "1980:01:01 00:00:00", "0001:01:01 00:00:00"]
)
def test_a_clock_that_was_not_set_is_no_date(date: str) -> None:
    tags, found = read_tags(jpeg_of(exif=exif_block(inner={ORIGINAL: date, DIGITIZED: SHOT})))
    assert tags.problems == ("EXIF DateTimeOriginal is of a clock that was not set",)
    assert (found.dated_at, found.origin) == (AT, "EXIF DateTimeDigitized")


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "2019:13:01 00:00:00", "2019:07:14 25:00:00", "yesterday", "20"]
)
def test_nonsense_is_told_and_the_next_date_is_taken(date: str) -> None:
    tags, found = read_tags(jpeg_of(exif=exif_block({MODIFIED: SHOT}, {ORIGINAL: date})))
    assert tags.problems == ("EXIF DateTimeOriginal is no date",)
    assert (found.dated_at, found.origin) == (AT, "EXIF DateTime")


def test_dates_of_edits_are_never_dates_of_the_picture() -> None:
    xmp = xmp_packet('xmp:ModifyDate="2024-01-01T00:00:01Z" xmp:MetadataDate="2024-01-01T00:00:01Z"')
    assert dates_of(xmp=xmp) == PictureDates()


def test_what_matching_compares_is_the_clock_of_the_camera_alone() -> None:
    """Two cameras noted different times: what an editor wrote, or a fraction that one copy lost, is no such time."""
    settings = DecodeSettings()
    xmp = xmp_packet('photoshop:DateCreated="2001-02-03T04:05:06"')
    edited = decode_picture(jpeg_of(xmp=xmp, iptc=iptc_block((55, b"19990102"))), settings).metadata
    assert (edited.taken_at, edited.dated_at) == (None, datetime(2001, 2, 3, 4, 5, 6))
    exact = exif_block(inner={ORIGINAL: SHOT, SUBSEC_ORIGINAL: "77", OFFSET_ORIGINAL: "+02:00"})
    copy = exif_block(inner={ORIGINAL: SHOT})
    original, stripped = (decode_picture(jpeg_of(exif=exif), settings).metadata for exif in (exact, copy))
    assert original.taken_at == stripped.taken_at == AT
    assert original.dated_at != stripped.dated_at
    assert original.taken_at_utc == datetime(2019, 7, 14, 16, 3, 59, 770_000, tzinfo=UTC)


@given(
    at=st.datetimes(datetime(1981, 1, 1), datetime(2099, 12, 31)),
    minutes=st.integers(-48, 56).map(lambda quarters: 15 * quarters),
)
def test_the_same_moment_is_the_same_in_every_zone(at: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = at.replace(tzinfo=UTC)
    local = moment.astimezone(zone)
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    found = dates(
        ("EXIF", "DateTimeOriginal", f"{local:%Y:%m:%d %H:%M:%S}"),
        ("EXIF", "SubsecTimeOriginal", f"{local.microsecond:06}"),
        ("EXIF", "OffsetTimeOriginal", offset),
    )
    assert found.taken_at_utc == moment
    assert found.dated_at == local.replace(tzinfo=None)
    assert dates(("XMP", "xmp:CreateDate", local.isoformat())).taken_at_utc == moment


@given(st.lists(st.tuples(st.sampled_from(["EXIF", "XMP", "IPTC", "GPS"]), st.sampled_from(
    ["DateTimeOriginal", "OffsetTimeOriginal", "SubsecTimeOriginal", "exif:DateTimeOriginal", "DateCreated",
     "TimeCreated", "GPSDateStamp", "GPSTimeStamp", "DateTime"]),
    st.text(max_size=30) | st.from_regex(r"[0-9:+\-TZ. ]{0,30}", fullmatch=True)), max_size=8))  # fmt: skip
def test_any_texts_are_a_date_or_none(tags: list[tuple[str, str, str]]) -> None:
    found = dates(*tags)
    assert (found.dated_at is None) == (found.origin is None)
    assert found.dated_at is None or 1800 <= found.dated_at.year <= 2100
