"""The figures of the savings report: HoloViews, drawn by matplotlib as SVG within the page.

Takes a described report, gives elements and their drawings; must not compute a number. A drawing needs no script, so
that it prints and shows in a mail; its colours follow the page.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.reporting.palette import palette, themed
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    from holoviews import Element

__all__ = ["Figure", "concentration_figure", "locations_figure"]

# Inches; a drawing is as wide as half a page on a desk and a whole one on a phone, and its letters can be read on both.
_WIDTH = 4.8
_ROW_HEIGHT, _AXIS_HEIGHT = 0.42, 0.75
_MAX_BARS = 8
_LONGEST_NAME = 18
_TIERS = ("bytes", "pixels", "copy")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing with words for those who do not see it.

    Attributes:
        svg: The drawing, of itself without a title.
        says: What it shows.
    """

    svg: str
    says: str

    def _repr_html_(self) -> str:
        """The drawing as a notebook shows it."""
        return self.svg.replace("<svg ", f'<svg role="img" aria-label="{escape(self.says)}" ', 1)


def locations_figure(report: SavingsReport) -> Figure | None:
    """What each location would get back, by the strength of the evidence; None where that is nothing."""
    shown = [line for line in report.by_location if line.realisable_bytes][:_MAX_BARS]
    if not shown:
        return None
    hv = _holoviews()
    freed = {(line.location, line.tier): line.realisable_bytes for line in report.lines}
    tiers = [tier for tier in _TIERS if any(freed.get((line.name, tier)) for line in shown)]
    names = {line.name: _short(line.name, at) for at, line in enumerate(shown)}
    # A horizontal chart begins below: the location that gets most comes last to stand first.
    data = [(names[line.name], tier, freed.get((line.name, tier), 0)) for line in reversed(shown) for tier in tiers]
    bars = hv.Bars(data, ["location", "evidence"], "can be freed").opts(
        stacked=True,
        invert_axes=True,
        color=hv.Cycle([palette()[tier] for tier in tiers]),
        edgecolor="none",
        bar_padding=0.38,
        backend="matplotlib",
    )
    says = "; ".join(f"{line.name}: {format_bytes(line.realisable_bytes)}" for line in shown)
    height = _AXIS_HEIGHT + _ROW_HEIGHT * len(shown) + (0.3 if len(tiers) > 1 else 0)
    return _drawn(bars, height, f"Can be freed at {says}.", "locations", tiers=tiers, bytes_axis="x")


def concentration_figure(report: SavingsReport) -> Figure | None:
    """How few groups free most of it; None where fewer than three free anything."""
    points = report.concentration
    if len(points) < 3 or not points[-1][1]:
        return None
    hv = _holoviews()
    colour = palette()["keep"]
    area = hv.Area([(0, 0), *points], "groups", "can be freed").opts(
        facecolor=palette()["keep-soft"], edgecolor=colour, linewidth=2, backend="matplotlib"
    )
    half = next(groups for groups, freed in points if 2 * freed >= points[-1][1])
    says = f"{plural(half, 'group frees', 'groups free')} half of {format_bytes(points[-1][1])}"
    return _drawn(area, 2.4, f"{says}; all {points[-1][0]:,} free all of it.", "concentration", bytes_axis="y")


def _short(name: str, at: int) -> str:
    """A name that fits beside a bar; cut names stay apart by their place."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}… {at + 1}"


def _holoviews() -> Any:
    try:
        import holoviews
        from holoviews.plotting import mpl  # noqa: F401 - registers the backend
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error
    return holoviews


def _drawn(
    element: Element, height: float, says: str, name: str, *, bytes_axis: str, tiers: list[str] | None = None
) -> Figure:
    import matplotlib
    from holoviews.plotting.mpl import MPLRenderer
    from matplotlib.figure import Figure as Canvas

    settings: Any = {
        "svg.fonttype": "none",
        # Names within the drawing are made from it: equal drawings are equal, and two on one page stay apart.
        "svg.hashsalt": name,
        # What stands between two dollar signs in a name is no formula.
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.size": 10,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A letter that the measuring font lacks is drawn by the reader's own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas: Canvas = MPLRenderer.instance(fig="svg", dpi=72).get_plot(element).state
        _dress(canvas, height, bytes_axis, tiers or [])
        svg = _saved(canvas)
    return Figure(themed(_inline(svg, name)), says)


def _dress(canvas: Any, height: float, bytes_axis: str, tiers: list[str]) -> None:
    """The look of all figures: no box, quiet labels, sizes on the axis in words."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    colours = palette()
    axes = canvas.axes[0]
    canvas.set_size_inches(_WIDTH, height)
    canvas.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.set_aspect("auto")
    axes.set_title("")
    if (old := axes.get_legend()) is not None:
        old.remove()
    for side in ("top", "right", "left" if bytes_axis == "x" else "right"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(colours["line"])
    sizes, others = (axes.xaxis, axes.yaxis) if bytes_axis == "x" else (axes.yaxis, axes.xaxis)
    sizes.set_major_locator(MaxNLocator(4))
    sizes.set_major_formatter(FuncFormatter(lambda value, _at: format_bytes(int(value))))
    if bytes_axis == "y":
        others.set_major_locator(MaxNLocator(5, integer=True))
        others.set_major_formatter(FuncFormatter(lambda value, _at: f"{int(value):,}"))
        axes.set_xlabel("groups, those that free most first", color=colours["quiet"])
        axes.set_ylabel("")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    else:
        axes.set_xlabel("")
        axes.set_ylabel("")
    sizes.grid(True, color=colours["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    for artist in (*axes.patches, *axes.collections):
        artist.set_zorder(3)
    axes.tick_params(length=0, labelcolor=colours["ink"], labelrotation=0)
    if len(tiers) > 1:
        handles = [Patch(color=colours[tier], label=tier) for tier in tiers]
        axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=len(tiers),
            frameon=False,
            borderpad=0,
            handlelength=1,
            handleheight=1,
            labelcolor=colours["ink"],
        )


def _saved(canvas: Any) -> str:
    import io

    stream = io.StringIO()
    canvas.savefig(stream, format="svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _inline(svg: str, name: str) -> str:
    """A drawing as part of a page: without a prologue, of the page's width, with names of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'^<svg([^>]*?) width="[^"]*" height="[^"]*"', r'<svg\1 width="100%"', svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {_FONT}", svg)
