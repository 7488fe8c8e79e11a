"""What the page for thresholds does: a lab that all pages share, labels, and rules that are saved.

Takes a page's session, gives what `TunePage` asks for; must not count, judge or save by itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.saved_rules import counts_at_once
from deeplens_kit.service.page_acts.guarded import Guarded, guarded
from deeplens_kit.views.state.lab_ground import LabGround
from deeplens_kit.workbench import Workbench

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import SavedRule
    from deeplens_kit.matching import Rule
    from deeplens_kit.pipeline.lab_evidence import LabEvidence
    from deeplens_kit.pipeline.labelling import PairToLabel
    from deeplens_kit.pipeline.thresholds import ThresholdLab
    from deeplens_kit.service.desk import Desk
    from deeplens_kit.service.pages import PageSession
    from deeplens_kit.views.state.shared_states import Shared

__all__ = ["TuneActs", "ask_lab"]


async def ask_lab(desk: Desk, anew: bool) -> Shared[LabGround]:
    """The lab of a workspace, also an outdated one; loaded anew where that is asked for."""
    state = await asyncio.to_thread(desk.state)
    return await desk.shared.get("lab", state, lambda: LabGround(desk.workspace), anew=anew)


class TuneActs(Guarded):
    """What a lab asks of its workspace.

    Args:
        session: Of the page.
        ground: The lab, and what the labels say of it.
    """

    def __init__(self, session: PageSession, ground: LabGround) -> None:
        super().__init__(session)
        self._ground = ground
        self._workspace = session.desk.workspace
        self._workbench = Workbench(self._workspace)

    @guarded(Scope.IMAGES_READ)
    def lab_evidence(self, lab: ThresholdLab, before: LabEvidence | None = None) -> LabEvidence:
        """What the labels say at any bound; whoever is there, for their own labels are told apart."""
        return self._ground.evidence()

    @guarded(Scope.IMAGES_READ)
    def next_pair_to_label(self) -> PairToLabel | None:
        """The next pair of the sample."""
        return self._workbench.next_pair_to_label()

    @guarded(Scope.IMAGES_WRITE)
    def label(self, first: str, second: str, verdict: str, note: str = "") -> tuple[str, str]:
        """Say of two pictures whether they are the same."""
        return self._workbench.label(first, second, verdict, note)

    @guarded(Scope.IMAGES_WRITE)
    def withdraw_label(self, first: str, second: str, who: str | None = None) -> pl.DataFrame:
        """Take one's own label back."""
        return self._workbench.withdraw_label(first, second)

    @guarded(Scope.IMAGES_READ)
    def rules(self, *, retired: bool = False, versions: bool = False) -> pl.DataFrame:
        """Saved rules by name."""
        return self._workbench.rules(retired=retired, versions=versions)

    @guarded(Scope.IMAGES_READ)
    def rule(self, name: str) -> Rule:
        """The rule of a name."""
        return self._workbench.rule(name)

    @guarded(Scope.IMAGES_WRITE)
    def save_rule(self, name: str, rule: Rule, note: str = "") -> SavedRule:
        """Save a rule under a name; of the one in use the next version counts at once, so that takes who may use it."""
        in_use = counts_at_once(self._workspace, name)
        with self._session.act(Scope.PLANS_APPROVE if in_use else Scope.IMAGES_WRITE):
            return self._workbench.save_rule(name, rule, note)

    @guarded(Scope.PLANS_APPROVE)
    def use_rule(self, name: str = "strict") -> Rule:
        """Judge by a rule from now on."""
        return self._workbench.use_rule(name)
