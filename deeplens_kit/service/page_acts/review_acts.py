"""What the page of duplicates does: labels, decisions, and taking them back, each as whoever is there.

Takes a page's session, gives the source of its review; must not group or record by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.reviewing import DuplicateActs, ReviewAct
from deeplens_kit.service.page_acts.guarded import Guarded, guarded
from deeplens_kit.views.duplicates_page import RecentFindings

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.schemas import DecisionKind, Verdict
    from deeplens_kit.service.pages import PageSession
    from deeplens_kit.views.state import Findings

__all__ = ["ReviewActs", "ReviewSourceOfPage"]


class ReviewActs(Guarded, DuplicateActs):
    """Says things of pictures.

    Args:
        session: Of the page.
    """

    def __init__(self, session: PageSession) -> None:
        Guarded.__init__(self, session)
        DuplicateActs.__init__(self, session.desk.workspace)

    @guarded(Scope.IMAGES_WRITE)
    def label(self, one: str, other: str, verdict: Verdict | str, note: str = "") -> ReviewAct:
        """Say of two pictures whether they are the same."""
        return super().label(one, other, verdict, note)

    @guarded(Scope.IMAGES_WRITE)
    def decide(self, kind: DecisionKind | str, pairs: Sequence[tuple[str | None, str]], why: str = "") -> ReviewAct:
        """Decide on pairs of keeper and member."""
        return super().decide(kind, pairs, why)

    @guarded(Scope.IMAGES_WRITE)
    def decide_groups(self, kind: DecisionKind | str, groups: pl.DataFrame, why: str = "") -> ReviewAct:
        """Decide on whole groups, in one act."""
        return super().decide_groups(kind, groups, why)

    @guarded(Scope.IMAGES_WRITE)
    def take_back(self, act: ReviewAct) -> None:
        """Make what was said as it was before."""
        super().take_back(act)


class ReviewSourceOfPage:
    """Where the page has its groups from, and where what is said goes.

    Args:
        session: Of the page.
    """

    def __init__(self, session: PageSession) -> None:
        self._desk = session.desk
        self._acts = ReviewActs(session)

    @property
    def acts(self) -> ReviewActs:
        """Records what is said."""
        return self._acts

    def findings(self) -> Findings:
        """The groups as they are now; may take seconds."""
        return self._desk.findings()

    def recent(self) -> RecentFindings:
        """Groups that are at hand."""
        return RecentFindings(*self._desk.findings_at_hand())
