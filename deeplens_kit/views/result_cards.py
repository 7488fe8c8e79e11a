"""Results of a search as HTML: each picture with its score, what that means, and every place that keeps it.

Takes a row of SEARCH_RESULTS and its places, gives HTML strings; must not rank or leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from deeplens_kit.reporting.words import format_bytes, plural, score_words, tier_words
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import picture_card
from deeplens_kit.views.group_cards import score_meter

__all__ = ["SHOWN_PLACES", "result_card"]

SHOWN_PLACES = 1
"""Places that show at once; the others unfold."""

_MOST_PLACES = 100
_WORDS = "How well its words fit"
_FRAME_PX = 180
_SIDE_PX = 300


def result_card(
    row: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]],
    src: Callable[[str, int], str],
    *,
    by_words: bool = False,
) -> str:
    """One picture that was found.

    Args:
        row: Of SEARCH_RESULTS, with `stays` where it is known: its copies could go, it stays.
        places: Rows with location, path and size_bytes of every object that holds the picture, the best first.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        by_words: Words were asked for, so that the score is of them and says nothing of copies.
    """
    title = display_path(places[0]["path"].rpartition("/")[2])
    more = (
        f"{score_meter(row['score'], row['tier'])}"
        f'<p class="small">{_WORDS if by_words else escape(_meaning(row["score"], row["tier"]))}</p>'
        f'<p class="tiny quiet">{escape(row["why"])}</p>'
        f"{_places(places)}{_buttons(row['digest'], title)}"
    )
    return picture_card(
        src=src(row["digest"], _SIDE_PX),
        title=title,
        lines=_facts(row),
        kept=row.get("stays", False),
        badge="" if by_words else row["tier"],
        alt=f"Preview of {title}",
        side_px=_FRAME_PX,
        more=more,
    )


def _meaning(score: float, tier: str) -> str:
    """What a score says, in words."""
    if tier == "copy":
        return f"{score_words(score).capitalize()} evidence: {tier_words(tier)}"
    return tier_words(tier).capitalize()


def _facts(row: Mapping[str, Any]) -> list[str]:
    shape = f"{row['width_px']:,} × {row['height_px']:,} px, {row['format']}, {format_bytes(row['size_bytes'])}"
    taken = [f"taken {row['taken_at']:%-d %B %Y, %H:%M}"] if row["taken_at"] is not None else []
    camera = [display_path(row["camera"])] if row["camera"] else []
    return [shape, *([", ".join([*taken, *camera])] if taken or camera else [])]


def _places(places: Sequence[Mapping[str, Any]]) -> str:
    first = "".join(_place(item) for item in places[:SHOWN_PLACES])
    others = places[SHOWN_PLACES:]
    if not others:
        return f'<ul class="places" role="list" aria-label="Where it is kept">{first}</ul>'
    rest = "".join(_place(item) for item in others[:_MOST_PLACES])
    hidden = len(others) - _MOST_PLACES
    left_out = f'<li class="quiet">and {hidden:,} further ones</li>' if hidden > 0 else ""
    return (
        f'<div><ul class="places" role="list" aria-label="Where it is kept">{first}</ul>'
        f'<details class="fold"><summary>and {plural(len(others), "more place")}</summary>'
        f'<ul class="places" role="list">{rest}{left_out}</ul></details></div>'
    )


def _place(place: Mapping[str, Any]) -> str:
    folder, slash, name = place["path"].rpartition("/")
    return (
        f'<li class="mono"><span class="quiet"><bdi>{escape(display_path(place["location"]))}</bdi>: '
        f"{escape(display_path(folder) + slash)}</span><bdi>{escape(display_path(name))}</bdi></li>"
    )


def _buttons(digest: str, title: str) -> str:
    value, of = escape(digest), escape(title)
    return (
        f'<p class="acts"><button type="button" data-act="group" data-value="{value}" '
        f'aria-label="Its duplicates: {of}">Its duplicates</button>'
        f'<button type="button" class="second" data-act="again" data-value="{value}" '
        f'aria-label="More like it: {of}">More like it</button></p>'
    )
