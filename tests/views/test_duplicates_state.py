"""Which groups show, without a widget; ten thousand are leafed through as fast as ten."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.reporting import DuplicatesFrames
from deeplens_kit.schemas import COVERAGE, FAILURES, GROUPS, PAIRS, WITHHELD
from deeplens_kit.views.group_cards import group_card, group_link
from deeplens_kit.views.state.duplicates_state import PAGE_GROUPS, DuplicatesState, Findings

# Seconds of a processor for a page among ten thousand groups; a tenth of it is usual. Inclusive.
PAGE_SECONDS = 0.5
FACTS = {
    "digest": pl.String,
    "format": pl.String,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "jpeg_quality": pl.Int32,
}
PLACES = {"object_id": pl.String, "location": pl.String, "path": pl.String}
HOSTILE = "a\"b'/<script>alert(1)</script>\n\u202egpj.exe\ufdd0e9.jpg"


def member(group: int, number: int, size: int, **values: object) -> dict[str, object]:
    location = f"loc-{(group + number) % 3}"
    row: dict[str, object] = {
        "group_id": f"g{group:05d}",
        "object_id": f"{location}/g{group}/{number}.jpg",
        "location_id": location,
        "location": location,
        "path": f"g{group}/{number}.jpg",
        "digest": f"{group:032x}{number:032x}",
        "is_keeper": number == 0,
        "tier": "bytes" if group % 4 == 0 else "copy",
        "relation": "unverified",
        "score": 1.0 if number == 0 else 0.9,
        "size_bytes": size,
        "frees_bytes": 0 if number == 0 else size,
        "reason": "it is older" if number == 0 else "matches the keeper",
    }
    return row | values


def findings(groups: int, **changed: object) -> Findings:
    """Groups of a keeper and two copies; the first frees least."""
    rows = [member(group, number, 100 + group) for group in range(groups) for number in range(3)]
    if changed:
        rows[-1] |= changed
    frame = pl.DataFrame(rows, schema={**GROUPS.polars, "location": pl.String})
    digests = frame["digest"].unique(maintain_order=True)
    pictures = pl.DataFrame({"digest": digests}).with_columns(
        format=pl.lit("JPEG"), width_px=pl.lit(640, pl.Int32), height_px=pl.lit(480, pl.Int32),
        jpeg_quality=pl.lit(85, pl.Int32),
    )  # fmt: skip
    coverage = pl.DataFrame([("loc-0", "indexed", "", frame.height, 1)], schema=COVERAGE.polars, orient="row")
    frames = DuplicatesFrames(
        groups=frame,
        withheld=WITHHELD.empty(),
        pairs=PAIRS.empty(),
        pictures=pictures,
        places=pl.DataFrame(schema=PLACES),
        coverage=coverage.with_columns(location=pl.col("location_id")),
        failures=FAILURES.empty().with_columns(location=pl.col("location_id")),
    )
    return Findings.of(frames)


@pytest.fixture(scope="module")
def many() -> Findings:
    return findings(10_000)


def test_pages_of_ten_thousand_groups_come_at_once_and_in_order(many: Findings) -> None:
    state = DuplicatesState(many)
    state.current_page()
    for number in (1, 200, 400):
        started = time.process_time()
        state.turn_to(number)
        page = state.current_page()
        html = "".join(group_card(group, lambda digest, side: f"/{digest}/{side}") for group in page.groups)
        assert time.process_time() - started <= PAGE_SECONDS
        assert (page.pages, page.matching, page.first) == (400, 10_000, (number - 1) * PAGE_GROUPS + 1)
        start = 10_000 - (number - 1) * PAGE_GROUPS
        assert [group.group_id for group in page.groups] == [f"g{start - n:05d}" for n in range(1, PAGE_GROUPS + 1)]
        assert html.count("<details") == PAGE_GROUPS
    assert many.totals.groups == 10_000
    assert many.totals.objects == 20_000


def test_the_pages_hold_every_group_once() -> None:
    state = DuplicatesState(findings(60))
    seen = []
    for number in (1, 2, 3):
        state.turn_to(number)
        seen += [group.group_id for group in state.current_page().groups]
    assert sorted(seen) == [f"g{n:05d}" for n in range(60)]
    state.turn_to(99)
    assert state.page == 3
    state.turn_to(-1)
    assert state.page == 1


def test_the_next_page_is_made_ready_for_what_is_looked_at_alone() -> None:
    state = DuplicatesState(findings(60))
    state.prepare_next()
    second = state._prepared
    state.turn_to(2)
    assert second is not None and state.current_page() is second
    state.turn_to(1)
    assert state.current_page().first == 1
    state.tiers = ["bytes"]
    state.turn_to(2)
    assert state.current_page() is not second, "of another order"
    state.turn_to(99)
    state.prepare_next()
    assert state._prepared is not None and state._prepared.groups == state.current_page().groups, "there is no next"


def test_filters_leave_groups_with_such_an_object_and_start_over() -> None:
    found = findings(60)
    state = DuplicatesState(found)
    state.turn_to(3)
    state.locations = ["loc-1"]
    assert state.page == 1
    page = state.current_page()
    wanted = found.removals.filter(pl.col("location") == "loc-1")
    assert page.matching == wanted["group_id"].n_unique()
    assert (page.objects, page.frees_bytes) == (wanted.height, wanted["frees_bytes"].sum())
    state.tiers = ["bytes"]
    both = wanted.filter(pl.col("tier") == "bytes")
    assert state.current_page().matching == both["group_id"].n_unique()
    assert list(state.param.tiers.objects.values()) == ["bytes", "copy"]
    state.open_group("g00001")
    state.tiers = []
    assert state.group == ""


def test_an_object_that_two_groups_propose_is_counted_once() -> None:
    found = findings(2, object_id="loc-2/g0/2.jpg")
    page = DuplicatesState(found).current_page()
    assert page.objects == 3
    assert page.objects == found.totals.objects
    assert page.frees_bytes == found.totals.realisable_bytes


def test_one_group_is_looked_at_alone_and_may_be_gone() -> None:
    state = DuplicatesState(findings(5))
    assert state.single() is None
    state.open_group("g00003")
    group = state.single()
    assert group is not None
    assert group.group_id == "g00003"
    state.open_group("gone")
    assert state.single() is None


def test_the_groups_of_a_picture_are_found_by_it() -> None:
    found = findings(5)
    assert [group.group_id for group in found.groups_of(f"{3:032x}{1:032x}")] == ["g00003"]
    assert found.groups_of("f" * 64) == ()
    assert found.withheld_of("f" * 64) == ()
    assert found.keepers == {f"loc-{n % 3}/g{n}/0.jpg" for n in range(5)}


def test_nothing_found_is_one_empty_page() -> None:
    page = DuplicatesState(findings(0)).current_page()
    assert (page.groups, page.pages, page.first, page.objects) == ((), 1, 0, 0)


def test_a_hostile_name_is_text_in_a_group() -> None:
    found = findings(1, path=HOSTILE, location=HOSTILE, group_id="g00000")
    html = group_card(found.describe(["g00000"])[0], lambda *_: 'x" onerror="alert(1)')
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert 'onerror="' not in html
    for hidden in ("\n", "\u202e", "\ufdd0"):
        assert hidden not in html


def test_the_link_to_a_group_holds_whatever_it_is_called() -> None:
    assert group_link("a&b=c/d") == "/duplicates?group=a%26b%3Dc%2Fd"


def test_a_style_and_scripts_lie_beside_the_views() -> None:
    from deeplens_kit import views

    folder = Path(views.__file__).parent
    for name in ("board.js", "picture_drop.js", "viewers.css", "page.css", "page.html.jinja"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "//cdn" not in text
        assert "https://" not in text.replace("https://…", "")
