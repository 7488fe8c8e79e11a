"""Figures of earlier reports over time, as line charts within the page.

Takes points, gives SVG whose colours follow the page; must not compute a figure. A drawing needs no script, so that it
prints; its texts are letters of the page, and what it shows is said beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from deeplens_kit.reporting.savings_figures import Figure
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.words import format_bytes, format_percent

__all__ = ["TimeSeries", "history_figures", "line_chart", "series_of"]

# In the drawing's own units, which are pixels where it is as wide as its column.
_WIDTH, _HEIGHT = 460, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 16, 30
_TICKS = 3
# Points nearer than this are one blot; the line is enough then.
_MIN_DOT_DISTANCE = 9
# More points than pixels show nothing.
_MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """A figure over time.

    Attributes:
        title: What it is, for people.
        points: (when, value >= 0), the oldest first.
        words: A value for people.
        most: The upper end of the axis; None for a round number above the highest value.
    """

    title: str
    points: tuple[tuple[datetime, float], ...]
    words: Callable[[float], str]
    most: float | None = None


def history_figures(report: SavingsReport) -> list[Figure]:
    """What could be freed, and how much of the files was analysed, in earlier reports and in this one.

    Returns:
        Drawings; none where there was no earlier report.
    """
    if not report.history:
        return []
    now = {
        "realisable_bytes": report.numbers.realisable_bytes,
        "found_objects": report.coverage.objects,
        "analysed_objects": report.coverage.analysed_objects,
    }
    points = [*((point.at, point.figures) for point in report.history), (report.made_at, now)]
    return [line_chart(series) for series in series_of(points) if len(series.points) > 1]


def series_of(points: Sequence[tuple[datetime, Mapping[str, Any]]]) -> list[TimeSeries]:
    """The series that are plotted, of what `report_figures.kpi_of` keeps; who kept no such figure is no point."""
    freed = [(at, float(kept["realisable_bytes"])) for at, kept in points if "realisable_bytes" in kept]
    analysed = [
        (at, kept["analysed_objects"] / kept["found_objects"])
        for at, kept in points
        if kept.get("found_objects") and "analysed_objects" in kept
    ]
    return [
        TimeSeries("Could be freed", tuple(freed), lambda value: format_bytes(int(value))),
        TimeSeries("Analysed of what was found", tuple(analysed), _percent, most=1.0),
    ]


def line_chart(series: TimeSeries) -> Figure:
    """A series as a drawing.

    Args:
        series: With two points at least.
    """
    points = _thinned(series.points)
    most, ticks = _axis(max(value for _, value in points), series.most)
    begin, end = points[0][0].timestamp(), points[-1][0].timestamp()
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    places = [
        (
            _LEFT + wide * ((at.timestamp() - begin) / (end - begin) if end > begin else 1.0),
            _TOP + high * (1 - value / most),
        )
        for at, value in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    ground = _TOP + high
    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(series.words(value))}</text>'
        for value in ticks
        for y in (_TOP + high * (1 - value / most),)
    ]
    parts.append(f'<polygon class="area" points="{places[0][0]:.1f},{ground} {line} {places[-1][0]:.1f},{ground}"/>')
    parts.append(f'<polyline class="line" points="{line}"/>')
    apart = wide / max(1, len(places) - 1)
    dots = places if apart >= _MIN_DOT_DISTANCE else places[-1:]
    parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in dots]
    form = "%-d %b %Y" if points[0][0].date() != points[-1][0].date() else "%-d %b, %H:%M"
    for at, x, anchor in ((points[0][0], _LEFT, "start"), (points[-1][0], _WIDTH - _RIGHT, "end")):
        parts.append(f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{at:{form}}</text>')
    svg = f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%">{"".join(parts)}</svg>'
    first, last = points[0], points[-1]
    # A value and its unit stay on one line.
    then, now = (series.words(value).replace(" ", "\N{NO-BREAK SPACE}") for value in (first[1], last[1]))
    says = f"{series.title}: {then} on {first[0]:%-d %B %Y}, {now} on {last[0]:%-d %B %Y}"
    return Figure(svg, f"{says}, by {len(series.points):,} reports.")


def _thinned(points: tuple[tuple[datetime, float], ...]) -> list[tuple[datetime, float]]:
    step = -(-len(points) // _MAX_POINTS)
    return [*points[:-1:step], points[-1]]


def _axis(highest: float, most: float | None) -> tuple[float, list[float]]:
    """The upper end of an axis that begins at 0, and its ticks."""
    if most is not None:
        return most, [most * at / 2 for at in range(3)]
    if highest <= 0:
        return 1.0, [0.0]
    rough = highest / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= rough - 1e-9 * rough)
    count = math.ceil(highest / step - 1e-9)
    return count * step, [step * at for at in range(count + 1)]


def _percent(value: float) -> str:
    return format_percent(int(value * 1_000_000 + 1e-3), 1_000_000)
