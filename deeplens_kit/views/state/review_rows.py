"""A group as the list of a review has it, and a copy beside its keeper: described for the place where one is.

Takes rows of groups, described groups and what was said of them, gives frozen values; must not import Panel, open a
store or choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.copy_facts import FactLine, copy_facts
from deeplens_kit.reporting.duplicates_view import GroupView, PictureView, WithheldView
from deeplens_kit.schemas import DecisionKind
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline.reviewing import ReviewMarks

__all__ = ["GroupLine", "ReviewEntry", "ReviewGroup", "copies_of", "group_line", "review_entry"]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group as the list has it.

    Attributes:
        decided: Pairs of it on which a decision holds.
        labelled: Pairs of it that somebody labelled.
        pairs: Pairs of a keeper and a copy that it has.
    """

    group_id: str
    title: str
    location: str
    digest: str
    tiers: tuple[str, ...]
    removable: int
    frees_bytes: int
    decided: int
    labelled: int
    pairs: int


@dataclass(frozen=True, slots=True)
class ReviewEntry:
    """A copy beside its keeper.

    Attributes:
        picture: What is shown of it.
        facts: Of both, with what differs.
        verdict: What labels say of the two; empty for nothing.
        decision: The DecisionKind that holds on it; empty for none.
        instead: It was noted that it should stay in the place of the keeper.
        is_equal: Its files have the keeper's bytes, so that no label is needed.
    """

    picture: PictureView
    facts: tuple[FactLine, ...]
    verdict: str
    decision: str
    instead: bool
    is_equal: bool


@dataclass(frozen=True, slots=True)
class ReviewGroup:
    """The group that is looked at.

    Attributes:
        group: All that is described of it.
        keeper: The picture that stays.
        entries: Its copies, in order.
        at: Number of the one that is looked at, from 0.
        number: Of the group among all that the filters leave, from 1.
        groups: How many those are.
        withheld: Matches of the keeper that are not proposed, and why.
    """

    group: GroupView
    keeper: PictureView
    entries: tuple[ReviewEntry, ...]
    at: int
    number: int
    groups: int
    withheld: tuple[WithheldView, ...]

    @property
    def entry(self) -> ReviewEntry:
        """The copy that is looked at."""
        return self.entries[self.at]


def copies_of(group: GroupView) -> list[PictureView]:
    """The pictures with a file that could go; the keeper's own where it has equal files."""
    return [picture for picture in group.pictures if any(not member.is_keeper for member in picture.members)]


def review_entry(
    picture: PictureView,
    kept: Mapping[str, Any],
    rows: pl.DataFrame,
    facts: Mapping[str, Mapping[str, Any]],
    marks: ReviewMarks,
) -> ReviewEntry:
    """A copy beside its keeper.

    Args:
        picture: The copy.
        kept: The keeper's row of GROUPS.
        rows: GROUPS of this group.
        facts: Rows of PICTURE_FACTS by digest.
        marks: What was said until now.
    """
    keeper = kept["digest"]
    file = rows.filter(pl.col("digest") == picture.digest, ~pl.col("is_keeper")).sort("location", "path")
    return ReviewEntry(
        picture=picture,
        facts=copy_facts(
            facts.get(keeper, {}), facts.get(picture.digest, {}), kept["size_bytes"], file["size_bytes"][0]
        ),
        verdict=marks.verdict(keeper, picture.digest),
        decision=marks.decision(keeper, picture.digest),
        instead=marks.decision(picture.digest, keeper) == DecisionKind.APPROVED,
        is_equal=picture.digest == keeper,
    )


def group_line(rows: Sequence[Mapping[str, Any]], marks: ReviewMarks) -> GroupLine:
    """A group as the list has it.

    Args:
        rows: GROUPS of this group, as rows: a page has many small ones, and a query of each takes longer.
        marks: What was said until now.
    """
    kept = next(row for row in rows if row["is_keeper"])
    going = [row for row in rows if not row["is_keeper"]]
    copies = list(dict.fromkeys(row["digest"] for row in going))
    tiers = {row["tier"] for row in going}
    return GroupLine(
        group_id=kept["group_id"],
        title=display_path(kept["path"].rpartition("/")[2]),
        location=display_path(kept["location"]),
        digest=kept["digest"],
        tiers=tuple(tier for tier in ("bytes", "pixels", "copy") if tier in tiers),
        removable=len(going),
        frees_bytes=sum(row["frees_bytes"] or 0 for row in going),
        decided=sum(
            bool(marks.decision(kept["digest"], copy) or marks.decision(copy, kept["digest"])) for copy in copies
        ),
        labelled=sum(bool(marks.verdict(kept["digest"], copy)) for copy in copies),
        pairs=len(copies),
    )
