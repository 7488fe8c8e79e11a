"""The desk of labels as HTML: what is asked of the pair that is looked at, and the pairs near the bounds beside it.

Takes what the state of a desk holds and rows of borderline pairs, gives HTML with every text escaped; must not choose
or judge. Of a pair of the sample nothing is told that would sway who looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.words import format_score
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import message, picture_frame
from deeplens_kit.views.state.desk_state import SOURCES, DeskState

if TYPE_CHECKING:
    import polars as pl

__all__ = ["asked_html", "pairs_html"]

_SIDE_PX = 150
_VERDICTS = (("same", "Same", "s"), ("different", "Different", "d"), ("unsure", "Unsure", "u"))
_WORDS = {"same": ("same", "yes"), "different": ("different", "no"), "unsure": ("unsure", "plain")}
_COUNT = (
    "Labels of these pairs teach the calibration. In precision and recall only pairs of the sample count, because "
    "chance drew them."
)


def asked_html(desk: DeskState, *, drawn: int, left: int, may_label: bool = True) -> str:
    """Where the pairs come from, and what may be said of the one that is looked at.

    Args:
        desk: What is chosen and said.
        drawn: Pairs of the samples; 0 without one.
        left: Of these, without a label.
        may_label: Whether whoever looks may label; else there are no such buttons.
    """
    sources = "".join(
        _button(
            "source", name, f"{words} ({left:,} left)" if name == "sample" and drawn else words,
            pressed=desk.source == name, off=name == "sample" and not drawn,
        )
        for name, words in SOURCES.items()
    )  # fmt: skip
    said = desk.verdicts.get(desk.pair) if desk.pair else None
    verdicts = "".join(
        _button("say", name, words, key=key, pressed=said == name, off=desk.pair is None or not desk.can_label)
        for name, words, key in _VERDICTS
    )
    undo = _button("undo", "", "Undo", key="z", off=not desk.can_undo, name="undo")
    answers = f'<div class="verdicts" role="group" aria-label="What the two are">{verdicts}{undo}</div>'
    many = len(desk.pairs)
    moves = (
        _button("move", "-1", "Previous", key="ArrowLeft", shown="←", off=desk.at <= 0)
        + _button("move", "1", "Next", key="ArrowRight", shown="→", off=desk.at >= many - 1)
        if many > 1
        else ""
    )
    place = f"Pair {desk.at + 1:,} of {many:,}" if desk.at >= 0 else f"{many:,} pairs"
    where = f'<span class="small quiet">{place}</span>' if many > 1 else ""
    told = f'<p class="small {"problem" if desk.failed else "quiet"}" role="status">{escape(desk.said)}</p>'
    note = _COUNT if desk.source == "bounds" else "Its likelihood is not told: it would sway who looks."
    return (
        f'<h3 class="sub-head">{"Is it the same picture?" if may_label else "Pairs near the bounds"}</h3>'
        f'<div class="asks"><div class="sources" role="group" aria-label="Which pairs">{sources}</div>'
        f"{answers if may_label else ''}"
        f'<div class="moves">{moves}{where}</div></div>{told}<p class="tiny quiet">{note}</p>'
    )


def pairs_html(pairs: pl.DataFrame, desk: DeskState, src: Callable[[str], str]) -> str:
    """Borderline pairs in two lists: those that are copies by the bounds, and those that are not.

    Args:
        pairs: BORDERLINE.
        desk: Which one is looked at, and what was said of them.
        src: Gives the address of the image of a digest.
    """
    if desk.source == "sample":
        return ""
    if pairs.is_empty():
        return message("No pair is near these bounds", "No stored pair was looked at closely.")
    lists = []
    for accepted, heading, said in (
        (True, "Just copies", "they go when the bound is drawn tighter"),
        (False, "Just not copies", "they come when the bound is drawn wider"),
    ):
        # The nearest to the bound first.
        rows = pairs.filter(pairs["accepted"] == accepted).sort("margin", descending=not accepted, maintain_order=True)
        if rows.is_empty():
            continue
        cards = "".join(f"<li>{_pairing(row, desk, src)}</li>" for row in rows.iter_rows(named=True))
        lists.append(
            f'<h3 class="sub-head">{heading} <span class="small quiet">nearest first: {said}</span></h3>'
            f'<ul class="pairings" role="list" aria-label="{heading}">{cards}</ul>'
        )
    return "".join(lists)


def _button(
    act: str,
    value: str,
    words: str,
    *,
    key: str = "",
    shown: str = "",
    pressed: bool | None = None,
    off: bool = False,
    name: str = "",
) -> str:
    keys = f' aria-keyshortcuts="{key}"' if key else ""
    seen = f"<kbd>{shown or key.upper()}</kbd>" if key else ""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    rest = " disabled" if off else ""
    place = f"{act}-{name or value}"
    return (
        f'<button type="button" id="{escape(place)}" data-act="{act}" data-value="{escape(value)}"{keys}{state}{rest}>'
        f"{seen}{escape(words)}</button>"
    )


def _pairing(row: Mapping[str, Any], desk: DeskState, src: Callable[[str], str]) -> str:
    pair = row["digest_a"], row["digest_b"]
    names = [display_path(row[f"path_{end}"]) for end in "ab"]
    frames = "".join(
        picture_frame(src=src(row[f"digest_{end}"]), alt=f"Preview of {name}", side_px=_SIDE_PX)
        for end, name in zip("ab", names, strict=True)
    )
    places = "".join(
        f'<p><bdi>{escape(name)}</bdi> <span class="quiet">{escape(display_path(row[f"location_{end}"]))}</span></p>'
        for end, name in zip("ab", names, strict=True)
    )
    verdict = '<span class="chip yes">accepted</span>' if row["accepted"] else '<span class="chip no">rejected</span>'
    said = desk.verdicts.get(pair)
    if said:
        words, colour = _WORDS[said]
        verdict += f'<span class="chip {colour}">you said: {words}</span>'
    evidence = "".join(f"<li>{line}</li>" for line in _evidence(row))
    now = ' aria-current="true"' if desk.pair == pair else ""
    value = "/".join(pair)
    look = (
        f'<button type="button" id="look-{value}" data-act="look" data-value="{value}" '
        f'aria-label="Look closely at {escape(names[0])} and {escape(names[1])}">Look closely</button>'
    )
    return (
        f'<article class="pairing" data-pair="{"-".join(pair)}"{now}>'
        f'<div class="both" data-act="look" data-value="{value}">{frames}</div>'
        f'<div class="text"><div class="verdict">{verdict}<b>likelihood {format_score(row["likelihood"])}</b></div>'
        f'<p class="small">{escape(row["why"])}</p><ul class="evidence" role="list">{evidence}</ul>'
        f'<div class="names tiny">{places}</div><div class="acts">{look}</div></div></article>'
    )


def _evidence(row: Mapping[str, Any]) -> list[str]:
    cosines = (("sscd", "SSCD"), ("sscd_small", "SSCD small"))
    bits = (("pdq_distance", "PDQ", 256), ("phash_distance", "pHash", 64))
    lines = [f"{name} {row[column]} of {size}" for column, name, size in bits if row[column] is not None]
    lines += [f"{name} {format_score(row[column])}" for column, name in cosines if row[column] is not None]
    if row["orientation"]:
        lines.append("turned or mirrored")
    if row["situation"] == "verified_page":
        lines.append("page-like or in a crowd")
    return lines
