"""Locations as pieces of HTML: the list, and one with its coverage, failures, runs and prices.

Takes described locations, gives HTML with every text escaped; must not know Panel, read a store or act. An act that
whoever is there may not do has no button.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from deeplens_kit.reporting.coverage_view import CoverageLine
from deeplens_kit.reporting.failure_view import FailureExample, FailureReason
from deeplens_kit.reporting.location_lines import LocationDetail, LocationLine, PricesLine
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.cards import marked, message, picture_frame
from deeplens_kit.views.form_parts import button, field, sentence, table, text_input
from deeplens_kit.views.plan_cards import moment

__all__ = ["location_html", "locations_html"]

_SIDE_PX, _FRAME_PX = 300, 100
# Of these a part may still be shown; of the others there is nothing to decode.
_MAY_SHOW = ("corrupt", "timed_out", "changed_while_read", "io", "unreadable", "object")
_IN_A_NOTEBOOK, _HERE = "index with `retry_failed=True`", "press \u201cRead them again\u201d"
_RUNS = (("Begun, UTC", False), ("Ended", False), ("Did", False))
_PRICES: Mapping[str, tuple[str, str]] = {
    "storage_per_gb_month": ("A GB kept for a month", "Of one copy."),
    "retrieval_per_gb": ("Reading a GB", "Besides requests and egress."),
    "egress_per_gb": ("A GB that leaves the storage", "Egress."),
    "minimum_days": ("Days that are paid for at least", "Though an object is removed earlier."),
    "list_per_1000": ("1,000 requests: list", "Pages of a listing."),
    "read_per_1000": ("1,000 requests: read", "Contents of objects."),
    "head_per_1000": ("1,000 requests: head", "What is known of an object."),
    "write_per_1000": ("1,000 requests: write", "New objects."),
}


def locations_html(lines: Sequence[LocationLine], *, may: Callable[[str], bool]) -> str:
    """The list of locations."""
    add = f'<div class="acts">{button("add", "Add a location", kind="first")}</div>' if may("add") else ""
    if not lines:
        text = "A location is a folder, a share, a bucket or a database that holds pictures. It is only read."
        return message("There is no location yet", text) + add
    return add + "".join(_card(line, may) for line in lines)


def _card(line: LocationLine, may: Callable[[str], bool]) -> str:
    found = line.totals
    analysed = "Nothing indexed yet"
    if found.objects:
        analysed = f"{found.analysed_objects:,} of {plural(found.objects, 'file')} analysed ({found.share})"
    failed = f' · <span class="fate go">{plural(line.failures, "file")} could not be</span>' if line.failures else ""
    last = f"indexed {moment(line.indexed_at)} UTC" if line.indexed_at else "never indexed"
    buttons = button("open", "Look at it", line.name)
    if line.active and may("index"):
        buttons += button("index-ask", "Index now …", line.name, kind="first" if not line.indexed_at else "")
    return (
        f'<section class="panel location" aria-label="{escape(line.shown)}"><header><h3><bdi>'
        f"{escape(line.shown)}</bdi></h3>"
        f'{_state(line)}</header><p class="mono quiet"><bdi>{escape(line.url)}</bdi></p>'
        f'<p class="small">{escape(sentence(line.kind))}. {analysed}{failed} · {last}</p><div class="acts">'
        f"{buttons}</div></section>"
    )


def _state(line: LocationLine) -> str:
    if not line.active:
        return '<span class="state bad">left out</span>'
    words = {"read": "only read", "create": "open for new files", "change": "open for changes"}
    return f'<span class="state plain">{escape(words.get(line.permissions, line.permissions))}</span>'


def location_html(
    detail: LocationDetail, src: Callable[[str, int], str], *, may: Callable[[str], bool], beneath: str = ""
) -> str:
    """One location.

    Args:
        detail: The location.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        may: Whether whoever is there may do an act.
        beneath: HTML beneath its heading: what came of a test.
    """
    line = detail.line
    buttons = ""
    if may("test_saved"):
        buttons += button("test-saved", "Test the connection", line.name)
    if line.active and may("index"):
        buttons += button("index-ask", "Index now …", line.name, kind="first")
    if may("change"):
        buttons += button("change", "Change options", line.name)
    if may("set_active"):
        buttons += (
            button("deactivate", "Leave it out …", line.name, kind="danger")
            if line.active
            else button("activate", "Take it in again", line.name, kind="first")
        )
    options = "".join(
        f'<dt class="mono">{escape(name)}</dt><dd class="mono">{escape(value)}</dd>'
        for name, value in detail.options.items()
    )
    return (
        f'<p class="back">{button("list", "← All locations", kind="second")}</p>'
        f'<section class="panel location" aria-label="{escape(line.shown)}"><header><h3><bdi>'
        f"{escape(line.shown)}</bdi></h3>"
        f'{_state(line)}</header><p class="mono quiet"><bdi>{escape(line.url)}</bdi></p>'
        f'<p class="small quiet">{escape(sentence(line.kind))}.</p><dl class="facts">{options}</dl>'
        f'<div class="acts">{buttons}</div></section>{beneath}'
        + _coverage(detail)
        + _failures(detail, src, may)
        + _prices(detail.prices, line.name, may_set=may("set_prices"))
        + _runs(detail)
    )


def _coverage(detail: LocationDetail) -> str:
    found = detail.line.totals
    if not detail.outcomes:
        return message("Nothing indexed yet", "Index it: files are read where they lie, and stay there.")
    bar = "".join(f'<i class="{_class(line)}" style="flex-grow: {line.permille}"></i>' for line in detail.outcomes)
    legend = "".join(
        f'<li><i class="{_class(line)}" aria-hidden="true"></i>{escape(line.label)} <b>{line.objects:,}</b> '
        f'<span class="quiet">{format_bytes(line.bytes)}</span></li>'
        for line in detail.outcomes
    )
    heading = f"{found.analysed_objects:,} of {plural(found.objects, 'file')} analysed ({found.share})"
    return (
        f'<section class="panel"><h3>{heading}</h3><div class="share" aria-hidden="true">{bar}</div>'
        f'<ul class="legend small" role="list" aria-label="What became of the files">{legend}</ul></section>'
    )


def _class(line: CoverageLine) -> str:
    return escape(line.outcome.replace("_", "-"))


def _failures(detail: LocationDetail, src: Callable[[str, int], str], may: Callable[[str], bool]) -> str:
    if not detail.reasons:
        return ""
    again = may("retry") and detail.line.active
    everything = button("retry-ask", "Read all of them again …", "") if again and len(detail.reasons) > 1 else ""
    shown = "".join(_reason(reason, src, again=again) for reason in detail.reasons)
    return (
        f'<h3 class="sub-head">Could not be analysed: {plural(detail.line.failures, "file")}</h3>'
        f'<div class="acts">{everything}</div>{shown}'
    )


def _reason(reason: FailureReason, src: Callable[[str, int], str], *, again: bool) -> str:
    cards = "".join(f"<li>{_example(reason.code, example, src)}</li>" for example in reason.examples)
    left = reason.files - len(reason.examples)
    more = (
        f'<p class="more">and {left:,} more; <code class="mono">deeplens failures</code> lists them all</p>'
        if left
        else ""
    )
    retry = f'<div class="acts">{button("retry-ask", "Read them again …", reason.code)}</div>' if again else ""
    return (
        f'<section class="panel"><h3>{plural(reason.files, "file")} · {escape(reason.says)}</h3><p class="small quiet">'
        f"{format_bytes(reason.bytes)}. "
        f"{marked(reason.advice.replace(_IN_A_NOTEBOOK, _HERE))}</p>{retry}<details><summary>Files</summary>"
        f'<ul class="pictures" role="list" aria-label="{escape(reason.says)}">{cards}</ul>{more}</details></section>'
    )


def _example(code: str, example: FailureExample, src: Callable[[str, int], str]) -> str:
    if example.digest and code in _MAY_SHOW:
        frame = picture_frame(src=src(example.digest, _SIDE_PX), alt=f"Preview of {example.name}", side_px=_FRAME_PX)
    else:
        frame = (
            f'<div class="frame lacking" style="height: {_FRAME_PX + 20}px"><b>{escape(example.ending) or "?"}</b>'
            '<span class="tiny">no preview</span></div>'
        )
    size = "" if example.size_bytes is None else format_bytes(example.size_bytes)
    return (
        f'<article class="picture">{frame}<div class="text"><div><h4><bdi>{escape(example.name)}</bdi></h4>'
        f'<p class="mono quiet">{escape(example.folder)}</p></div><p class="small">{escape(example.message)}</p>'
        f'<p class="tiny quiet">{size}</p></div></article>'
    )


def _prices(prices: PricesLine, name: str, *, may_set: bool) -> str:
    said = f'<p class="small quiet">{escape(prices.says)}</p>'
    stated = "".join(
        f"<dt>{escape(_PRICES[key][0])}</dt><dd>{escape(value)} "
        f"{escape('' if key == 'minimum_days' else prices.currency)}</dd>"
        for key, value in prices.own.items()
    )
    facts = f'<dl class="facts">{stated}</dl>' if stated else ""
    form = ""
    if may_set:
        rows = "".join(
            field(
                f"price.{key}",
                label,
                text_input(f"price.{key}", prices.own.get(key, ""), placeholder="not stated"),
                hint,
            )
            for key, (label, hint) in _PRICES.items()
        )
        if not prices.currency:
            rows = (
                field("currency", "Currency", text_input("currency", "", placeholder="EUR", needed=True), "ISO 4217.")
                + rows
            )
        form = (
            f'<details><summary>Set prices</summary><form data-act="prices" data-value="{escape(name)}">'
            f'<div class="fields">{rows}</div>'
            f'<div class="acts">{button("prices", "Save prices", name, kind="first", submit=True)}</div></form>'
            "</details>"
        )
    return f'<section class="panel"><h3>Price book</h3>{said}{facts}{form}</section>'


def _runs(detail: LocationDetail) -> str:
    if not detail.runs:
        return ""
    rows = ((moment(run.started_at), escape(run.state), escape(run.says)) for run in detail.runs)
    return f'<section class="panel"><h3>Last runs</h3>{table(_RUNS, rows)}</section>'
