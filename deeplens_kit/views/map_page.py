"""The page of the map: which features it is made of, the map, and what is done with what is selected on it.

Takes what makes a map and its clusters, and the acts on a selection, gives Panel components; must not lay out, cluster
or decide. A map is made apart from the event loop and shared by all who look at it: see `SharedStates`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message
from deeplens_kit.views.map_view import MapView
from deeplens_kit.views.page import once_open
from deeplens_kit.views.pair_view import PairView
from deeplens_kit.views.selection_view import SelectionView
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.views.state.map_state import MapState
from deeplens_kit.views.state.search_state import UNEXPECTED
from deeplens_kit.views.state.shared_states import Shared

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.pair_pictures import PairLooks
    from deeplens_kit.views.state.selection_desk import SelectionActs

__all__ = ["MapPage"]

_MAKING = message(
    "The map is being made", "Ten thousand pictures take some seconds the first time, a million many minutes.",
    kind="busy",
)  # fmt: skip
_CLUSTERING = message(
    "Clusters are being looked for", "A hundred thousand pictures take about a minute, a million half an hour.",
    kind="busy",
)  # fmt: skip
# Up to so many pictures (inclusive) clusters are found in some seconds, so nobody has to ask for them.
_CLUSTERED_AT_ONCE = 20_000
_FEATURE_WORDS = {"sscd_small": "Alike as copies", "sscd": "Alike as copies, large model"}

MapAsked = Callable[[str, bool], Awaitable[Shared[MapGround]]]
ClustersAsked = Callable[[str, MapGround], Awaitable[Shared[MapGround]]]
Nearest = Callable[[MapGround], "Callable[[str, int], pl.DataFrame]"]


class MapPage:
    """A map, and beneath it what is selected.

    Args:
        ask: Gives the map of a feature, also an outdated one; made anew where the second argument is true.
        ask_clusters: Gives the same map with clusters.
        nearest: Gives for a map what finds the most alike of a picture.
        features: Names of vector features, the first is shown first.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        acts: Labels, keeps and plans; None for who may only look.
        looks: Gives what two digests look like, see `PairView`.

    Attributes:
        main: All of it.
    """

    def __init__(
        self,
        ask: MapAsked,
        ask_clusters: ClustersAsked,
        nearest: Nearest,
        features: Sequence[str],
        thumbnail: Callable[[str, int], bytes | None],
        src: Callable[[str, int], str],
        *,
        acts: SelectionActs | None,
        looks: Callable[[str, str], PairLooks | None] | None = None,
    ) -> None:
        self._ask, self._ask_clusters, self._nearest = ask, ask_clusters, nearest
        self._thumbnail, self._src, self._acts, self._looks = thumbnail, src, acts, looks
        self._features = list(features) or ["sscd_small"]
        self._feature = self._features[0]
        self._asked = 0
        self._found: Shared[MapGround] | None = None
        self._state: MapState | None = None
        # The map whose clusters are being looked for.
        self._clustering: MapState | None = None
        self._bar = Board(self._act, margin=(0, 0, 12, 0))
        self._shown = pn.Column(sizing_mode="stretch_width")
        self.main = pn.Column(self._bar, self._shown, sizing_mode="stretch_width")
        self._wait()
        once_open(self._load)

    # --- What is there -----------------------------------------------------------------------------------------------

    async def _load(self, *, anew: bool = False) -> None:
        self._asked += 1
        asked = self._asked
        try:
            found = await self._ask(self._feature, anew)
            if asked != self._asked:
                return
            self._show(found)
        except DeepLensError as error:
            if asked == self._asked:
                self._shown[:] = [Board(html=message("There is no map", str(error), kind="problem"))]
            return
        except Exception:
            if asked == self._asked:
                self._shown[:] = [Board(html=message("There is no map", UNEXPECTED, kind="problem"))]
            raise
        if found.value.points.height <= _CLUSTERED_AT_ONCE:
            await self._cluster()

    def _wait(self) -> None:
        self._found, self._state, self._clustering = None, None, None
        self._bar.html = self._bar_html()
        self._shown[:] = [Board(html=_MAKING)]

    def _show(self, found: Shared[MapGround]) -> None:
        ground = found.value
        state = MapState()
        state.stand_on(ground)
        self._found, self._state = found, state
        parts = [MapView(state, self._thumbnail, self._nearest(ground), self._src).__panel__()]
        if ground.points.height:
            closer = None if self._looks is None or self._acts is None else PairView(self._looks)
            chosen = SelectionView(state.selection, ground.points, self._thumbnail, self._acts, closer, self._src)
            parts.append(chosen.__panel__())
        self._bar.html = self._bar_html()
        self._shown[:] = parts

    async def _cluster(self) -> None:
        """Find the clusters of what is shown, and colour it by them."""
        found, state = self._found, self._state
        if found is None or state is None or found.value.clusters is not None or not found.value.points.height:
            return
        self._clustering = state
        self._bar.html = self._bar_html()
        try:
            clustered = await self._ask_clusters(self._feature, found.value)
        except Exception as error:
            self._end_clustering(state, str(error) if isinstance(error, DeepLensError) else UNEXPECTED)
            if not isinstance(error, DeepLensError):
                raise
            return
        if state is self._state:
            self._found = Shared(clustered.value, found.outdated, found.made_at)
            state.stand_on(clustered.value)
        self._end_clustering(state)

    def _end_clustering(self, state: MapState, problem: str = "") -> None:
        """Nobody waits for the clusters of a map any more; of one that is not shown any more nothing is told."""
        if state is not self._state:
            return
        self._clustering = None
        told = message("No clusters were found", problem, kind="problem") if problem else ""
        self._bar.html = told + self._bar_html()

    # --- What the person does ----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str) -> None:
        if act == "feature" and value in self._features and value != self._feature:
            self._feature = value
            self._wait()
            pn.state.execute(self._load)
        elif act == "anew" and self._found is not None:
            self._wait()
            pn.state.execute(self._load_anew)
        elif act == "clusters" and not self._clustering:
            pn.state.execute(self._cluster)

    async def _load_anew(self) -> None:
        await self._load(anew=True)

    def _bar_html(self) -> str:
        buttons = "".join(
            f'<button type="button" id="feature-{escape(name)}" data-act="feature" data-value="{escape(name)}" '
            f'aria-pressed="{str(name == self._feature).lower()}">{escape(_FEATURE_WORDS.get(name, f"By {name}"))}'
            "</button>"
            for name in self._features
        )
        chosen = ""
        if len(self._features) > 1:
            chosen = f'<div class="acts ways" role="group" aria-label="What the map is made of">{buttons}</div>'
        found, notes, acts = self._found, "", ""
        if found is not None and found.outdated:
            made = datetime.fromtimestamp(found.made_at, UTC)
            notes = message(
                f"Pictures or decisions have changed since this map was made ({made:%H:%M} UTC).", kind="note"
            )
            acts += '<button type="button" class="second" data-act="anew">Make the map anew</button>'
        if found is not None and found.value.clusters is None and found.value.points.height > _CLUSTERED_AT_ONCE:
            acts += '<button type="button" class="second" data-act="clusters">Find clusters</button>'
        if self._clustering:
            notes, acts = notes + _CLUSTERING, ""
        return f"{chosen}{notes}{f'<p class=acts>{acts}</p>' if acts else ''}"
