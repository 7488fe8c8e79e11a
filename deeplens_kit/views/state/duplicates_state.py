"""Which of the groups are looked at: one page of them, narrowed by location and tier, or a single one.

Takes what was found, holds the choice as parameters and describes the groups of a page; must not import Panel, open a
store or group anything by itself. Described are only the groups that show: ten thousand cost as little as ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import param
import polars as pl

from deeplens_kit.reporting import DuplicatesFrames, describe_duplicates
from deeplens_kit.reporting.duplicates_view import MAX_PICTURES, GroupView, WithheldView, describe_groups
from deeplens_kit.reporting.totals import CoverageTotals, Totals, add_up_coverage, add_up_groups
from deeplens_kit.storage.paths import display_path

__all__ = [
    "PAGE_GROUPS",
    "DuplicatesState",
    "Findings",
    "GroupOrder",
    "GroupsPage",
    "ranked_groups",
    "rows_of_groups",
]

PAGE_GROUPS = 25
"""Groups on a page: a screen or two when folded, and little enough to be sent and drawn at once."""


# Orders of groups kept, one for each choice of filters that somebody makes.
_KEPT_ORDERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class GroupOrder:
    """The groups that filters leave, in the order in which they are looked at.

    Attributes:
        ids: Their names, those that free most first.
        place: The number of each among them, from 0.
        objects: Objects that could go by the filters, in all of these groups.
        frees_bytes: What removing them would free.
    """

    ids: pl.Series
    place: Mapping[str, int]
    objects: int
    frees_bytes: int

    @classmethod
    def of(cls, removals: pl.DataFrame) -> GroupOrder:
        """The order by what would be removed, `removals` being as in `Findings`."""
        ids = ranked_groups(removals)["group_id"]
        # An object that several groups propose can be removed once.
        once = removals.group_by("object_id").agg(pl.col("frees_bytes").max())
        place = {group_id: at for at, group_id in enumerate(ids)}
        return cls(ids, place, once.height, int(once["frees_bytes"].sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found in a workspace, made ready to be leafed through; shared by all who look at it, from any thread.

    Attributes:
        frames: The answer, its groups by name.
        notes: Sentences on what limits it.
        totals: What all groups add up to.
        coverage: How much of what was found could be analysed.
        keepers: Ids of the objects that stay.
        removals: A row for each object that a group would remove: group_id, object_id, location, tier, frees_bytes,
            size_bytes. An object that several groups propose has a row for each.
    """

    frames: DuplicatesFrames
    notes: tuple[str, ...]
    totals: Totals
    coverage: CoverageTotals
    keepers: frozenset[str]
    removals: pl.DataFrame
    _orders: dict[tuple[tuple[str, ...], tuple[str, ...]], GroupOrder] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, frames: DuplicatesFrames, notes: Sequence[str] = ()) -> Findings:
        """Make an answer ready."""
        frames = replace(frames, groups=frames.groups.sort("group_id", maintain_order=True))
        removals = frames.groups.filter(~pl.col("is_keeper")).select(
            "group_id", "object_id", "location", "tier", "frees_bytes", "size_bytes"
        )
        keepers = frozenset(frames.groups.filter("is_keeper")["object_id"])
        totals, coverage = add_up_groups(frames.groups), add_up_coverage(frames.coverage)
        return cls(frames, tuple(notes), totals, coverage, keepers, removals)

    def order(self, locations: Sequence[str] = (), tiers: Sequence[str] = ()) -> GroupOrder:
        """The groups that filters leave; made once for all who choose the same.

        Args:
            locations: Only groups with an object there that could go; none for all.
            tiers: Only groups with evidence of this strength; none for all.
        """
        key = tuple(sorted(locations)), tuple(sorted(tiers))
        found = self._orders.get(key)
        if found is None:
            removals = self.removals
            for column, chosen in zip(("location", "tier"), key, strict=True):
                if chosen:
                    removals = removals.filter(pl.col(column).is_in(chosen))
            while len(self._orders) >= _KEPT_ORDERS:
                self._orders.pop(next(iter(self._orders)), None)
            found = self._orders[key] = GroupOrder.of(removals)
        return found

    def describe(self, group_ids: Sequence[str], *, max_pictures: int = MAX_PICTURES) -> tuple[GroupView, ...]:
        """The groups with these names, in this order; those that are not there are passed over."""
        rows = rows_of_groups(self.frames.groups, dict.fromkeys(group_ids))
        if rows.is_empty():
            return ()
        digests = rows["digest"].unique().implode()
        pictures = self.frames.pictures.filter(pl.col("digest").is_in(digests))
        described = describe_groups(replace(self.frames, groups=rows, pictures=pictures), max_pictures=max_pictures)
        by_id = {group.group_id: group for group in described}
        return tuple(by_id[group_id] for group_id in group_ids if group_id in by_id)

    def groups_of(self, digest: str) -> tuple[GroupView, ...]:
        """The groups that hold a picture; where it is kept or frees most first."""
        rows = self.frames.groups.filter(pl.col("digest") == digest)
        order = (
            rows.group_by("group_id")
            .agg(keeps=pl.col("is_keeper").any(), frees=pl.col("frees_bytes").sum())
            .sort("keeps", "frees", "group_id", descending=[True, True, False])
        )
        return self.describe(order["group_id"].to_list())

    def withheld_of(self, digest: str) -> tuple[WithheldView, ...]:
        """Matches of a picture that are not proposed, with the reason."""
        of_it = (pl.col("digest") == digest) | (pl.col("keeper_digest") == digest)
        return self._described(self.frames.withheld.filter(of_it))

    def withheld(self, most: int) -> tuple[WithheldView, ...]:
        """The strongest matches that are not proposed, with the reason."""
        return self._described(self.frames.withheld.top_k(most, by="score"))

    def _described(self, rows: pl.DataFrame) -> tuple[WithheldView, ...]:
        if rows.is_empty():
            return ()
        named = pl.concat([rows["object_id"], rows["keeper_object_id"]]).unique().implode()
        part = replace(
            self.frames,
            groups=self.frames.groups.clear(),
            withheld=rows,
            related=self.frames.related.clear(),
            pictures=self.frames.pictures.clear(),
            places=self.frames.places.filter(pl.col("object_id").is_in(named)),
            coverage=self.frames.coverage.clear(),
            failures=self.frames.failures.clear(),
        )
        return describe_duplicates(part, workspace="", made_at=datetime.now(UTC), version="").withheld


