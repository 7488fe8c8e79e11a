"""An answer of a search as HTML: what was found, what is selected of it, and what can be done with both.

Takes an answer and what a person chose, gives HTML strings with every text escaped; must not search or rank.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.related_view import region_of, shape_of
from deeplens_kit.reporting.words import format_bytes, format_score, format_seconds, plural
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import message
from deeplens_kit.views.result_cards import CardExtras, result_card

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = ["AnswerLook", "answer_html", "answer_notes", "selection_html"]

_SIZES = (("large", "Large"), ("small", "Small"))


@dataclass(frozen=True, slots=True)
class AnswerLook:
    """How an answer is shown.

    Attributes:
        selected: Digests of results whose box is ticked.
        ratings: What the person said of results; None where nothing can be said.
        of_one_picture: A whole picture was asked for: a verdict is on a pair of pictures.
        with_picture: There is a picture to compare with.
        can_save: The question can be saved.
        grid: "large" or "small".
        is_new: It answers a new question: its heading is given the focus.
    """

    selected: Collection[str] = ()
    ratings: Mapping[str, str] | None = field(default_factory=dict)
    of_one_picture: bool = True
    with_picture: bool = True
    can_save: bool = False
    grid: str = "large"
    is_new: bool = False


def answer_html(answer: SearchAnswer, src: Callable[[str, int], str], look: AnswerLook) -> str:
    """The heading, what can be done with all of it, and a card for each result."""
    of_digest: dict[str, list[dict[str, Any]]] = {}
    for place in answer.places.iter_rows(named=True):
        of_digest.setdefault(place["digest"], []).append(place)
    made_of = _parts_by_digest(answer)
    asked = answer.terms[0].get("digest") if len(answer.terms) == 1 else None
    cards = []
    for row in answer.results.iter_rows(named=True):
        places = of_digest.get(row["digest"], [])
        # What stays names the picture; else what the search named it by.
        first = (row["location"], row["path"])
        places.sort(key=lambda at, first=first: (not at.get("stays"), (at["location"], at["path"]) != first))  # type: ignore[misc]
        is_itself = row["digest"] == asked
        extras = CardExtras(
            parts=made_of.get(row["digest"], ()),
            is_selected=row["digest"] in look.selected,
            rating=None if look.ratings is None or is_itself else look.ratings.get(row["digest"], ""),
            of_pictures=look.of_one_picture,
            can_compare=look.with_picture and not is_itself,
            **_region(row),
        )
        title = display_path(places[0]["path"].rpartition("/")[2])
        card = result_card(row, places, src, by=answer.by, extras=extras)
        cards.append(
            f'<li><div class="stop" id="card-{row["digest"]}" data-card="{row["digest"]}" tabindex="-1" role="group" '
            f'aria-label="{row["rank"]}. {escape(title)}, score {format_score(row["score"])}">{card}</div></li>'
        )
    grid = f'<ul class="pictures results {escape(look.grid)}" role="list" aria-label="Pictures found, the best first">'
    return f"{_head(answer, look, len(cards))}{grid}{''.join(cards)}</ul>"


def answer_notes(answer: SearchAnswer) -> str:
    """What limits an answer."""
    notes = []
    if not answer.current:
        notes.append(
            "Files were indexed that this search does not know yet; run `deeplens index` to bring it up to date."
        )
    notes += [f"Not compared: {reason}" for reason in answer.missing]
    return "".join(message(note, kind="note") for note in notes)


def selection_html(answer: SearchAnswer | None, selected: Collection[str]) -> str:
    """What is selected and what it adds up to; empty where nothing is."""
    if answer is None or not selected:
        return ""
    chosen = pl.Series("digest", list(selected), pl.String).implode()
    files = answer.places.filter(pl.col("digest").is_in(chosen))
    said = f"{plural(len(selected), 'picture')} in {plural(files.height, 'file')}"
    size = int(files["size_bytes"].sum())
    compare = '<button type="button" data-act="compare-selected">Compare the two</button>' if len(selected) == 2 else ""
    return (
        f'<div class="chosen" role="status"><p><b>{said}</b> <span class="quiet">{format_bytes(size)}</span></p>'
        f'<p class="acts">{compare}'
        '<button type="button" data-act="export" data-value="selected:.csv">Save as CSV</button>'
        '<button type="button" data-act="export" data-value="selected:.json">Save as JSON</button>'
        '<button type="button" class="second" data-act="unselect">Select none</button></p></div>'
    )


def _head(answer: SearchAnswer, look: AnswerLook, shown: int) -> str:
    said = plural(shown, "picture")
    if answer.found > shown:
        least = "" if answer.found_all else "at least "
        said = f"The best {shown:,} of {least}{plural(answer.found, 'picture')}"
    sizes = "".join(
        f'<button type="button" id="grid-{value}" data-act="grid" data-value="{value}" '
        f'aria-pressed="{str(value == look.grid).lower()}">{label}</button>'
        for value, label in _SIZES
    )
    save = (
        '<form class="keep" data-act="save"><label class="unseen" for="save-name">Name of the search</label>'
        '<input id="save-name" name="name" maxlength="200" autocomplete="off" placeholder="Name this search" required>'
        '<button type="submit">Save</button></form>'
        if look.can_save
        else ""
    )
    return (
        f'<div class="head"><h2 tabindex="-1"{" data-focus" if look.is_new else ""}>{said}</h2><p class="small quiet">'
        f"{plural(answer.searched, 'picture')} compared in {_duration(answer.seconds)}</p>"
        f'<div class="tools"><button type="button" class="second" data-act="export" data-value="all:.csv">CSV</button>'
        '<button type="button" class="second" data-act="export" data-value="all:.json">JSON</button>'
        f'<span class="sizes" role="group" aria-label="Size of the pictures">{sizes}</span>{save}</div></div>'
        '<p class="tiny quiet keys">Arrow keys walk the pictures: <kbd>Space</kbd> select, <kbd>M</kbd> more like it, '
        "<kbd>G</kbd> its duplicates, <kbd>C</kbd> compare, <kbd>S</kbd> yes, <kbd>D</kbd> no.</p>"
    )


def _parts_by_digest(answer: SearchAnswer) -> dict[str, list[dict[str, Any]]]:
    names = {number: str(term.get("name") or "picture") for number, term in enumerate(answer.terms)}
    found: dict[str, list[dict[str, Any]]] = {}
    for part in answer.parts.iter_rows(named=True):
        found.setdefault(part["digest"], []).append({**part, "said": names.get(part["term"], "")})
    return found


def _region(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where a result shows what was asked for; empty where that is not known."""
    region = row.get("region_found")
    if region is None:
        return {}
    drawn = region_of({"digest_b": row["digest"], "region_b": region}, row["digest"], matches="what was asked for")
    return {"shape": shape_of(row), "regions": () if drawn is None else (drawn,)}


def _duration(seconds: float) -> str:
    return f"{round(1000 * seconds):,} ms" if seconds < 1 else format_seconds(seconds)
