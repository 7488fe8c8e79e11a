"""Results of a search as HTML: each picture with its score, what that means, and every place that keeps it.

Takes a row of SEARCH_RESULTS with its places and parts, gives HTML strings; must not rank or leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.words import format_bytes, format_score, plural, score_words, tier_words
from deeplens_kit.search.query import SearchBy
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import picture_card
from deeplens_kit.views.group_cards import score_meter

if TYPE_CHECKING:
    from deeplens_kit.reporting.related_view import RegionView

__all__ = ["SHOWN_PLACES", "CardExtras", "result_card"]

SHOWN_PLACES = 1
"""Places that show at once; the others unfold."""

_MOST_PLACES = 100
_RATINGS = (("same", "Same", "s"), ("different", "Different", "d"))
_FITS = (("fits", "Fits", "s"), ("misfits", "Does not fit", "d"))
_MEANINGS = {None: "How well its words fit", SearchBy.LIKENESS: "How alike it is", SearchBy.PARTS: "A part in common"}
_FRAME_PX = 180
_SIDE_PX = 300


@dataclass(frozen=True, slots=True)
class CardExtras:
    """What a card shows besides the picture.

    Attributes:
        parts: Rows of SEARCH_PARTS of the picture with the name of the term as `said`.
        is_selected: Its box is ticked; None for no box.
        rating: What the person said of it: a verdict, empty for nothing; None where it cannot be said.
        of_pictures: A verdict says whether it is the same picture, not whether it fits.
        can_compare: It can be looked at beside the picture asked for.
        shape: Width over height, to draw the regions.
        regions: What both show.
    """

    parts: Sequence[Mapping[str, Any]] = ()
    is_selected: bool | None = None
    rating: str | None = None
    of_pictures: bool = True
    can_compare: bool = False
    shape: float | None = None
    regions: Sequence[RegionView] = ()


def result_card(
    row: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]],
    src: Callable[[str, int], str],
    *,
    by: SearchBy | None = SearchBy.COPIES,
    extras: CardExtras | None = None,
) -> str:
    """One picture that was found.

    Args:
        row: Of SEARCH_RESULTS, with `stays` where it is known: its copies could go, it stays.
        places: Rows with location, path and size_bytes of every object that holds the picture, the best first.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        by: What made it a result; only a search by copies says whether it is one.
        extras: What else it shows; by default nothing.
    """
    extras = extras or CardExtras()
    is_evidence = by is SearchBy.COPIES or (by is not None and row["tier"] == "bytes")
    said = _meaning(row["score"], row["tier"]) if is_evidence else _MEANINGS[by]
    title = display_path(places[0]["path"].rpartition("/")[2])
    more = (
        f"{score_meter(row['score'], row['tier'])}"
        f'<p class="small">{escape(said)}</p>'
        f'<p class="tiny quiet">{escape(row["why"])}</p>{_made_of(extras.parts)}'
        f"{_places(places)}{_buttons(row['digest'], title, extras)}"
    )
    return picture_card(
        src=src(row["digest"], _SIDE_PX),
        title=title,
        lines=_facts(row),
        kept=row.get("stays", False),
        badge=row["tier"] if is_evidence else "",
        alt=f"Preview of {title}",
        side_px=_FRAME_PX,
        more=more,
        corner=_tick(row["digest"], title, extras),
        regions=extras.regions,
        shape=extras.shape,
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


def _buttons(digest: str, title: str, extras: CardExtras) -> str:
    acts = [("group", "Its duplicates", "g"), ("again", "More like it", "m")]
    if extras.can_compare:
        acts.append(("compare", "Compare", "c"))
    buttons = "".join(
        f'<button type="button" tabindex="-1" data-key="{key}" aria-keyshortcuts="{key}" data-act="{act}" '
        f'data-value="{escape(digest)}" aria-label="{label}: {escape(title)}">{label}</button>'
        for act, label, key in acts
    )
    return f'<p class="acts">{buttons}</p>{_ratings(digest, title, extras)}'


def _ratings(digest: str, title: str, extras: CardExtras) -> str:
    if extras.rating is None:
        return ""
    buttons = "".join(
        f'<button type="button" tabindex="-1" class="second" data-key="{key}" aria-keyshortcuts="{key}" '
        f'data-act="rate" data-value="{value}:{escape(digest)}" aria-pressed="{str(extras.rating == value).lower()}" '
        f'aria-label="{label}: {escape(title)}">{label}</button>'
        for value, label, key in (_RATINGS if extras.of_pictures else _FITS)
    )
    return f'<p class="acts rating"><span class="tiny quiet">Is it?</span>{buttons}</p>'


def _tick(digest: str, title: str, extras: CardExtras) -> str:
    if extras.is_selected is None:
        return ""
    ticked = " checked" if extras.is_selected else ""
    return (
        f'<label class="tick"><input type="checkbox" tabindex="-1" data-act="select" data-value="{escape(digest)}"'
        f'{ticked} aria-label="Select {escape(title)}"></label>'
    )


def _made_of(parts: Sequence[Mapping[str, Any]]) -> str:
    """What a score by likeness is made of; empty for another one."""
    if not parts:
        return ""
    rows = "".join(
        f"<tr><th>{escape(str(part['said']))}<br>{escape(part['feature'])}</th><td>{format_score(part['similarity'])}</td>"
        f"<td>{part['weight']:+.0%}</td></tr>"
        for part in parts
    )
    return (
        '<details class="fold why"><summary>What the score is made of</summary><table><thead><tr><th>Compared</th>'
        f"<td>alike</td><td>counts</td></tr></thead><tbody>{rows}</tbody></table></details>"
    )
