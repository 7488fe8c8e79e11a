"""Filters as a text: what it means, that it can be written back, and what is said of one that cannot be read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import Tier
from deeplens_kit.search import SearchFilters, filters_of, text_of
from deeplens_kit.search.filters import COPY_TIERS

_NAMES = st.lists(st.text(min_size=1, max_size=12), max_size=3).map(tuple)
_MOMENTS = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1))
_SIZES = st.integers(0, 10**14)
_PIXELS = st.integers(0, 10**8)


@st.composite
def filters(draw: st.DrawFn) -> SearchFilters:
    sizes, widths, heights, sides = (sorted(draw(st.tuples(kind, kind))) for kind in (_SIZES, *[_PIXELS] * 3))
    taken, modified = (sorted(draw(st.tuples(_MOMENTS, _MOMENTS))) for _ in range(2))
    maybe = draw(st.tuples(*[st.booleans()] * 6))
    return SearchFilters(
        locations=draw(_NAMES), paths=draw(_NAMES), cameras=draw(_NAMES), cameras_with=draw(_NAMES),
        collections=draw(_NAMES), tags=draw(_NAMES), formats=draw(st.sampled_from([(), ("JPEG",), ("PNG", "TIFF")])),
        min_bytes=sizes[0], max_bytes=sizes[1] if maybe[0] else None,
        min_width_px=widths[0], max_width_px=widths[1] if maybe[1] else None,
        min_height_px=heights[0], max_height_px=heights[1] if maybe[2] else None,
        min_side_px=sides[0], max_side_px=sides[1] if maybe[3] else None,
        taken_from=taken[0] if maybe[4] else None, taken_to=taken[1] if maybe[5] else None,
        modified_from=modified[0] if maybe[5] else None, modified_to=modified[1] if maybe[4] else None,
        duplicates=draw(st.lists(st.sampled_from(COPY_TIERS), max_size=3).map(tuple)),
        tiers=draw(st.lists(st.sampled_from(["bytes", "copy", "scene"]), max_size=3).map(tuple)),
        min_saves_bytes=draw(_SIZES), min_score=draw(st.floats(0, 1)),
    )  # fmt: skip


@given(filters())
@example_settings(max_examples=60)
def test_what_is_written_is_read_as_the_same(wanted: SearchFilters) -> None:
    assert filters_of(text_of(wanted)) == wanted


def test_every_condition_of_the_manual_is_read() -> None:
    text = (
        "format=JPEG,png size>=500kB path=photos/** taken>=2020-01-01 camera~nikon tag=holiday collection=press "
        "only=duplicates saves>=1MB score>=0.5 tier=copy location='my share' modified<=2021 side>=300 width<=4000"
    )
    assert filters_of(text) == SearchFilters(
        formats=("JPEG", "PNG"), min_bytes=500_000, paths=("photos/**",), taken_from=datetime(2020, 1, 1),
        cameras_with=("nikon",), tags=("holiday",), collections=("press",), duplicates=COPY_TIERS,
        min_saves_bytes=1_000_000, min_score=0.5, tiers=(Tier.COPY,), locations=("my share",),
        modified_to=datetime(2021, 12, 31, 23, 59, 59, 999_999), min_side_px=300, max_width_px=4000,
    )  # fmt: skip
    assert filters_of("  ") == SearchFilters()


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("taken=2020", datetime(2020, 1, 1), datetime(2020, 12, 31, 23, 59, 59, 999_999)),
        ("taken=2024-02", datetime(2024, 2, 1), datetime(2024, 2, 29, 23, 59, 59, 999_999)),
        ("taken=2020-05-31", datetime(2020, 5, 31), datetime(2020, 5, 31, 23, 59, 59, 999_999)),
        ("taken>=2020-05-31T12:00 taken<=2020-05-31T13:00", datetime(2020, 5, 31, 12), datetime(2020, 5, 31, 13)),
    ],
)
def test_dates_mean_their_beginning_and_their_end(text: str, first: datetime, last: datetime) -> None:
    found = filters_of(text)
    assert (found.taken_from, found.taken_to) == (first, last)


def test_dates_of_a_program_mean_the_same() -> None:
    found = SearchFilters(taken_from=date(2020, 1, 1), taken_to="2020-01-31")  # type: ignore[arg-type]
    assert found == filters_of("taken>=2020-01-01 taken<=2020-01-31")
    zone = timezone(timedelta(hours=2))
    assert SearchFilters(modified_from=datetime(2020, 1, 1, 1, tzinfo=zone)).modified_from == datetime(2019, 12, 31, 23)
    with pytest.raises(SettingsError, match="no zone"):
        SearchFilters(taken_from=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fromat=JPEG", "did you mean 'format'"),
        ("tag=a =b", "at character 7"),
        ("size>500", "size>=VALUE or size<=VALUE"),
        ("size>=much", "500kB"),
        ("size>=1 size>=2", "at character 9.*once"),
        ("width>=1,2", "one value"),
        ("score<=0.5", "score>=VALUE"),
        ("format>=JPEG", "format=VALUE"),
        ("tag=", "a value is missing"),
        ("tag=,a", "a value is missing"),
        ("tag='a", "not closed"),
        ("tag=''", "empty"),
        ('tag=a"b"', "a space between conditions"),
        ("only=originals", "only=duplicates"),
        ("camera", "stands alone"),
        ("taken>=2020-02-30", "2020-05-31"),
        ("taken>=2020-01-01T00:00+01:00", "without a zone"),
        ("size>=2MB size<=1MB", "nothing fits"),
        ("tier=pixels", "tier of a search"),
        ("duplicates=scene", "tier of duplicates"),
        ("__class__=1", "did you mean|There is no filter|begins no condition"),
        ("size>=" + "9" * 5000, "size"),
        ("x" * 20_001, "at most 20,000"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        filters_of(text)


@given(st.text(alphabet=st.sampled_from("ab=~<>,'\"\\ 019-:kMB"), max_size=30))
@example_settings(max_examples=60)
def test_any_text_is_read_or_refused(text: str) -> None:
    for start in ("", "tag=", "size>=", "taken="):
        try:
            found = filters_of(start + text)
        except SettingsError:
            continue
        assert filters_of(text_of(found)) == found


def test_unknown_names_suggest_the_nearest() -> None:
    known = {"cameras": ["NIKON D70"], "collections": ["press"], "tags": ["holiday"]}
    filters_of("camera='nikon d70' tag=holiday collection=press").require_known(["share"], ["JPEG"], **known)
    for text, nearest in (("location=shore", "share"), ("format=JPG", "JPEG"), ("collection=pres", "press"),
                          ("tag=holidays", "holiday"), ("camera='NIKON D7'", "NIKON D70")):  # fmt: skip
        with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
            filters_of(text).require_known(["share"], ["JPEG"], **known)


def test_one_text_is_no_list_of_texts() -> None:
    with pytest.raises(SettingsError, match="give a list"):
        SearchFilters(tags="holiday")  # type: ignore[arg-type]
