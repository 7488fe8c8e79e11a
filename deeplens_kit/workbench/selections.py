"""What the workbench does with pictures that a person selected, on a map or elsewhere.

Takes an open workspace and digests, gives frames and frozen values; must not compute anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.workbench.locations import WorkbenchLocations

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import DecisionAct, PlanRecord
    from deeplens_kit.pipeline.alike_pictures import AlikePictures
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.schemas import Tier

__all__ = ["WorkbenchSelections"]


class WorkbenchSelections(WorkbenchLocations):
    """The part of the workbench that is about selected pictures."""

    def alike(self, feature: str = "sscd_small") -> AlikePictures:
        """Gives for a digest the pictures that are most like it: all are compared. No cosine proves a copy.

        Args:
            feature: The vectors by which they are compared; read at the first question, and kept.

        Example:
            >>> nearest = workbench.alike()(workbench.pictures()["digest"][0], 3)
            >>> nearest.columns, nearest.height, nearest["cosine"].is_sorted(descending=True)
            (['digest', 'cosine'], 3, True)
        """
        from deeplens_kit.pipeline.alike_pictures import AlikePictures

        return AlikePictures(self.workspace, feature)

    def pairs_among(self, digests: Iterable[str]) -> pl.DataFrame:
        """The stored pairs among some pictures with their labels, those without one first.

        Example:
            >>> pairs = workbench.pairs_among(workbench.pictures()["digest"])
            >>> pairs.columns
            ['digest_a', 'digest_b', 'score', 'tier', 'relation', 'verdict']
        """
        from deeplens_kit.pipeline import selection_acts

        return selection_acts.pairs_among(self.workspace, digests)

    def keep_pictures(self, digests: Iterable[str], why: str = "") -> DecisionAct:
        """Never propose any of some pictures for removal; `withdraw_decisions` with the act takes it back.

        Example:
            >>> made = workbench.keep_pictures(workbench.pictures()["digest"].head(2), "in print")
            >>> made.added, len(workbench.withdraw_decisions(made.act_id))
            (2, 2)
        """
        from deeplens_kit.pipeline import selection_acts

        return selection_acts.keep_pictures(self.workspace, digests, why)

    def plan_of(
        self, digests: Iterable[str], *, tiers: Sequence[Tier | str] | None = None, rule: RuleLike = None
    ) -> PlanRecord:
        """Make a plan, a draft, for the groups in which one of some pictures is; nothing is done.

        Args:
            digests: The pictures.
            tiers: As for `make_plan`: None for bytes and pixels.
            rule: As for `make_plan`.

        Raises:
            PlanError: There is nothing that it could do.

        Example:
            >>> opened = workbench.change_location("laptop", permissions="change")
            >>> chosen = workbench.groups(tiers=["bytes"]).filter(location="laptop", is_keeper=False)["digest"]
            >>> plan = workbench.plan_of(chosen)
            >>> plan.state.value, plan.steps >= len(chosen)
            ('draft', True)
            >>> closed = workbench.change_location("laptop", without=["permissions"])
        """
        from deeplens_kit.pipeline import selection_acts

        return selection_acts.plan_of_pictures(
            self.workspace, digests, tiers=tiers, rule=chosen_rule(self.workspace, rule)
        )
