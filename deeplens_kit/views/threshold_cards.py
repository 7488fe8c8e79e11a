"""What thresholds come to, as pieces of HTML: figures against the strict rule, and pairs side by side.

Takes outcomes and rows of borderline pairs, gives HTML with every text escaped; must not know Panel or judge a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.words import format_bytes, format_score, plural
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.cards import message, picture_frame

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.thresholds import ThresholdOutcome

__all__ = ["LOADING", "figures_html", "loose_warning", "pairs_html"]

LOADING = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/%3E"
"""Stands for a picture that is still being fetched: nothing, so that it does not look like one that cannot be had."""

_SIDE_PX = 150


def figures_html(now: ThresholdOutcome, strict: ThresholdOutcome) -> str:
    """The totals, each with what it is more or less than by the strict rule."""
    rows = [
        ("Could be freed", format_bytes(now.realisable_bytes), _bytes_against(now, strict, "realisable_bytes")),
        ("Files that could go", f"{now.objects:,}", _count_against(now, strict, "objects")),
        ("Groups", f"{now.groups:,}", _count_against(now, strict, "groups")),
        ("Largest group", plural(now.largest_group, "file"), _count_against(now, strict, "largest_group")),
        ("Matches not proposed", f"{now.withheld:,}", _count_against(now, strict, "withheld")),
    ]
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd>{against}</div>" for name, value, against in rows)
    return f'<dl class="figures">{shown}</dl>'


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


def pairs_html(pairs: pl.DataFrame, src: Callable[[str], str]) -> str:
    """Borderline pairs in two lists: those that are copies by the bounds, and those that are not.

    Args:
        pairs: BORDERLINE.
        src: Gives the address of the image of a digest.
    """
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
        cards = "".join(f"<li>{_pairing(row, src)}</li>" for row in rows.iter_rows(named=True))
        lists.append(
            f'<h3 class="sub-head">{heading} <span class="small quiet">nearest first: {said}</span></h3>'
            f'<ul class="pairings" role="list" aria-label="{heading}">{cards}</ul>'
        )
    return "".join(lists)


def _pairing(row: Mapping[str, Any], src: Callable[[str], str]) -> str:
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
    evidence = "".join(f"<li>{line}</li>" for line in _evidence(row))
    return (
        f'<article class="pairing" data-pair="{escape(row["digest_a"])}-{escape(row["digest_b"])}">'
        f'<div class="both">{frames}</div>'
        f'<div class="text"><div class="verdict">{verdict}<b>likelihood {format_score(row["likelihood"])}</b></div>'
        f'<p class="small">{escape(row["why"])}</p><ul class="evidence" role="list">{evidence}</ul>'
        f'<div class="names tiny">{places}</div></div></article>'
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
