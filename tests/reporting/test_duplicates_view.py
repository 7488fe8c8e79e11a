"""What the page says follows from the frames, each object counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from deeplens_kit.reporting import DuplicatesView, describe_duplicates
from deeplens_kit.reporting.totals import add_up_coverage, add_up_groups

Describe = Callable[..., DuplicatesView]


@pytest.fixture
def describe(answer: Any) -> Describe:
    def make(frames: Any = None, **options: Any) -> DuplicatesView:
        return describe_duplicates(
            frames or answer.frames,
            workspace="w",
            made_at=datetime(2026, 1, 1, tzinfo=UTC),
            version="0",
            **options,
        )

    return make


def test_totals_are_those_of_the_frames(answer: Any, describe: Describe) -> None:
    view, groups = describe(), answer.frames.groups
    going = groups.filter(~pl.col("is_keeper"))
    assert (view.totals.groups, view.totals.objects) == (3, 7)
    assert view.totals.gross_bytes == going["size_bytes"].sum()
    assert view.totals.realisable_bytes == going["frees_bytes"].sum() < view.totals.gross_bytes
    assert sum(line.realisable_bytes for line in view.savings) == view.totals.realisable_bytes
    assert sum(line.objects for line in view.savings) == view.totals.objects


def test_an_object_in_two_groups_is_counted_once(answer: Any) -> None:
    groups = answer.frames.groups
    again = groups.filter(pl.col("path") == "cup (1).jpg").with_columns(group_id=pl.lit("another"))
    assert add_up_groups(pl.concat([groups, again])).objects == add_up_groups(groups).objects
    assert add_up_groups(pl.concat([groups, again])).gross_bytes == add_up_groups(groups).gross_bytes


def test_coverage_says_what_was_analysed(answer: Any, describe: Describe) -> None:
    totals = add_up_coverage(answer.frames.coverage)
    assert (totals.analysed_objects, totals.objects, totals.share) == (10, 14, "71.4 %")
    reasons = describe().reasons
    assert sum(line.objects for line in reasons if line.reason != "folder that could not be listed") == 4
    assert {line.reason for line in reasons} >= {"folder that could not be listed", "damaged: the decoder gave up"}
    assert next(line for line in reasons if "damaged" in line.reason).examples == ("broken <b>.jpg", "half.png")


def test_groups_come_by_what_they_free_and_keepers_first(describe: Describe) -> None:
    view = describe()
    frees = [group.frees_bytes for group in view.groups]
    assert frees == sorted(frees, reverse=True)
    for group in view.groups:
        assert group.pictures[0].has_keeper
        assert group.pictures[0].members[0].is_keeper
        assert sum(member.is_keeper for shown in group.pictures for member in shown.members) == 1


def test_equal_bytes_share_one_picture(describe: Describe) -> None:
    cup = next(group for group in describe().groups if group.group_id == "bytes-cup")
    assert len(cup.pictures) == 1
    assert [member.name for member in cup.pictures[0].members] == ["cup.jpg", "cup (1).jpg", "link-to-cup.jpg"]
    assert cup.frees_bytes < cup.gross_bytes


def test_evidence_is_that_of_the_pair_with_the_keeper(describe: Describe) -> None:
    cat = next(group for group in describe().groups if group.group_id == "copy-cat")
    shown = {picture.title: picture.evidence for picture in cat.pictures}
    assert shown["cat-turned.jpg"] == (
        "turned 90° clockwise", "SSCD small cosine 0.710", "PDQ: 18 of 256 bits differ", "pHash: 2 of 64 bits differ",
    )  # fmt: skip
    assert shown["mirrored.jpg"][0] == "mirrored"
    assert shown["cat-small.jpg"][0] == "SSCD small cosine 0.981"
    assert shown["chelsea.jpg"] == ()


def test_what_has_no_room_is_counted(answer: Any, describe: Describe) -> None:
    view = describe(max_groups=1)
    assert (len(view.groups), view.groups_in_all) == (1, 3)
    assert view.totals == describe().totals
    keeper = answer.frames.groups.filter(pl.col("path") == "cup.jpg")
    twin = answer.frames.groups.filter(pl.col("path") == "cup (1).jpg")
    many = [
        twin.with_columns(path=pl.lit(f"{number:03}.jpg"), object_id=pl.lit(f"loc-a/{number:03}.jpg"))
        for number in range(100)
    ]
    crowd = describe(replace(answer.frames, groups=pl.concat([keeper, *many]))).groups[0].pictures[0]
    assert crowd.members[0].is_keeper
    assert len(crowd.members) + crowd.hidden_members == 101
    others = [
        twin.with_columns(digest=pl.lit(f"{number:064x}"), object_id=pl.lit(f"loc-a/{number}")) for number in range(40)
    ]
    wide = describe(replace(answer.frames, groups=pl.concat([keeper, *others]))).groups[0]
    assert len(wide.pictures) + wide.hidden_pictures == 41
    assert wide.removable == 40


def test_odd_names_are_shown_on_one_line(describe: Describe) -> None:
    names = [m.folder + m.name for group in describe().groups for p in group.pictures for m in p.members]
    assert r"evil/<script>alert(1)</script>\n\xff.jpg" in names
    assert not any("\n" in name or "\ufdd0" in name for name in names)


def test_withheld_pictures_are_named(describe: Describe) -> None:
    (match,) = describe().withheld
    assert (match.keeper, match.name) == ("Shop: space.png", "Shop: space-upscaled.jpg")


def test_empty_answers(no_duplicates: Any, nothing_analysed: Any, nothing_found: Any, describe: Describe) -> None:
    for empty in (no_duplicates, nothing_analysed, nothing_found):
        view = describe(empty.frames)
        assert (view.groups, view.savings, view.totals.objects, view.totals.gross_bytes) == ((), (), 0, 0)
    assert describe(nothing_found.frames).outcomes == ()
    assert [line.outcome for line in describe(nothing_analysed.frames).outcomes] == [
        "unsupported", "unreadable", "too_large",
    ]  # fmt: skip


def test_the_matched_region_is_told_on_both_previews(describe: Describe) -> None:
    cat = next(group for group in describe().groups if group.group_id == "copy-cat")
    keeper, part = cat.pictures[0], next(item for item in cat.pictures if item.relation == "part")
    (outline,) = keeper.regions
    assert (outline.left_percent, outline.top_percent) == (13.3, 20.0)
    assert (outline.width_percent, outline.height_percent) == (53.2, 60.0)
    assert outline.says == "the middle matches eyes.jpg"
    # All of the member is in the keeper: an outline around all of it would say nothing.
    assert part.regions == ()
    assert part.relation_says == "shows a part of the kept picture"
    assert {"same picture", "cropped to 32 % (the middle)", "61 matching points"} <= set(part.evidence)
    assert part.look_first == ""


def test_what_was_asked_for_besides_says_look_first(answer: Any, describe: Describe) -> None:
    foreign = pl.when(pl.col("relation") == "part").then(pl.lit("composite")).otherwise("relation")
    frames = replace(answer.frames, groups=answer.frames.groups.with_columns(relation=foreign))
    cat = next(group for group in describe(frames).groups if group.group_id == "copy-cat")
    said = [item.look_first for item in cat.pictures if item.look_first]
    assert said == ["one of the two holds foreign content: look before you act"]


def test_related_pictures_are_told_apart_from_what_is_proposed(describe: Describe) -> None:
    view = describe()
    (match,) = view.related
    assert (match.name, match.other) == ("Shop & <Web>: sheet.jpg", "Archive: cup.jpg")
    assert match.relation_says == "holds foreign content beside what it shares with the other one"
    outline, around = match.regions
    assert around is None
    assert outline is not None
    assert outline.says == "the top left matches Archive: cup.jpg"
    assert view.related_in_all == 1
