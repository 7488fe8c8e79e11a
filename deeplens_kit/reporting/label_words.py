"""Labels, intervals and recommended thresholds in words.

Takes what the pipeline found out, gives lines; must not estimate anything. Shares are cut, not rounded: a bound of
.98996 does not read as 99 %. Upper ends are rounded up, for the same reason.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval
    from deeplens_kit.pipeline.benchmark_check import TruthCheck
    from deeplens_kit.pipeline.evaluating import Evaluation, LabelledPopulation, RecommendedThreshold
    from deeplens_kit.pipeline.labelling import LabelProgress

__all__ = [
    "evaluation_lines",
    "format_share",
    "format_upper_share",
    "progress_line",
    "recommendation_lines",
    "state_lines",
    "truth_lines",
]

# Half of what a float64 may be off by after some sums: 0.99 computed as 0.98999999999 is 99 %.
_ROUNDING = 1e-9
_CALIBRATED_AT = (0.5, 0.7, 0.9, 0.99)


def format_share(share: float | None) -> str:
    """A share to two decimals of a percent, cut off: "99.12 %"; "-" for None."""
    return "-" if share is None else f"{math.floor((share + _ROUNDING) * 10_000) / 100:.2f} %"


def format_upper_share(share: float) -> str:
    """The upper end of an interval, rounded up: of .98991 "99.00 %"."""
    return f"{math.ceil((share - _ROUNDING) * 10_000) / 100:.2f} %"


def progress_line(progress: LabelProgress) -> str:
    """How far a sample is: "400 pairs, 120 labelled (2 unsure), 280 left"."""
    notes = [
        f"{count:,} {word}"
        for count, word in ((progress.unsure, "unsure"), (progress.disputed, "disputed"))
        if count
    ]  # fmt: skip
    gone = f", {plural(progress.gone, 'pair')} of pictures that are gone" if progress.gone else ""
    said = f" ({', '.join(notes)})" if notes else ""
    return (
        f"{plural(progress.sample.items, 'pair')}, {progress.labelled:,} labelled{said}, {progress.left:,} left{gone}"
    )


def state_lines(labels: LabelledPopulation) -> list[str]:
    """What stands behind an estimate, and what weakens it."""
    lines = [
        f"By {plural(labels.labelled, 'label')} of {plural(labels.drawn, 'drawn pair')}; candidates now: "
        f"{labels.population.candidates.height:,}."
    ]
    frame = labels.frame
    if frame.drawn_by:
        by = "as it was" if frame.drawn_by == frame.policy else f"and {frame.policy!r} is in use now"
        lines.append(
            f"The sample was drawn by the keep policy {frame.drawn_by!r}, {by}: {frame.unframed:,} of the "
            f"{plural(labels.population.candidates.height, 'pair')} that could be proposed now were never in question "
            "then. `deeplens label sample` draws from all of them; labels that there are stay."
        )
    if labels.left:
        lines.append(
            f"{plural(labels.left, 'drawn pair')} without a label: a promise holds for a sample that is labelled to "
            "its end, whatever the labels say on the way; `deeplens label next` asks for them."
        )
    if labels.later:
        lines.append(
            f"{plural(labels.later, 'pair')} came after the sample was drawn and would be in it: they count as unsure "
            "until `deeplens label sample` draws them and they are labelled."
        )
    if labels.gone:
        lines.append(f"No candidate any more, and without a label: {plural(labels.gone, 'drawn pair')}.")
    if labels.disputed:
        lines.append(f"{plural(labels.disputed, 'pair')} on which persons disagree: counted as unsure.")
    if labels.beside:
        lines.append(
            f"{plural(labels.beside, 'labelled pair')} that chance did not draw: in no estimate; candidates among "
            "them serve the calibration."
        )
    return lines


def evaluation_lines(found: Evaluation) -> list[str]:
    """Precision and recall with their intervals, and what a likelihood is worth."""
    labels = found.labels
    lines = [
        *state_lines(labels),
        f"Precision of the copies proposed: {_interval(found.precision)}.",
        f"Recall among the candidates, without what is withheld: {_interval(found.recall)}.",
        "Equal bytes and equal samples are proven, and need no label.",
    ]
    if found.calibration is None:
        lines.append(f"No calibration: {found.uncalibrated}")
        return lines
    import polars as pl

    worth = found.calibration.probability(pl.Series(_CALIBRATED_AT, dtype=pl.Float32))
    said = ", ".join(
        f"{at:g} is {format_share(share)}" for at, share in zip(_CALIBRATED_AT, worth.to_list(), strict=True)
    )
    lines.append(f"A likelihood as a probability, by {plural(found.calibration.labels, 'label')}: {said}.")
    return lines


def recommendation_lines(found: RecommendedThreshold) -> list[str]:
    """The threshold with its interval and bytes, or what can be shown in its place."""
    what = found.found
    lines = state_lines(found.labels)
    more = [] if what.more_budget is None else [f"`deeplens label sample --budget {what.more_budget}` holds them."]
    if what.threshold is None or what.interval is None or what.frees_bytes is None:
        return [*lines, " ".join([what.said, *more])]
    return [
        *lines,
        f"Threshold: likelihood {what.threshold:g}.",
        f"Precision there: {_interval(what.interval)}.",
        f"It proposes {plural(what.pairs or 0, 'pair')} of copies, {plural(found.objects, 'file')}, and frees "
        f"{format_bytes(what.frees_bytes)}; equal bytes and equal samples free {format_bytes(found.facts_bytes)} more, "
        "without a label.",
        " ".join([what.said, *more]),
    ]


def truth_lines(check: TruthCheck, interval: Interval | None) -> list[str]:
    """What a benchmark's truth says of the same proposals, and whether it lies within the interval."""
    lines = [
        f"By the manifest: {check.right:,} of {check.right + check.wrong:,} files proposed are copies of their keeper "
        f"({format_share(check.precision)}), {format_share(check.recall)} of the {check.removable:,} removable."
    ]
    if check.copy_precision is not None and interval is not None:
        inside = interval.low - _ROUNDING <= check.copy_precision <= interval.high + _ROUNDING
        lines.append(
            f"Of the pairs of copies {check.right_copies:,} of {check.copies:,} are right "
            f"({format_share(check.copy_precision)}): {'inside' if inside else 'OUTSIDE'} the interval."
        )
    if check.unlisted:
        lines.append(f"{plural(check.unlisted, 'file')} that the manifest does not know.")
    return lines


def _interval(interval: Interval) -> str:
    """An interval in words."""
    if not interval.pairs:
        return "nothing is in question"
    estimate = "not known" if interval.estimate is None else format_share(interval.estimate)
    sure = format_share(interval.confidence).replace(".00", "")
    return (
        f"{estimate}, {sure} interval {format_share(interval.low)} to {format_upper_share(interval.high)}, at least "
        f"{format_share(interval.lower)}; {interval.labelled:,} of {plural(interval.pairs, 'pair')} labelled, "
        f"{interval.wrong:,} different, {interval.unsure:,} unsure"
    )
