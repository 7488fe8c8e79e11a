"""A pair of pictures to look at closely: side by side, in turn, as a difference, and one through the other.

Takes a source of what both look like, gives something that Panel draws in a notebook or a page; must not align, judge
or label. What is done with the images happens in the browser: nothing is asked of the server while one switches.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import param

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.words import format_percent
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import PLACEHOLDER, picture_src
from deeplens_kit.views.heard import HeardComponent, with_hearing
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.pipeline.pair_pictures import PairLooks

__all__ = ["PAIR_MODES", "PairView"]

PAIR_MODES = ("side", "blink", "difference", "overlay")
"""Ways to look at a pair, in the order of their keys, 1 to 4."""

# Pairs kept, with four images each of some 100 kB.
_KEPT = 8
_MILLION = 1_000_000
_ASK = "Choose a pair to see both pictures here."
_LOST = "Neither picture can be shown."


class PairStage(HeardComponent):
    """What the browser shows of a pair.

    Attributes:
        pair: Sources, names, shapes, corners and sentences; empty for none.
        mode: One of `PAIR_MODES`.
        said: What is said where there is no pair, and while one is fetched.
    """

    pair = param.Dict(default={})
    mode: Any = param.Selector(default=PAIR_MODES[0], objects=list(PAIR_MODES))
    said = param.String(default=_ASK)

    _esm = with_hearing("pair_view.js")


class PairView:
    """Two pictures with the region drawn in which they show the same; the keys 1 to 4 switch between the ways to look.

    Args:
        looks: Gives what the pictures of two digests look like, None where there is nothing to show; called off the
            event loop.
    """

    def __init__(self, looks: Callable[[str, str], PairLooks | None]) -> None:
        self._looks = looks
        self._kept: OrderedDict[tuple[str, str], PairLooks | None] = OrderedDict()
        self._asked: tuple[str, str] | None = None
        sheets = [viewer_style(), files("deeplens_kit.views").joinpath("pair_view.css").read_text("utf-8")]
        self._stage = PairStage(stylesheets=sheets, sizing_mode="stretch_width")

    def __panel__(self) -> Viewable:
        stage: Viewable = self._stage
        return stage

    @property
    def pair(self) -> tuple[str, str] | None:
        """The digests that were asked for last; None for none."""
        return self._asked

    @property
    def mode(self) -> str:
        """How the pair is looked at: one of `PAIR_MODES`."""
        return str(self._stage.mode)

    @mode.setter
    def mode(self, mode: str) -> None:
        self._stage.mode = mode

    def show(self, digest_a: str, digest_b: str) -> None:
        """Show a pair as soon as its pictures are there; the last one that was asked for is shown.

        Args:
            digest_a: The first picture; the other is laid on it.
            digest_b: The other one.
        """
        import panel as pn

        self._asked = digest_a, digest_b
        if self._asked in self._kept:
            self._kept.move_to_end(self._asked)
            self._draw(self._kept[self._asked])
            return
        self._stage.param.update(pair={}, said="Fetching both pictures …")
        pn.state.execute(self._fetch)

    def clear(self, said: str = _ASK) -> None:
        """Show no pair.

        Args:
            said: What is said in its place.
        """
        self._asked = None
        self._stage.param.update(pair={}, said=said)

    async def _fetch(self) -> None:
        asked = self._asked
        if asked is None:
            return
        try:
            found = await asyncio.to_thread(self._looks, *asked)
        except DeepLensError as error:
            if asked == self._asked:
                self._stage.param.update(pair={}, said=f"{_LOST} {error}")
            return
        self._kept[asked] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        if asked == self._asked:
            self._draw(found)

    def _draw(self, found: PairLooks | None) -> None:
        if found is None or (found.a is None and found.b is None):
            notes = " ".join(found.notes) if found else ""
            self._stage.param.update(pair={}, said=f"{_LOST} {notes}".strip())
        else:
            self._stage.param.update(pair=_described(found), said="")


def _described(found: PairLooks) -> dict[str, Any]:
    """What the browser needs of a pair, as JSON can hold it."""
    unlike = "" if found.unlike is None else _unlike_words(found.unlike)
    return {
        "pictures": [
            {
                "src": picture_src(content),
                "name": display_path(name) or digest[:12],
                "shape": (size[0] / size[1]) if size[1] else 1.0,
                "corners": [list(corner) for corner in corners],
                "lost": content is None,
            }
            for digest, name, content, size, corners in (
                (found.digest_a, found.name_a, found.a, found.size_a, found.corners_a),
                (found.digest_b, found.name_b, found.b, found.size_b, found.corners_b),
            )
        ],
        "laid": picture_src(found.laid) if found.laid else "",
        "difference": picture_src(found.difference) if found.difference else "",
        "unlike": unlike,
        "notes": list(found.notes),
        "placeholder": PLACEHOLDER,
    }


def _unlike_words(unlike: float) -> str:
    share = format_percent(round(unlike * _MILLION), _MILLION)
    return f"On average they differ by {share} where both show the same, light evened out."
