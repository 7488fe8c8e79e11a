"""What the map says besides its points: the legend, the card of a picture, what is missing, in HTML.

Takes values of the map's state, gives HTML strings with every text escaped; must not know Panel or read a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import polars as pl

from deeplens_kit.pipeline.mapping import PictureMap
from deeplens_kit.reporting.selection_words import add_up_selection, describe_selected
from deeplens_kit.reporting.words import plural
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import marked, message, picture_card
from deeplens_kit.views.state.map_colours import RAMP, Colouring, LegendEntry

__all__ = [
    "CAUTION",
    "card_html",
    "legend_html",
    "near_html",
    "notes_html",
    "nothing_html",
    "selection_html",
    "waiting_html",
]

CAUTION = "Distances on this map are no evidence: groups come from pairs."

_HOW = "Point at the map to see a picture. Click to keep it in sight. Draw a lasso or a box around some to select them."


def waiting_html() -> str:
    """Stands where the map will be."""
    return message("The map is being made", "The first time this takes about half a minute.", kind="busy")


def nothing_html(found: PictureMap) -> str:
    """Stands where a map without points would be: what is missing and what to do."""
    if not found.pictures and found.unread:
        files = plural(found.unread, "file was", "files were")
        return message(
            "No picture could be read",
            f"{files} found and none could be analysed, so there is nothing to lay out. `deeplens failures` lists each "
            "with the reason.",
        )
    if not found.pictures:
        return message("No picture is indexed yet", "Run `deeplens index`, then make the map again.")
    return message(
        f"None of the {plural(found.pictures, 'picture')} has vectors of {found.feature}",
        f"Enable {found.feature} under [features] in workspace.toml, with its model installed, and run "
        "`deeplens index`; or make the map of another feature.",
    )


def legend_html(colouring: Colouring) -> str:
    """The colours with what they say and how many pictures have them."""
    lines: dict[str, list[LegendEntry]] = {}
    for entry in colouring.entries:
        lines.setdefault(entry.name, []).append(entry)
    items = "".join(
        f'<li><i style="background: {_swatch([entry.colour for entry in entries])}"></i>'
        f"<span><bdi>{escape(display_path(name))}</bdi></span><b>{sum(entry.pictures for entry in entries):,}</b></li>"
        for name, entries in lines.items()
    )
    scale = ""
    if colouring.ends is not None:
        low, high = colouring.ends
        scale = (
            f'<div class="scale"><i style="background: linear-gradient(90deg, {", ".join(RAMP)})"></i>'
            f"<p><span>{escape(low)}</span><span>{escape(high)}</span></p></div>"
        )
    return f'<div class="legend">{scale}<ul role="list" aria-label="Colours">{items}</ul></div>'


def _swatch(colours: list[str]) -> str:
    if len(colours) == 1:
        return escape(colours[0])
    step = 100 / len(colours)
    stops = ", ".join(f"{colour} {at * step:g}% {(at + 1) * step:g}%" for at, colour in enumerate(colours))
    return escape(f"conic-gradient({stops})")


def card_html(pointed: pl.DataFrame, src: str, cluster: str = "") -> str:
    """The picture that is pointed at; how to point where none is.

    Args:
        pointed: MAP_POINTS of it, then of others that lie exactly there.
        src: Address of its image.
        cluster: The cluster that it is in, in words; empty where nobody looked.
    """
    if pointed.is_empty():
        return message("", _HOW, kind="note hint").replace("<h3></h3>", "")
    described = describe_selected(pointed.head(1)).row(0, named=True)
    lines = list(described["lines"])
    if cluster:
        lines.append(display_path(cluster))
    if pointed.height > 1:
        lines.append(f"and {plural(pointed.height - 1, 'other picture')} exactly here")
    return picture_card(
        src=src, title=described["title"], lines=lines, badge=described["badge"],
        alt=f"Preview of {described['title']}", side_px=190,
    )  # fmt: skip


def selection_html(selected: pl.DataFrame) -> str:
    """What is selected, added up, read out when it changes."""
    said = f"Selected: {add_up_selection(selected).sentence}" if selected.height else "Nothing is selected."
    return f'<p class="small" role="status" aria-live="polite">{escape(said)}</p>'


def near_html(rows: Sequence[tuple[str, str, float, str]] | None, *, pinned: bool, feature: str) -> str:
    """The pictures that are most like the pinned one, each a button that points at it.

    Args:
        rows: Digest, name, cosine and address of the image; None while they are being found.
        pinned: Whether a picture is pinned at all.
        feature: The feature whose vectors were compared.
    """
    if not pinned:
        return ""
    let_go = '<p class="acts"><button type="button" class="second" data-act="let_go">Let go of it</button></p>'
    if rows is None:
        return message("Comparing it with all pictures …", kind="note") + let_go
    if not rows:
        return message("No other picture has a vector that could be compared.", kind="note") + let_go
    items = "".join(
        f'<li><button type="button" data-act="point" data-value="{escape(digest)}" '
        f'aria-label="Point at {escape(name)}, cosine {cosine:.3f}" title="{escape(name)}">'
        f'<img src="{escape(src)}" alt="" loading="lazy" decoding="async"><span>{cosine:.3f}</span></button></li>'
        for digest, name, cosine, src in rows
    )
    return (
        f'<h3 class="label">Most like it</h3><ul class="near" role="list" aria-label="Most like it">{items}</ul>'
        f'<p class="tiny quiet">Cosine of the {escape(feature)} vectors. A high one is a reason to look, '
        f"no proof of a copy.</p>{let_go}"
    )


def notes_html(found: PictureMap) -> str:
    """The caution, what came later, and how much the map does not show."""
    said = [CAUTION]
    if found.placed_later:
        some = plural(found.placed_later, "picture", "pictures")
        said.append(
            f"{some} came later and lie among those most like them; `workbench.map(refit=True)` lays all out anew."
        )
    if found.points.height == 1:
        said.append("There is one picture alone, so nothing can lie near it.")
    if found.without_vector:
        some = plural(found.without_vector, "picture has", "pictures have")
        said.append(f"{some} no vectors of {found.feature} and cannot be shown.")
    if found.unread:
        said.append(f"{plural(found.unread, 'file')} could not be analysed; `deeplens failures` says why.")
    head, rest = said[0], " ".join(said[1:])
    return f'<p class="small caution"><b>{escape(head)}</b> {marked(rest)}</p>'
