"""What became of every file: how much was analysed, and what was not, by reason, with some of the files.

Takes frames and a source of thumbnails, gives something that Panel draws; must not count or judge. A file that has no
preview is drawn as what it is: the ending of its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from deeplens_kit.reporting.coverage_view import CoverageLine, describe_outcomes
from deeplens_kit.reporting.failure_view import FailureExample, FailureReason, describe_failures
from deeplens_kit.reporting.totals import add_up_coverage
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.cards import message, picture_frame, picture_src
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    import polars as pl
    from panel.viewable import Viewable

__all__ = ["CoverageView"]

_SIDE_PX = 300
_FRAME_PX = 120
_CODE = re.compile("`([^`]+)`")
# Of these a part may still be shown; of the others there is nothing to decode.
_MAY_SHOW = ("corrupt", "timed_out", "changed_while_read", "io", "unreadable", "object")


class CoverageView:
    """How much was analysed, and why the rest was not.

    Args:
        coverage: COVERAGE with the column location.
        failures: FAILURES with the column location.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        examples: Files of each reason that are shown.
    """

    def __init__(
        self,
        coverage: pl.DataFrame,
        failures: pl.DataFrame,
        thumbnail: Callable[[str, int], bytes | None],
        *,
        examples: int = 6,
    ) -> None:
        from panel.pane import HTML

        self._thumbnail = thumbnail
        outcomes = describe_outcomes(coverage)
        reasons = describe_failures(failures, examples=examples)
        sheet = files("deeplens_kit.views").joinpath("coverage.css").read_text(encoding="utf-8")
        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        self._pane = HTML(
            self._html(coverage, outcomes, reasons),
            stylesheets=[viewer_style(), sheet],
            styles={"background": "var(--page)", "padding": "16px"},
            sizing_mode="stretch_width",
        )

    def __panel__(self) -> Viewable:
        pane: Viewable = self._pane
        return pane

    def _html(self, coverage: pl.DataFrame, outcomes: Sequence[CoverageLine], reasons: Sequence[FailureReason]) -> str:
        if not outcomes:
            return message("Nothing indexed yet", "Add a location and index it, then run this cell again.")
        total = add_up_coverage(coverage)
        heading = f"{total.analysed_objects:,} of {plural(total.objects, 'file')} analysed ({total.share})"
        bar = "".join(
            f'<i class="{escape(line.outcome.replace("_", "-"))}" style="flex-grow: {line.permille}"></i>'
            for line in outcomes
        )
        legend = "".join(
            f'<li><i class="{escape(line.outcome.replace("_", "-"))}" aria-hidden="true"></i>{escape(line.label)} '
            f"<b>{line.objects:,}</b> <span class=quiet>{format_bytes(line.bytes)}</span></li>"
            for line in outcomes
        )
        shown = (
            f'<h2>{heading}</h2><div class="share" aria-hidden="true">{bar}</div>'
            f'<ul class="legend small" role="list" aria-label="What became of the files">{legend}</ul>'
        )
        if not reasons:
            return shown + message("Every file could be analysed", "Nothing is left out of the figures.", kind="note")
        return shown + "".join(self._reason(reason) for reason in reasons)

    def _reason(self, reason: FailureReason) -> str:
        cards = "".join(f"<li>{self._card(reason.code, example)}</li>" for example in reason.examples)
        left = reason.files - len(reason.examples)
        more = f'<p class="more">and {left:,} more; <code>failures()</code> lists them all</p>' if left else ""
        places = ", ".join(f"{escape(name)} ({count:,})" for name, count in reason.locations)
        advice = _CODE.sub(r"<code>\1</code>", escape(reason.advice))
        return (
            f'<section class="reason"><h3>{reason.files:,} <span>{escape(reason.says)}</span></h3>'
            f'<p class="small quiet">{format_bytes(reason.bytes)} at {places}. <span class="advice">{advice}</span></p>'
            f'<ul class="pictures" role="list" aria-label="{escape(reason.says)}">{cards}</ul>'
            f"{more}</section>"
        )

    def _card(self, code: str, example: FailureExample) -> str:
        content = self._thumbnail(example.digest, _SIDE_PX) if example.digest and code in _MAY_SHOW else None
        if content:
            frame = picture_frame(src=picture_src(content), alt=f"Preview of {example.name}", side_px=_FRAME_PX)
        else:
            frame = (
                f'<div class="frame lacking" style="height: {_FRAME_PX}px"><b>{escape(example.ending) or "?"}</b>'
                '<span class="tiny">no preview</span></div>'
            )
        size = "" if example.size_bytes is None else format_bytes(example.size_bytes)
        return (
            f'<article class="picture">{frame}<div class="text"><div><h4><bdi>{escape(example.name)}</bdi></h4>'
            f'<p class="mono quiet"><bdi>{escape(example.location)}</bdi>: {escape(example.folder)}</p></div>'
            f'<p class="small">{escape(example.message)}</p><p class="tiny quiet">{size}</p></div></article>'
        )
