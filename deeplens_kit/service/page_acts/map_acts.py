"""What the page of the map does: maps and clusters that all pages share, and the acts on what is selected.

Takes a page's session, gives what `MapPage` asks for; must not lay out, cluster or decide by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from deeplens_kit import pipeline
from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.alike_pictures import AlikePictures
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.service.page_acts.guarded import Guarded, guarded
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.workbench import Workbench

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import DecisionAct, PlanRecord
    from deeplens_kit.service.desk import Desk
    from deeplens_kit.service.pages import PageSession
    from deeplens_kit.views.state.shared_states import Shared

__all__ = ["MapActs", "MapSource"]

_FIRST = "sscd_small"


class MapSource:
    """Maps of a workspace.

    Args:
        desk: What all sessions work with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._workspace = desk, desk.workspace

    def features(self) -> list[str]:
        """Features that a map can be made of, that of copies first."""
        names = {spec.name for spec in self._workspace.catalog.vector_specs() if spec.kind == "vector"}
        return sorted(names, key=lambda name: (name != _FIRST, name))

    async def ask(self, feature: str, anew: bool) -> Shared[MapGround]:
        """The map of a feature."""
        state = await asyncio.to_thread(self._desk.state)
        return await self._desk.shared.get(f"map of {feature}", state, lambda: self._make(feature), anew=anew)

    async def ask_clusters(self, feature: str, ground: MapGround) -> Shared[MapGround]:
        """The same map with clusters."""

        def make() -> MapGround:
            return ground.with_clusters(pipeline.cluster_pictures(self._workspace, feature))

        return await self._desk.shared.get(f"clusters of {feature}", ground.token, make, anew=True)

    def nearest(self, ground: MapGround) -> AlikePictures:
        """What finds the most alike of a picture of a map."""
        feature = _FIRST if ground.picture_map is None else ground.picture_map.feature
        return ground.part("alike", lambda: AlikePictures(self._workspace, feature))

    def _make(self, feature: str) -> MapGround:
        found = pipeline.map_pictures(self._workspace, feature, rule=chosen_rule(self._workspace, None))
        ground = MapGround(found)
        # Now, off the event loop: it reads which pictures have the feature.
        self.nearest(ground)
        return ground


class MapActs(Guarded):
    """What is done with what is selected.

    Args:
        session: Of the page.
    """

    def __init__(self, session: PageSession) -> None:
        super().__init__(session)
        self._workbench = Workbench(session.desk.workspace)

    @guarded(Scope.IMAGES_READ)
    def pairs_among(self, digests: Iterable[str]) -> pl.DataFrame:
        """Pairs of which both pictures are among these, with their labels."""
        return self._workbench.pairs_among(digests)

    @guarded(Scope.IMAGES_WRITE)
    def label(self, first: str, second: str, verdict: str, note: str = "") -> Any:
        """Label a pair."""
        return self._workbench.label(first, second, verdict, note)

    @guarded(Scope.IMAGES_WRITE)
    def keep_pictures(self, digests: Iterable[str], why: str = "") -> DecisionAct:
        """Never propose them for removal."""
        return self._workbench.keep_pictures(digests, why)

    @guarded(Scope.IMAGES_WRITE)
    def withdraw_decisions(self, *which: str | int) -> list[int]:
        """Take the decisions of an act back."""
        return self._workbench.withdraw_decisions(*which)

    @guarded(Scope.IMAGES_WRITE)
    def plan_of(self, digests: Iterable[str], *, tiers: Sequence[str] | None = None) -> PlanRecord:
        """Make a plan for the groups in which they are."""
        return self._workbench.plan_of(digests, tiers=tiers)
