"""What thresholds come to, as pieces of HTML: figures against the strict rule, money, and what labels say.

Takes outcomes and estimates, gives HTML with every text escaped; must not know Panel or judge a pair.
"""

from __future__ import annotations

from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.reporting.label_words import format_share, format_upper_share
from deeplens_kit.reporting.savings_money import add_up_money
from deeplens_kit.reporting.words import format_bytes, format_money, plural
from deeplens_kit.savings import exact
from deeplens_kit.views.cards import marked, message

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval
    from deeplens_kit.pipeline.lab_evidence import LabEstimate
    from deeplens_kit.pipeline.thresholds import ThresholdOutcome

__all__ = ["LOADING", "evidence_html", "figures_html", "loose_warning"]

LOADING = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/%3E"
"""Stands for a picture that is still being fetched: nothing, so that it does not look like one that cannot be had."""

_NO_PRICES = "No money is told: the workspace has no price book; `deeplens prices example` shows one."


def figures_html(now: ThresholdOutcome, strict: ThresholdOutcome) -> str:
    """The totals, each with what it is more or less than by the strict rule."""
    rows = [
        ("Could be freed", format_bytes(now.realisable_bytes), _bytes_against(now, strict, "realisable_bytes")),
        ("Files that could go", f"{now.objects:,}", _count_against(now, strict, "objects")),
        ("Groups", f"{now.groups:,}", _count_against(now, strict, "groups")),
        ("Largest group", plural(now.largest_group, "file"), _count_against(now, strict, "largest_group")),
        ("Matches not proposed", f"{now.withheld:,}", _count_against(now, strict, "withheld")),
    ]
    money, said = _money(now, strict)
    rows[1:1] = money
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd>{against}</div>" for name, value, against in rows)
    return f'<dl class="figures" aria-live="polite">{shown}</dl>{said}'


def evidence_html(estimate: LabEstimate | None, labels: int, drawn: int, left: int) -> str:
    """Precision and recall, each with its interval, or why there are none.

    Args:
        estimate: None while it is worked out.
        labels: Labelled pairs.
        drawn: Pairs of the samples.
        left: Of these, without a label.
    """
    if estimate is None:
        return message("Working out what the labels say of these bounds …", kind="note")
    if estimate.precision is None or estimate.recall is None:
        known = f" {plural(labels, 'label')} of other pairs are drawn in below." if labels else ""
        return message("Precision and recall are not known", estimate.why_not + known, kind="note")
    shown = _share("Precision", estimate.precision, "of the copies proposed are copies")
    shown += _share("Recall", estimate.recall, "of the copies among all candidates are proposed")
    waiting = f", {left:,} wait for one" if left else ""
    said = f"By labels on {drawn - left:,} of {plural(drawn, 'drawn pair')}{waiting}. Equal files need no label."
    if estimate.beyond:
        said += (
            f" {plural(estimate.beyond, 'proposed pair')} could not be drawn, because no step of the sample proposes "
            "them: the intervals leave open whether they are copies."
        )
    return f'<dl class="figures quality">{shown}</dl><p class="small quiet">{said}</p>'


def _share(name: str, interval: Interval, of: str) -> str:
    if not interval.pairs:
        return f'<div><dt>{name}</dt><dd>-</dd><dd class="same">nothing is in question</dd></div>'
    estimate = "not known" if interval.estimate is None else format_share(interval.estimate)
    sure = format_share(interval.confidence).replace(".00", "")
    # The upper end is cut off too, as everywhere: what is shown is never more than is so.
    between = f"{sure} interval {format_share(interval.low)} to {format_upper_share(interval.high)}"
    return f'<div><dt>{name}</dt><dd>{estimate}</dd><dd class="same">{between}<br>{of}</dd></div>'


def _money(now: ThresholdOutcome, strict: ThresholdOutcome) -> tuple[list[tuple[str, str, str]], str]:
    """The row of money, and what has to be said beside it."""
    if now.money is None:
        return [], f'<p class="small quiet">{marked(_NO_PRICES)}</p>'
    mine, its = (add_up_money(found.money) if found.money is not None else None for found in (now, strict))
    amounts = [found.per_month if found and found.per_month is not None else Decimal(0) for found in (mine, its)]
    with exact():
        more = amounts[0] - amounts[1]
    shown = (mine or its).currency if mine or its else ""  # type: ignore[union-attr]
    against = _against(
        (more > 0) - (more < 0), f"{format_money(abs(more))} {shown}", f"{format_money(amounts[1])} {shown}"
    )
    # The first sentence is the figure itself, unless the saving begins later.
    lines = [] if mine is None else mine.lines[1 if mine.per_month is not None and not mine.from_day else 0 :]
    said = "".join(f'<p class="small quiet">{escape(line)}</p>' for line in lines)
    return [("Saved a month", f"{format_money(amounts[0])} {shown}".strip(), against)], said


def _count_against(now: ThresholdOutcome, strict: ThresholdOutcome, name: str) -> str:
    mine, its = int(getattr(now, name)), int(getattr(strict, name))
    return _against(mine - its, f"{abs(mine - its):,}", f"{its:,}")


def _bytes_against(now: ThresholdOutcome, strict: ThresholdOutcome, name: str) -> str:
    mine, its = int(getattr(now, name)), int(getattr(strict, name))
    return _against(mine - its, format_bytes(abs(mine - its)), format_bytes(its))


def _against(difference: int, amount: str, strict: str) -> str:
    if difference == 0:
        return '<dd class="same">as by strict</dd>'
    way, kind = ("more", "more-than") if difference > 0 else ("less", "less-than")
    return f'<dd class="{kind}">{amount} {way} than {strict}</dd>'


def loose_warning(neighbours: int) -> str:
    """What is said while any bound is looser than the strict rule's."""
    return (
        '<div class="message warning" role="status"><h3>Looser than the strict rule: nothing beyond it is proven.</h3>'
        "<p>The strict rule was measured on labelled pictures; this one was not. Look at the pairs below before you "
        f"believe the figures. Of each picture only its {neighbours:,} nearest by each signal are stored, so that in "
        "large clusters copies can be missing.</p></div>"
    )
