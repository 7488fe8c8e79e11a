"""A plan within a notebook: its page, with each file that goes beside the one that stays, in a frame of its own.

Takes sentences, a described plan and a source of thumbnails, gives HTML; must not decide what is shown. The page is
within the output and asks for nothing, so that a saved notebook shows it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.reporting.plan_page import render_plan_page
from deeplens_kit.reporting.plan_view import PlanView

if TYPE_CHECKING:
    import polars as pl

__all__ = ["PlanPage", "RehearsalPage"]

_HEIGHT_PX = 760
_CODE = re.compile("`([^`]+)`")


class PlanPage:
    """A plan to look at.

    Args:
        words: What it is and what to do next.
        view: The described plan; None where there is nothing to show.
        thumbnail: Gives WebP bytes for a digest, or None.
    """

    def __init__(self, words: Sequence[str], view: PlanView | None, thumbnail: Callable[[str], bytes | None]) -> None:
        self.words = tuple(words)
        self._view, self._thumbnail = view, thumbnail

    def __repr__(self) -> str:
        return "\n".join(self.words)

    def _repr_html_(self) -> str:
        said = _paragraphs(self.words)
        if self._view is None:
            return said
        page = b"".join(render_plan_page(self._view, self._thumbnail)).decode("utf-8")
        return (
            f'{said}<iframe title="The plan, step by step" sandbox srcdoc="{escape(page)}" loading="lazy" '
            f'style="width: 100%; height: {_HEIGHT_PX}px; border: 1px solid #8b8f98; border-radius: 12px"></iframe>'
        )


class RehearsalPage:
    """What a rehearsal came to.

    Args:
        words: In sentences.
        outcomes: How many steps came to what, with why; None where nothing was rehearsed.
    """

    def __init__(self, words: Sequence[str], outcomes: pl.DataFrame | None) -> None:
        self.words, self.outcomes = tuple(words), outcomes

    def __repr__(self) -> str:
        return "\n".join(self.words)

    def _repr_html_(self) -> str:
        return _paragraphs(self.words) + ("" if self.outcomes is None else self.outcomes._repr_html_())


def _paragraphs(words: Sequence[str]) -> str:
    marked = (_CODE.sub(r"<code>\1</code>", escape(line)) for line in words)
    return "".join(f"<p>{line}</p>" for line in marked)
