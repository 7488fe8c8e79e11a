"""What is done with a selection, as pieces of HTML: the buttons, a pair to label, what came of an act.

Takes rows and outcomes, gives HTML with every text escaped; must not know Panel or act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import polars as pl

from deeplens_kit.reporting.selection_words import describe_selected, selected_points
from deeplens_kit.reporting.words import format_score, plural, tier_words
from deeplens_kit.views.cards import message, picture_card, picture_grid
from deeplens_kit.views.state.selection_desk import Outcome

__all__ = ["acts_html", "outcome_html", "pair_html"]

_SIDE_PX, _SHOWN_PX = 600, 260
# The same keys wherever pairs are labelled.
_ANSWERS = (("Same picture", "same", "s"), ("Different", "different", "d"), ("Cannot tell", "unsure", "u"))

_FILES = (("CSV", ".csv"), ("Parquet", ".parquet"))


def acts_html(selected: pl.DataFrame) -> str:
    """The buttons for what is selected; those that could do nothing are not there.

    Args:
        selected: Rows of MAP_POINTS, at least one.
    """
    buttons = []
    if selected.height > 1:
        buttons.append(_button("label", "Label the pairs among them"))
    buttons.append(_button("keep", f"Never propose {'these' if selected.height > 1 else 'this one'} for removal"))
    tiers = set(selected["tier"])
    if tiers & {"bytes", "pixels"}:
        buttons.append(_button("plan", "Plan: equal files of their groups", "equal"))
    if "copy" in tiers:
        buttons.append(_button("plan", "Plan: all copies in their groups", "copies"))
    buttons += [_button("save", f"Save as {name}", ending) for name, ending in _FILES]
    return f'<div class="acts">{"".join(buttons)}</div>'


def outcome_html(outcome: Outcome) -> str:
    """What came of an act, read out when it changes; nothing where there was none."""
    if not outcome.heading:
        return ""
    undo = f'<p class="acts">{_button("undo", "Take it back")}</p>' if outcome.undo else ""
    said = message(outcome.heading, outcome.text, kind="problem" if outcome.failed else "empty")
    # The button that was pressed may be gone: who uses the keyboard goes on from here.
    return f'<div tabindex="-1" data-focus>{said}{undo}</div>'


def pair_html(pair: Mapping[str, Any], left: int, points: pl.DataFrame, src: Callable[[str, int], str]) -> str:
    """A pair to label: both pictures, what was measured, and the answers with their keys.

    Args:
        pair: digest_a, digest_b, score, tier.
        left: Pairs that wait behind it.
        points: MAP_POINTS.
        src: Gives the address of an image for a digest and a side in pixels.
    """
    rows = describe_selected(selected_points(points, [pair["digest_a"], pair["digest_b"]]))
    cards = (
        picture_card(
            src=src(row["digest"], _SIDE_PX), title=row["title"], lines=row["lines"],
            alt=f"Preview of {row['title']}", side_px=_SHOWN_PX,
        )
        for row in rows.iter_rows(named=True)
    )  # fmt: skip
    answers = "".join(
        _button("answer", f"{name} ({key.upper()})", value, key=key, focus=number == 0)
        for number, (name, value, key) in enumerate(_ANSWERS)
    )
    waiting = f"{plural(left, 'pair waits', 'pairs wait')} behind this one." if left else "It is the last one."
    return (
        '<div class="two"><h3 class="sub-head">Are these two the same picture?</h3>'
        f'<p class="small quiet">{escape(tier_words(pair["tier"]).capitalize())}, score '
        f"{format_score(pair['score'])}. {waiting}</p>"
        f'<div class="acts">{answers}{_button("answer", "Next (N)", "", key="n", second=True)}'
        f"{_button('stop', 'Stop (Esc)', key='escape', second=True)}</div>"
        f"{picture_grid(cards, label='The two pictures')}</div>"
    )


def _button(act: str, label: str, value: str = "", *, key: str = "", focus: bool = False, second: bool = False) -> str:
    more = f' data-key="{key}" aria-keyshortcuts="{key}"' if key else ""
    more += " data-focus" if focus else ""
    more += ' class="second"' if second else ""
    return f'<button type="button" data-act="{act}" data-value="{escape(value)}"{more}>{escape(label)}</button>'