def rows_of_groups(groups: pl.DataFrame, group_ids: Iterable[str]) -> pl.DataFrame:
    """Rows of some groups, found by halving.

    Args:
        groups: GROUPS, sorted by `group_id`.
        group_ids: Which; of those that are not there is no row.
    """
    wanted = pl.Series(list(group_ids), dtype=pl.String)
    first, end = (groups["group_id"].search_sorted(wanted, side).to_list() for side in ("left", "right"))
    parts = [groups.slice(start, stop - start) for start, stop in zip(first, end, strict=True)]
    return pl.concat(parts) if parts else groups.clear()


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """The groups that show.

    Attributes:
        order: What they are a part of.
        page: Which, from 1.
        groups: Described, in order.
        matching: Groups that the filters leave.
        pages: Pages that they fill, 1 at least.
        objects: Objects that could go by the filters, in all of these groups.
        frees_bytes: What removing them would free.
        first: Number of the first group that shows, from 1; 0 where none does.
    """

    order: GroupOrder
    page: int
    groups: tuple[GroupView, ...]
    matching: int
    pages: int
    objects: int
    frees_bytes: int
    first: int


class DuplicatesState(param.Parameterized):
    """What is looked at.

    Args:
        findings: What was found.

    Attributes:
        locations: Names of locations: only groups with an object there that could go; none for all.
        tiers: Only groups with evidence of this strength; none for all.
        page: Number of the page, from 1.
        group: Name of the one group that is looked at; empty for the list.
        revision: Goes up when what is shown has changed otherwise.
    """

    locations = param.ListSelector(default=[], objects=[], label="Could go from")
    tiers = param.ListSelector(default=[], objects=[], label="Evidence")
    page = param.Integer(default=1, bounds=(1, None))
    group = param.String(default="")
    revision = param.Integer(default=0)

    def __init__(self, findings: Findings) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.findings = findings
        self._prepared: GroupsPage | None = None
        self._offer()

    def _offer(self) -> None:
        """Let the filters choose from what was found; what was chosen and is gone is chosen no more."""
        for name, column in (("locations", "location"), ("tiers", "tier")):
            counts = self.findings.removals.group_by(column).agg(pl.col("group_id").n_unique()).sort(column)
            objects = {f"{display_path(value)} ({count:,})": value for value, count in counts.iter_rows()}
            self.param[name].objects = objects
            chosen = getattr(self, name)
            if left_out := set(chosen) - set(objects.values()):
                setattr(self, name, [value for value in chosen if value not in left_out])

    @param.depends("locations", "tiers", watch=True)
    def _start_over(self) -> None:
        self.param.update(page=1, group="")

    def open_group(self, group_id: str) -> None:
        """Look at one group alone."""
        self.group = group_id

    def turn_to(self, page: int) -> None:
        """Show another page of the list; the nearest where there is no such."""
        self.page = min(max(1, page), self._pages(len(self._ordered().ids)))

    def adopt(self, findings: Findings) -> None:
        """Show other findings."""
        self.findings = findings
        with param.parameterized.batch_call_watchers(self):
            self._offer()
            self.turn_to(self.page)
            self.revision += 1

    def current_page(self) -> GroupsPage:
        """The groups that show now."""
        return self._page_at(self.page)

    def prepare_next(self) -> None:
        """Describe the next page beforehand; on a thread of its own, so that who turns to it does not wait."""
        self._prepared = self._page_at(self.page + 1)

    def _page_at(self, page: int) -> GroupsPage:
        order, prepared = self._ordered(), self._prepared
        pages = self._pages(len(order.ids))
        page = min(page, pages)
        if prepared is not None and prepared.order is order and prepared.page == page:
            return prepared
        start = (page - 1) * PAGE_GROUPS
        shown = order.ids.slice(start, PAGE_GROUPS)
        return GroupsPage(
            order=order,
            page=page,
            groups=self.findings.describe(shown.to_list()),
            matching=len(order.ids),
            pages=pages,
            objects=order.objects,
            frees_bytes=order.frees_bytes,
            first=start + 1 if len(shown) else 0,
        )

    def single(self) -> GroupView | None:
        """The one group that is looked at; None where there is no such group, or none is chosen."""
        found = self.findings.describe([self.group]) if self.group else ()
        return found[0] if found else None

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter is set."""
        return bool(self.locations or self.tiers)

    def _ordered(self) -> GroupOrder:
        """What the filters leave."""
        return self.findings.order(self.locations, self.tiers)

    @staticmethod
    def _pages(groups: int) -> int:
        return max(1, -(-groups // PAGE_GROUPS))


def ranked_groups(removals: pl.DataFrame) -> pl.DataFrame:
    """Groups by the bytes that these objects of theirs would free; `removals` is as in `Findings`."""
    return (
        removals.group_by("group_id")
        .agg(frees=pl.col("frees_bytes").sum(), gross=pl.col("size_bytes").sum())
        .sort("frees", "gross", "group_id", descending=[True, True, False])
    )
