"""The answer of a search: a table with reasons, JSON, CSV, or a page.

Takes a query, asks it, remembers that it was asked, and gives what was found; must not rank anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deeplens_kit.cli.answers import Answer, give
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_bytes, format_score, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import SearchAnswer, Workspace
    from deeplens_kit.search import Query

__all__ = ["answer_search"]

_TIERS = ("bytes", "copy", "scene")
_LISTED_PLACES = 3
_LISTED_FACETS = 8


def answer_search(
    workspace: Workspace,
    query: Query,
    *,
    command: str,
    as_json: bool,
    csv: Path | None,
    html: Path | None,
    facets: bool = False,
    save: str | None = None,
) -> None:
    """Ask a query and give its answer.

    Args:
        workspace: An open workspace.
        query: What is asked.
        command: The command in words, for JSON.
        as_json: Print JSON.
        csv: Write CSV there.
        html: Write a page there.
        facets: Show what the filters could be set to.
        save: Keep the query under this name.
    """
    from deeplens_kit import pipeline
    from deeplens_kit.search import SearchFilters

    answer = pipeline.Searcher(workspace, once=True).search(query)
    pipeline.record_search(workspace, query, answer)
    if save is not None:
        # Behind the search: what cannot be searched for is not worth a name.
        pipeline.save_search(workspace, save, query)
        typer.echo(f"Saved the search as {shown(save)}; `deeplens searches run` asks it again.", err=True)
    notes = [*answer.missing, *pipeline.run_caveats(workspace)]
    empty = _when_empty(workspace, answer, query, filtered=query.filters != SearchFilters() or bool(query.words))
    say_notes(notes)
    if html is not None:
        _write_page(workspace, query, answer, html, notes)
        typer.echo(f"Wrote the page to {html}", err=True)
    give(
        Answer(
            command,
            answer.results,
            lambda: _sheet(answer, empty),
            _summary(answer, query, notes),
            [*_closing(answer, query), *(_facet_lines(answer.facets) if facets else [])],
            {"places": answer.places, "parts": answer.parts, "facets": answer.facets},
        ),
        as_json=as_json,
        csv=csv,
        in_file=html is not None,
    )


def _summary(answer: SearchAnswer, query: Query, notes: list[str]) -> dict[str, object]:
    from deeplens_kit.search.query_words import query_words

    return {
        "query": {**answer.query, "name": shown(str(answer.query["name"]))},
        "asked": shown(query_words(query)),
        "by": None if answer.by is None else str(answer.by),
        "terms": [{**term, "name": shown(str(term["name"]))} for term in answer.terms],
        "offset": answer.offset,
        "searched": answer.searched,
        "found": answer.found,
        "found_all": answer.found_all,
        "current": answer.current,
        "cached": answer.cached,
        "seconds": answer.seconds,
        "notes": notes,
    }


def _sheet(answer: SearchAnswer, empty: str) -> Sheet:
    columns = (
        Column("score", "right"),
        Column("tier"),
        Column("places", fold=True),
        Column("picture", fold=True),
        Column("why", fold=True),
    )
    by_picture = answer.places.partition_by("digest", as_dict=True)
    lines = [
        (
            format_score(row["score"]),
            row["tier"],
            _places(row, by_picture[(row["digest"],)]),
            f"{row['width_px']:,} × {row['height_px']:,} px, {row['format']}, {format_bytes(row['size_bytes'])}"
            f"{_saves(row)}",
            row["why"],
        )
        for row in answer.results.iter_rows(named=True)
    ]
    return Sheet(columns, lines, empty)


def _saves(row: Mapping[str, Any]) -> str:
    saves = row.get("saves_bytes")
    return f"; deduplicating saves {format_bytes(saves)}" if saves else ""


def _places(row: Mapping[str, str], places: pl.DataFrame) -> str:
    """The place that stands for the picture, a few more, and how many others there are."""
    first = place(row["location"], row["path"])
    others = [
        name for name in (place(*pair) for pair in places.select("location", "path").iter_rows()) if name != first
    ]
    named = [first, *others[: _LISTED_PLACES - 1]]
    more = 1 + len(others) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")


def _closing(answer: SearchAnswer, query: Query) -> list[str]:
    if answer.results.is_empty():
        return []
    from deeplens_kit.search.query_words import query_words

    counts = {name: answer.results.filter(answer.results["tier"] == name).height for name in _TIERS}
    listed = answer.results.height
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    if answer.by is not None and str(answer.by) == "copies":
        lines = [f"{plural(listed, 'picture')} like {shown(str(answer.query['name']))}: {words}."]
    else:
        asked = query_words(query) if query.terms or query.words else f"where {query_words(query)}"
        lines = [f"{plural(listed, 'picture')} {shown(asked)}."]
    if answer.found > listed:
        least = "" if answer.found_all else "at least "
        which = f"{answer.offset + 1:,} to {answer.offset + listed:,}" if answer.offset else f"{listed:,}"
        lines.append(f"Showing {which} of {least}{answer.found:,}; more with --limit.")
    lines.append(f"{plural(answer.searched, 'picture')} compared.")
    return lines


def _facet_lines(facets: pl.DataFrame) -> list[str]:
    """A line for each filter: what it could be set to, the most frequent first."""
    lines = []
    for (name,), values in facets.partition_by("facet", as_dict=True, maintain_order=True).items():
        ranked = values.sort("pictures", "value", descending=[True, False])
        first = ranked.select("value", "pictures").head(_LISTED_FACETS)
        said = [f"{shown(value)} {count:,}" for value, count in first.iter_rows()]
        more = ranked.height - len(said)
        lines.append(f"{name}: {', '.join(said)}{f' and {more:,} more' if more else ''}")
    return lines


def _when_empty(workspace: Workspace, answer: SearchAnswer, query: Query, *, filtered: bool) -> str:
    """What to say when nothing was found: nothing to search, nothing alike, or filters that let nothing through."""
    if not workspace.ledger.locations():
        return NO_LOCATIONS
    if not any(run.kind == "index" for run in workspace.ledger.runs()):
        return "Nothing indexed yet; run `deeplens index`."
    if not answer.searched and not filtered:
        return "No picture is indexed; `deeplens failures` gives the reasons."
    if not answer.searched and query.words:
        beside = " and passes these filters" if query.filters != type(query.filters)() else ""
        return f"No indexed picture has the words {shown(query.words)!r}{beside}; try others, or the beginning of one*."
    if not answer.searched:
        return "No indexed picture passes these filters; leave one out."
    if answer.offset and answer.found:
        return (
            f"Nothing from {answer.offset + 1:,} on: {plural(answer.found, 'picture')} found; use a smaller --offset."
        )
    beside = ", or none that passes these filters" if filtered else ""
    if not query.terms:
        return f"Nothing found: {plural(answer.searched, 'picture')} looked at{beside}."
    return f"Nothing alike: {plural(answer.searched, 'picture')} compared, none is a copy or like this one{beside}."


def _write_page(workspace: Workspace, query: Query, answer: SearchAnswer, target: Path, notes: list[str]) -> None:
    from datetime import datetime

    from deeplens_kit import __version__, pipeline
    from deeplens_kit.reporting import write_atomically
    from deeplens_kit.reporting.search_page import THUMBNAIL_SIDE_PX, render_search_page
    from deeplens_kit.reporting.search_view import describe_search

    view = describe_search(
        query,
        answer,
        workspace=shown(workspace.directory.name),
        made_at=datetime.now().astimezone(),
        version=__version__,
        notes=notes,
    )
    page = render_search_page(
        view,
        lambda digest: pipeline.thumbnail(workspace, digest, THUMBNAIL_SIDE_PX),
        lambda number: pipeline.query_preview(workspace, query, answer, number, THUMBNAIL_SIDE_PX),
    )
    write_atomically(target, page)
