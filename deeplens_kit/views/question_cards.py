"""What is asked, as HTML: the picture and the words, what narrows the answer, and what was asked before.

Takes a question, what the filters can choose from and saved searches, gives HTML strings with every text escaped; must
not count or search.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.search.where import text_of
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.state.question import LIMITS, Question
from deeplens_kit.views.state.search_acts import Told

if TYPE_CHECKING:
    import polars as pl

__all__ = ["filters_html", "form_html", "mix_html", "recalled_html"]

_SHOWN_VALUES = 8
_FACETS = {
    "location": "Locations",
    "format": "Formats",
    "size": "File size",
    "duplicates": "Has copies",
    "year": "Taken in",
    "collection": "Collections",
    "tag": "Tags",
    "camera": "Cameras",
}
_DUPLICATES = {"any": "any copy", "bytes": "equal bytes", "pixels": "equal pixels", "copy": "copies"}
_BY = (
    ("", "As fits the question"),
    ("copies", "Copies of one picture"),
    ("likeness", "What is alike"),
    ("parts", "A part in common"),
)
_MEANINGS = (("shows", "What it shows"), ("words", "Names and tags"))


def form_html(question: Question, meaning: str, *, reads_text: bool) -> str:
    """Where words or a link are typed.

    Args:
        question: Its words stand in the form.
        meaning: What words mean: "shows" or "words".
        reads_text: Words can be understood as what pictures show; else there is nothing to choose.
    """
    text = question.shows if meaning == "shows" else question.words
    radios = "".join(
        f'<label><input type="radio" name="meaning" id="meaning-{value}" value="{value}"'
        f"{' checked' if value == meaning else ''}><span>{label}</span></label>"
        for value, label in _MEANINGS
    )
    switch = (
        f'<fieldset class="switch"><legend class="unseen">Words are searched in</legend>{radios}</fieldset>'
        if reads_text
        else '<p class="tiny quiet">Words are looked up in names, tags and descriptions.</p>'
    )
    label = "And words, or a link to another picture" if question.image else "Words, or a link to a picture"
    return (
        f'<form class="typed" data-act="type"><label for="typed">{label}</label>'
        f'<div class="line"><input id="typed" name="text" type="text" maxlength="2000" autocomplete="off" '
        f'value="{escape(text)}" placeholder="{"red car in snow" if reads_text else "harbour 2024"}, or https://…">'
        '<button type="submit">Search</button></div>'
        f"{switch}</form>"
    )


def mix_html(question: Question) -> str:
    """How much the picture counts beside the words; empty where they are not mixed."""
    if not (question.image and question.shows):
        return ""
    share = round(100 * question.balance)
    return (
        '<div class="mix"><label for="balance">Picture and words</label>'
        f'<input type="range" id="balance" data-act="balance" min="0" max="100" step="5" value="{share}" '
        f'aria-valuetext="{share} % picture, {100 - share} % words">'
        f'<p class="tiny quiet"><span>words {100 - share} %</span><span>picture {share} %</span></p></div>'
    )


def filters_html(question: Question, facets: pl.DataFrame, features: Sequence[str]) -> str:
    """What narrows the answer, each value with the number of pictures it would leave.

    Args:
        question: What is chosen.
        facets: SEARCH_FACETS.
        features: Those that the answer's scores are made of; empty where it is not one by likeness.
    """
    least = question.filters.min_score
    score = (
        f'<div class="field"><label for="threshold">Least score <b>{least:.2f}</b></label>'
        f'<input type="range" id="threshold" data-act="threshold" min="0" max="1" step="0.01" value="{least:g}">'
        '<p class="tiny quiet">Copies score 0.5 and more; what is only alike, less.</p></div>'
    )
    lists = "".join(_facet(name, label, facets, question) for name, label in _FACETS.items())
    by = "".join(
        f'<option value="{value}"{" selected" if question.by == value else ""}>{label}</option>' for value, label in _BY
    )
    limits = "".join(
        f'<option value="{number}"{" selected" if number == question.limit else ""}>{number}</option>'
        for number in LIMITS
    )
    clear = (
        '<p class="acts"><button type="button" class="second" id="clear-filters" data-act="widen">'
        "Clear filters</button></p>"
        if text_of(question.filters)
        else ""
    )
    return (
        f'{clear}{score}{lists}<div class="field"><label for="by">Compare as</label>'
        f'<select id="by" data-act="by">{by}</select></div>{_weights(question, features)}'
        f'<div class="field"><label for="limit">Show at most</label>'
        f'<select id="limit" data-act="limit">{limits}</select></div>'
    )


def recalled_html(saved: Sequence[Told], history: Sequence[Told], *, can_clear: bool) -> str:
    """Searches that were saved and asked before, each a link that asks it again."""
    parts = []
    if saved:
        items = "".join(_told(item, number, removable=item.is_mine) for number, item in enumerate(saved))
        parts.append(
            f'<section><h3 class="sub-head">Saved searches</h3><ul class="told" role="list">{items}</ul></section>'
        )
    if history:
        items = "".join(_told(item, number) for number, item in enumerate(history))
        clear = (
            '<p class="acts"><button type="button" class="second" data-act="clear-history">'
            "Forget my history</button></p>"
            if can_clear
            else ""
        )
        parts.append(
            '<section><h3 class="sub-head">You asked before</h3>'
            f'<ul class="told" role="list">{items}</ul>{clear}</section>'
        )
    return f'<div class="recalled">{"".join(parts)}</div>' if parts else ""


def _facet(name: str, label: str, facets: pl.DataFrame, question: Question) -> str:
    counted = facets.filter(facets["facet"] == name)
    values = [(value, count) for value, count in counted.select("value", "pictures").iter_rows()]
    here = {value for value, _ in values}
    chosen = {value for value in here if question.has(name, value)}
    if not values or (len(values) == 1 and not chosen):
        return ""
    items = [_box(name, number, value, count, on=value in chosen) for number, (value, count) in enumerate(values)]
    first, rest = items[:_SHOWN_VALUES], items[_SHOWN_VALUES:]
    more = (
        f'<details class="fold" id="more-{name}"><summary>{len(rest):,} more</summary>{"".join(rest)}</details>'
        if rest
        else ""
    )
    return (
        f'<fieldset class="facet facet-{name}"><legend>{label}</legend><div class="values">{"".join(first)}</div>{more}'
        "</fieldset>"
    )


def _box(facet: str, number: int, value: str, count: int, *, on: bool) -> str:
    shown = _DUPLICATES.get(value, value) if facet == "duplicates" else display_path(value)
    return (
        f'<label><input type="checkbox" id="{facet}-{number}" data-act="facet" data-value="{facet}:{escape(value)}"'
        f'{" checked" if on else ""}><span><bdi>{escape(shown)}</bdi></span><i class="quiet">{count:,}</i></label>'
    )


def _weights(question: Question, features: Sequence[str]) -> str:
    given = dict(question.weights)
    names = sorted({*features, *given})
    if len(names) < 2:
        return ""
    ranges = "".join(
        f'<div class="field"><label for="weight-{escape(name)}">{escape(name)} <b>{given.get(name, 1.0):g}</b></label>'
        f'<input type="range" id="weight-{escape(name)}" data-act="weight" data-value="{escape(name)}" min="0" max="2" '
        f'step="0.1" value="{given.get(name, 1.0):g}"></div>'
        for name in names
    )
    return f'<details class="fold" id="weights"><summary>What counts how much</summary>{ranges}</details>'


def _told(item: Told, number: int, *, removable: bool = False) -> str:
    kind = "saved" if item.name else "asked"
    heading = escape(item.name or item.asked)
    more = " · ".join(filter(None, (item.asked if item.name else "", "" if item.is_mine else item.who, item.when)))
    body = f'<b><bdi>{heading}</bdi></b><span class="tiny quiet"><bdi>{escape(more)}</bdi></span>'
    opens = (
        f'<a href="?{escape(item.address)}" id="{kind}-{number}" data-act="open" '
        f'data-value="{escape(item.address)}">{body}</a>'
        if item.address
        else f'<span class="plain" title="Ask it by `deeplens searches run` or in a notebook">{body}</span>'
    )
    remove = (
        f'<button type="button" class="second" data-act="forget" data-value="{heading}" '
        f'aria-label="Remove the saved search {heading}">Remove</button>'
        if removable
        else ""
    )
    return f"<li>{opens}{remove}</li>"
