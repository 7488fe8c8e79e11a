"""The page for thresholds: the lab of a workspace, loaded apart from the event loop and shared by all who use it.

Takes what loads a lab and what acts on a workspace, gives Panel components; must not count, judge or save by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message
from deeplens_kit.views.page import once_open
from deeplens_kit.views.state.lab_ground import LabGround
from deeplens_kit.views.state.search_state import UNEXPECTED
from deeplens_kit.views.state.shared_states import Shared
from deeplens_kit.views.state.threshold_state import ThresholdState
from deeplens_kit.views.threshold_view import ThresholdView

if TYPE_CHECKING:
    from deeplens_kit.pipeline.pair_pictures import PairLooks
    from deeplens_kit.views.state.lab_acts import LabActs

__all__ = ["TunePage"]

_LOADING = message(
    "The pairs are being loaded", "A hundred thousand pictures take some seconds, a million about half a minute.",
    kind="busy",
)  # fmt: skip
_OUTDATED = "Pictures, decisions or prices have changed since these pairs were loaded; what is shown is as it was then."


class TunePage:
    """The lab.

    Args:
        ask: Gives the lab, also an outdated one; loaded anew where the argument is true.
        acts: Gives for a lab what labels and saves rules.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        looks: Gives what two digests look like, see `PairView`.
        may_act: Whether whoever looks may label and save rules.

    Attributes:
        main: All of it.
    """

    def __init__(
        self,
        ask: Callable[[bool], Awaitable[Shared[LabGround]]],
        acts: Callable[[LabGround], LabActs],
        thumbnail: Callable[[str, int], bytes | None],
        src: Callable[[str, int], str],
        looks: Callable[[str, str], PairLooks | None],
        *,
        may_act: bool,
    ) -> None:
        self._ask, self._acts, self._may_act = ask, acts, may_act
        self._thumbnail, self._src, self._looks = thumbnail, src, looks
        self._loading = False
        self._bar = Board(self._act)
        self._shown = pn.Column(Board(html=_LOADING), sizing_mode="stretch_width")
        self.main = pn.Column(self._bar, self._shown, sizing_mode="stretch_width")
        once_open(self._load)

    async def _load(self, *, anew: bool = False) -> None:
        if self._loading:
            return
        self._loading = True
        try:
            found = await self._ask(anew)
            ground = found.value
            make = partial(ThresholdState, ground.lab, self._acts(ground), may_write=self._may_act)
            # Its first answer takes a second at a million pictures.
            state = await asyncio.to_thread(make)
        except DeepLensError as error:
            self._shown[:] = [Board(html=message("The pairs cannot be loaded", str(error), kind="problem"))]
            return
        except Exception:
            self._shown[:] = [Board(html=message("The pairs cannot be loaded", UNEXPECTED, kind="problem"))]
            raise
        finally:
            self._loading = False
        # Kept: what is shared is freed when no page keeps it.
        self._ground = ground
        note = '<p class="acts"><button type="button" class="second" data-act="anew">Load them anew</button></p>'
        self._bar.html = message(_OUTDATED, kind="note") + note if found.outdated else ""
        self._shown[:] = [ThresholdView(state, self._thumbnail, self._looks, self._src).__panel__()]

    def _act(self, act: str, _value: str) -> None:
        if act == "anew" and not self._loading:
            self._bar.html = ""
            self._shown[:] = [Board(html=_LOADING)]
            pn.state.execute(self._load_anew)

    async def _load_anew(self) -> None:
        await self._load(anew=True)
