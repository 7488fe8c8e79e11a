"""Where a person is among the groups, pair by pair, and what they said of them.

Takes a source of findings and of acts, holds the place as parameters; must not import Panel, open a store or group.
What is said is recorded at once and shown at once; the groups are made anew when the person asks for it, for that may
take seconds. Groups are described one at a time, so that ten thousand are leafed through as fast as ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import param
import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.duplicates_view import GroupView
from deeplens_kit.reporting.words import plural
from deeplens_kit.schemas import DecisionKind, Verdict
from deeplens_kit.views.state.duplicates_state import PAGE_GROUPS, DuplicatesState, Findings, rows_of_groups
from deeplens_kit.views.state.review_rows import GroupLine, ReviewGroup, copies_of, group_line, review_entry

if TYPE_CHECKING:
    from deeplens_kit.pipeline.reviewing import DuplicateActs, ReviewAct

__all__ = ["MAX_ENTRIES", "ReviewSource", "ReviewState"]

MAX_ENTRIES = 100
"""Copies of a group that are stepped through; what more there is is counted."""

_DESCRIBED = 8
_PAGES = 4
# Of a copy, named before: the next one shows by then.
_SAID = {
    Verdict.SAME: "labelled as the same picture.",
    Verdict.DIFFERENT: "labelled as different pictures.",
    Verdict.UNSURE: "labelled as unsure.",
    DecisionKind.APPROVED: "approved: it may go.",
    DecisionKind.KEEP_BOTH: "both are kept.",
    DecisionKind.ALTERNATES: "both are kept, as versions.",
    DecisionKind.NEVER_PROPOSE: "it is never proposed.",
}
_EQUAL = "Files with equal bytes are proposed without an approval."
_INSTEAD = (
    "Noted that the copy should stay and the other may go. It waits until the keep policy agrees. Why the "
    "other one stays now: {reason}. With a policy that puts the copy first this counts."
)


class ReviewSource(Protocol):
    """Where findings come from, and where acts go."""

    @property
    def acts(self) -> DuplicateActs:
        """Records what is said."""

    def findings(self) -> Findings:
        """The groups as they are now; may take seconds."""


class ReviewState(DuplicatesState):
    """The place among the groups, and the acts until now.

    Args:
        source: Of findings and acts.
        findings: What to look at first; None for what the source finds now.
        locations: Only groups with a file there that could go; none for all.
        tiers: Only groups with evidence of this strength; none for all.

    Attributes:
        member: Number of the copy that is looked at, from 0.
        said: What the last act came to, in words.
        revision: Goes up with each act and each new grouping.
        pending: Acts since the groups were made.
        marked: Groups that are marked, to be decided on together.
    """

    member = param.Integer(default=0, bounds=(0, None))
    said = param.String(default="")
    pending = param.Integer(default=0)
    marked: Any = param.ClassSelector(class_=frozenset, default=frozenset())

    def __init__(
        self,
        source: ReviewSource,
        *,
        findings: Findings | None = None,
        locations: Sequence[str] = (),
        tiers: Sequence[str] = (),
    ) -> None:
        super().__init__(source.findings() if findings is None else findings)
        self._source = source
        self._history: list[tuple[ReviewAct, str, int]] = []
        self._lay_out()
        known = {name: set(self.param[name].objects.values()) for name in ("locations", "tiers")}
        self.param.update(
            locations=[name for name in locations if name in known["locations"]],
            tiers=[name for name in tiers if name in known["tiers"]],
        )
        self._rank()

    # --- Where one is ------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Make ready what every move looks up."""
        self._described = lru_cache(_DESCRIBED)(self._describe)
        self._facts_on = lru_cache(_PAGES)(self._facts)
        self._order = pl.Series("group_id", [], pl.String)
        self._rows = self.findings.frames.groups

    def _rank(self) -> None:
        order = self._ordered()
        self._order, self._place = order.ids, order.place
        # Another order has other groups on its pages.
        self._facts_on = lru_cache(_PAGES)(self._facts)
        first = self._order[0] if len(self._order) else ""
        if self.group not in self._place:
            self.param.update(group=first, member=0, page=1)

    @param.depends("locations", "tiers", watch=True)
    def _start_over(self) -> None:
        # While the state is being made there is nothing to start over.
        if hasattr(self, "_order"):
            self._order = self._order.clear()
            self.param.update(group="", member=0, page=1)
            self._rank()

    @property
    def groups(self) -> int:
        """Groups that the filters leave."""
        return len(self._order)

    @property
    def pages(self) -> int:
        """Pages that they fill, 1 at least."""
        return self._pages(self.groups)

    def turn_to(self, page: int) -> None:
        """Show another page of the list and the first group on it; the nearest where there is no such."""
        at = min(max(1, page), self.pages)
        first = self._order[(at - 1) * PAGE_GROUPS] if self.groups else ""
        self.param.update(page=at, group=first, member=0)

    def open_group(self, group_id: str) -> None:
        """Look at a group; at none other where the filters leave no such."""
        if group_id in self._place:
            self.param.update(group=group_id, member=0, page=self._place[group_id] // PAGE_GROUPS + 1)

    def open_member(self, at: int) -> None:
        """Look at a copy of the group; the nearest where there is no such."""
        if self.group in self._place:
            self.member = min(max(0, at), self._described(self.group)[1] - 1)

    def move_group(self, by: int) -> None:
        """Go to the next group (1) or the one before (-1); at either end one stays."""
        if self.groups:
            at = min(max(0, self._place.get(self.group, 0) + by), self.groups - 1)
            self.open_group(self._order[at])

    def move_member(self, by: int) -> None:
        """Go to the next copy or the one before; past the ends to the group beside."""
        if self.group not in self._place:
            return
        at = self.member + by
        if 0 <= at < self._described(self.group)[1]:
            self.member = at
        elif 0 <= self._place[self.group] + by < self.groups:
            self.move_group(by)
            self.member = 0 if by > 0 else self._described(self.group)[1] - 1

    # --- What shows --------------------------------------------------------------------------------------------------

    def lines(self) -> tuple[GroupLine, ...]:
        """The groups on the page."""
        shown = self._order.slice((self.page - 1) * PAGE_GROUPS, PAGE_GROUPS)
        parts: dict[str, list[dict[str, Any]]] = {group_id: [] for group_id in shown}
        for row in self._rows_of(list(parts)).iter_rows(named=True):
            parts[row["group_id"]].append(row)
        marks = self._source.acts.marks(list({row["digest"] for rows in parts.values() for row in rows}))
        return tuple(group_line(rows, marks) for rows in parts.values())

    def prepare_next(self) -> None:
        """Look up beforehand what the next page asks the stores for; as that of the list."""
        # As they are now: a filter may change them on another thread.
        order, facts_on, page = self._order, self._facts_on, self.page
        if page * PAGE_GROUPS < len(order):
            facts_on(page)
            self._described(order[page * PAGE_GROUPS])

    def current(self) -> ReviewGroup | None:
        """The group that is looked at; None where there is none."""
        if self.group not in self._place:
            return None
        group, _ = self._described(self.group)
        rows = self._rows_of([self.group])
        pictures = copies_of(group)
        digests = [group.pictures[0].digest, *(picture.digest for picture in pictures)]
        marks = self._source.acts.marks(digests)
        facts = self._facts_on(self._place[self.group] // PAGE_GROUPS)
        kept = rows.row(by_predicate=pl.col("is_keeper"), named=True)
        entries = tuple(review_entry(picture, kept, rows, facts, marks) for picture in pictures)
        return ReviewGroup(
            group=group,
            keeper=group.pictures[0],
            entries=entries,
            at=min(self.member, len(entries) - 1),
            number=self._place[self.group] + 1,
            groups=self.groups,
            withheld=self.findings.withheld_of(kept["digest"]),
        )

    def _describe(self, group_id: str) -> tuple[GroupView, int]:
        (group,) = self.findings.describe([group_id], max_pictures=MAX_ENTRIES)
        return group, len(copies_of(group))

    def _facts(self, page: int) -> dict[str, dict[str, Any]]:
        """PICTURE_FACTS by digest of all groups of a page, from 0: asked for at once, for each question takes long."""
        rows = self._rows_of(self._order.slice(page * PAGE_GROUPS, PAGE_GROUPS).to_list())
        found = self._source.acts.facts(rows["digest"].unique().to_list())
        return {row["digest"]: row for row in found.iter_rows(named=True)}

    def _rows_of(self, group_ids: Sequence[str]) -> pl.DataFrame:
        return rows_of_groups(self._rows, group_ids)

    # --- What is said ------------------------------------------------------------------------------------------------

    def label(self, verdict: Verdict | str, member_digest: str | None = None) -> None:
        """Say of the keeper and a copy whether they are the same picture, and go on to the next.

        Args:
            verdict: What is said.
            member_digest: Of the copy; None for the one that is looked at. Another than this group has is passed over.
        """
        pair = self._pair(member_digest)
        if pair is not None:
            said = self._said_of(pair[1], _SAID[Verdict(str(verdict))])
            self._act(lambda: self._source.acts.label(*pair, verdict), said)

    def decide(self, kind: DecisionKind | str, member_digest: str | None = None) -> None:
        """Decide on a copy beside its keeper, and go on to the next; `member_digest` is as for `label`."""
        pair = self._pair(member_digest)
        if pair is None:
            return
        said = DecisionKind(str(kind))
        if pair[0] == pair[1] and said is DecisionKind.APPROVED:
            self.param.update(said=_EQUAL, revision=self.revision + 1)
            return
        alone = said is DecisionKind.NEVER_PROPOSE
        rows = [(None if alone else pair[0], pair[1])]
        self._act(lambda: self._source.acts.decide(said, rows), self._said_of(pair[1], _SAID[said]))

    def keep_instead(self, member_digest: str | None = None) -> None:
        """Say that a copy should stay in the place of its keeper; `member_digest` is as for `label`."""
        pair, found = self._pair(member_digest), self.current()
        if pair is not None and found is not None and pair[0] != pair[1]:
            keeper, member = pair
            reason = next(file.reason for file in found.keeper.members if file.is_keeper)
            said = _INSTEAD.format(reason=reason.rstrip("."))
            self._act(lambda: self._source.acts.decide(DecisionKind.APPROVED, [(member, keeper)]), said)

    def decide_group(self, kind: DecisionKind | str) -> None:
        """Decide on all copies of the group that is looked at, and go on to the next group."""
        if self.group in self._place:
            rows = self._rows_of([self.group])
            self._act(lambda: self._source.acts.decide_groups(kind, rows), "All of the group: {}", whole=True)

    def decide_page(self, kind: DecisionKind | str) -> None:
        """Decide on all groups of the page in one act; the place stays."""
        shown = self._order.slice((self.page - 1) * PAGE_GROUPS, PAGE_GROUPS)
        rows = self._rows_of(shown.to_list())
        said = f"{plural(len(shown), 'group')} of this page: {{}}"
        self._act(lambda: self._source.acts.decide_groups(kind, rows), said, stays=True)

    def mark(self, group_id: str | None = None) -> None:
        """Mark a group, or take its mark away; None for the one that is looked at, after which comes the next."""
        wanted = self.group if group_id is None else group_id
        if wanted not in self._place:
            return
        self.marked ^= {wanted}
        if group_id is None:
            self.move_group(1)

    def unmark(self) -> None:
        """Take all marks away."""
        self.marked = frozenset()

    def decide_marked(self, kind: DecisionKind | str) -> None:
        """Decide on all groups that are marked in one act; the place stays, and the marks go."""
        marked = self._order.filter(self._order.is_in(list(self.marked))).to_list()
        if not marked:
            return
        rows = self._rows_of(marked)
        said = f"{plural(len(marked), 'marked group')}: {{}}"
        if self._act(lambda: self._source.acts.decide_groups(kind, rows), said, stays=True):
            self.unmark()

    def take_back(self) -> None:
        """Take the last act back, and go to where it was made."""
        if not self._history:
            self.said = "There is nothing to take back."
            return
        act, group_id, member = self._history.pop()
        try:
            self._source.acts.take_back(act)
        except DeepLensError as error:
            self.param.update(said=str(error), revision=self.revision + 1)
            return
        if group_id in self._place:
            self.open_group(group_id)
            self.member = member
        self.param.update(said="Taken back.", revision=self.revision + 1, pending=max(0, self.pending - 1))

    @property
    def can_take_back(self) -> bool:
        """Whether an act of this session stands."""
        return bool(self._history)

    def regroup(self) -> None:
        """Make the groups anew, by what was said; the place stays where its group does. May take seconds."""
        self.adopt(self._source.findings())

    def gather(self) -> Findings:
        """The groups by what was said; touches no parameter, so that it may run on any thread."""
        return self._source.findings()

    def adopt(self, findings: Findings) -> None:
        """Show other findings."""
        at, group_id = self._place.get(self.group, 0), self.group
        self.findings = findings
        with param.parameterized.batch_call_watchers(self):
            self._offer()
            self._lay_out()
            self._rank()
            self.marked = frozenset(group_id for group_id in self.marked if group_id in self._place)
            if self.groups and group_id not in self._place:
                self.open_group(self._order[min(at, self.groups - 1)])
            else:
                # Its page may be another now.
                self.page = self._place.get(self.group, 0) // PAGE_GROUPS + 1
            self.param.update(said="Grouped anew.", revision=self.revision + 1, pending=0)

    def _pair(self, member_digest: str | None) -> tuple[str, str] | None:
        """Keeper and copy, where the group that is looked at has it."""
        found = self.current()
        if found is None:
            return None
        digests = [entry.picture.digest for entry in found.entries]
        if member_digest is None:
            return found.keeper.digest, digests[found.at]
        return (found.keeper.digest, member_digest) if member_digest in digests else None

    def _said_of(self, digest: str, said: str) -> str:
        """What was said of a copy of the group that is looked at, with its name."""
        found = self.current()
        titles = [entry.picture.title for entry in found.entries if entry.picture.digest == digest] if found else []
        return f"{titles[0] if titles else 'The copy'}: {said}"

    def _act(self, act: Any, said: str, *, whole: bool = False, stays: bool = False) -> bool:
        """Do it, and say what came of it; False where it failed."""
        group_id, member = self.group, self.member
        try:
            made: ReviewAct = act()
        except DeepLensError as error:
            self.param.update(said=str(error), revision=self.revision + 1)
            return False
        # Of a single copy it holds a file's name, and whatever that has in it.
        if whole or stays:
            said = said.format(_decisions(made))
        if made.recorded:
            self._history.append((made, group_id, member))
        pending = self.pending + (1 if made.recorded and isinstance(made.said, DecisionKind) else 0)
        with param.parameterized.batch_call_watchers(self):
            if whole:
                self.move_group(1)
            elif not stays:
                self.move_member(1)
            self.param.update(said=said, revision=self.revision + 1, pending=pending)
        return True


def _decisions(act: ReviewAct) -> str:
    if not act.recorded:
        return "that was decided before."
    return f"{plural(act.recorded, 'decision')} recorded."
